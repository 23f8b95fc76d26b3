"""The addresses of keys, below /api/v1/."""

from django.urls import path

from access.api import KeysView, KeyView, RotateView

urlpatterns = [
    path("keys", KeysView.as_view()),
    path("keys/<uuid:key_id>", KeyView.as_view()),
    path("keys/<uuid:key_id>/rotate", RotateView.as_view()),
]
