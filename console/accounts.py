"""Pages of other packages in the house's dress: how the pruning ended, and, for superusers, accounts and roles, see `roles`."""

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django_celery_results.models import GroupResult, TaskResult
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from core.admin import HouseAdmin, ReadOnly, clipped

for replaced in (User, Group, TaskResult, GroupResult):
    admin.site.unregister(replaced)


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


@admin.register(TaskResult)
class HouseTaskResultAdmin(ReadOnly, HouseAdmin[TaskResult]):
    """How the hourly pruning ended; what became of a signal is in its own rows."""

    list_display = ["date_done", "task_name", "status", clipped("result", "result")]
    wide = ["traceback", "meta"]
    exclude = ["content_type", "content_encoding", "task_args", "task_kwargs", "periodic_task_name", "meta"]
    searched = ["task_id"]
    ordering = ["-id"]
