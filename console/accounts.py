"""Accounts and roles in the admin, in the house's dress; for superusers, see `console/roles.py`."""

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django_celery_results.models import GroupResult, TaskResult
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from core.admin import HouseAdmin

# Results of tasks are not kept: the rows of the product say what became of everything.
for unused in (User, Group, TaskResult, GroupResult):
    admin.site.unregister(unused)


@admin.register(User)
class HouseUserAdmin(UserAdmin[User], HouseAdmin[User]):
    """People. Nobody is deleted: what somebody did keeps a name; accounts are switched off."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ["username", "is_active", "is_staff", "is_superuser", "last_login"]
    searched = ["username", "email"]
    secret = ["password"]
    sortable_by = ["username", "last_login"]

    def has_delete_permission(self, request: object, obj: object = None) -> bool:
        return False


@admin.register(Group)
class HouseGroupAdmin(GroupAdmin, HouseAdmin[Group]):
    """Roles. Three are kept up to date by the house; others are anybody's own."""

    searched = ["name"]
