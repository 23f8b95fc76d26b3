"""The app's place in the house."""

from django.apps import AppConfig
from django.core.checks import register
from django.utils.module_loading import import_string

from core.faults import FILES
from evaluation.checks import released_prompts_are_unchanged
from signals.panel import seat


class EvaluationConfig(AppConfig):
    """Several judges, each answer kept, none trusted."""

    name = "evaluation"
    verbose_name = "Evaluation"

    def ready(self) -> None:
        """Seat the panel (by name: the selectors need the models, which exist only now) and have the prompts checked."""
        register(released_prompts_are_unchanged, FILES)
        seat(import_string("evaluation.selectors.enabled_models"))
