"""What the registry's columns mean to people: beside its form, and in the command's help."""

from collections.abc import Mapping
from typing import Final

from evaluation.models import Api, Effort, Structured, Vendor

# Column → what to write into it. Values are checked by the model itself, wherever they come from.
COLUMNS: Final[Mapping[str, str]] = {
    "vendor": "who speaks: " + ", ".join(Vendor.values),
    "model_id": "the vendor's name for the model",
    "base_url": "http(s) address; LENS_MODEL_HOSTS must allow it",
    "key_env": "the variable that holds the key, ending in _API_KEY",
    "timeout_ms": "100 to 120000, for all of one evaluation",
    "max_tokens": "of one answer, thoughts included",
    "temperature": "0 to 2; none: the vendor's",
    "structured": "how firmly it can be held to a schema: " + ", ".join(Structured.values),
    "api": "which of OpenAI's interfaces: " + ", ".join(Api.values),
    "effort": "how long it may think: " + ", ".join(Effort.values) + "; none: not mentioned",
    "prompt_version": "which prompt",
    "max_in_flight": "calls at once; none: no bound",
    "calls_per_minute": "none: no bound",
    "daily_budget_usd": "none: no bound",
}
