"""Every way a model can be spoken to, by name: the tests of clients run for each, against one simulator that plays all vendors."""

from evaluation.clients import client_for
from evaluation.ports import Endpoint, ModelClient

KEY_ENV = "TESTS_API_KEY"
# name → vendor, path below the simulator's address, interface
SPEAKERS = {
    "openai": ("openai", "/v1", "chat"),
    "openai-responses": ("openai", "/v1", "responses"),
    "google": ("google", "", "chat"),
    "anthropic": ("anthropic", "", "chat"),
    "compatible": ("openai_compatible", "/v1", "chat"),
}
RUNGS = ("strict_schema", "json_schema", "json_object", "prompt_only")


def speaker(name: str, url: str, *, structured: str = "strict_schema", key_env: str = KEY_ENV, effort: str = "") -> ModelClient:
    """The client that speaks so to a server at this address."""
    vendor, path, api = SPEAKERS[name]
    return client_for(vendor, Endpoint("gpt-sandbox", f"{url}{path}", key_env, structured, api, effort))
