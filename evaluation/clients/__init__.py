"""Vendor → client: the one mapping. Adding a vendor is one file here and one line below."""

from collections.abc import Callable, Mapping

from evaluation.clients.baseline import Baseline
from evaluation.clients.openai import OpenAI, OpenAICompatible
from evaluation.ports import Endpoint, ModelClient

CLIENTS: Mapping[str, Callable[[Endpoint], ModelClient]] = {
    "baseline": Baseline,
    "openai": OpenAI,
    "openai_compatible": OpenAICompatible,
}


def client_for(vendor: str, endpoint: Endpoint) -> ModelClient:
    """The client that speaks to this vendor. Raises KeyError for a vendor that is not in the mapping."""
    return CLIENTS[vendor](endpoint)
