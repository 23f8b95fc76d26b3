"""Vendor → client: the one mapping. Adding a vendor is one file here and one line below.

Clients are named, not imported: each vendor's SDK costs a second and 25–40 MB, and only a process that asks this vendor pays it.
"""

from collections.abc import Callable, Mapping
from typing import cast

from django.conf import settings
from django.utils.module_loading import import_string

from core.errors import Permanent
from evaluation.clients.hosts import home_of, trusted
from evaluation.ports import Endpoint, ModelClient

CLIENTS: Mapping[str, str] = {
    "baseline": "evaluation.clients.baseline.Baseline",
    "openai": "evaluation.clients.openai.OpenAI",
    "google": "evaluation.clients.google.Google",
    "anthropic": "evaluation.clients.anthropic.Anthropic",
    "openai_compatible": "evaluation.clients.openai.OpenAICompatible",
}


def client_for(vendor: str, endpoint: Endpoint) -> ModelClient:
    """The client that speaks to this vendor.

    Raises Permanent `host_not_allowed` for an address that `LENS_MODEL_HOSTS` does not name, KeyError for an unknown vendor.
    """
    address = endpoint.base_url or home_of(vendor)
    if address and not trusted(address, settings.LENS.model_hosts):
        raise Permanent("host_not_allowed", "The model's address is not among LENS_MODEL_HOSTS.")
    made = cast("Callable[[Endpoint], ModelClient]", import_string(CLIENTS[vendor]))
    return made(endpoint)
