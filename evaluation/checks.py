"""What must hold before the process starts: a released prompt is what it was on the day of its release."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error

from evaluation.prompting import tampered


def released_prompts_are_unchanged(**_: Any) -> Sequence[CheckMessage]:
    """`evaluation.E001` for each prompt that was edited or removed after its release."""
    hint = "Restore the file and put the new wording under a new version."
    return [Error(f"The released prompt {name} has changed.", hint=hint, id="evaluation.E001") for name in tampered()]
