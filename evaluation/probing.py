"""Is a registered model able to answer at all? One tiny call says so, and what to change when not. Nothing is stored.

When the server refuses the request itself, the lower rungs of the ladder are tried: a refused request costs nothing, and the first
rung that works is what the registry should say.
"""

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final

from core.errors import LensError
from evaluation.clients import client_for
from evaluation.models import EvaluationModel, Structured, Vendor
from evaluation.parsing import Failure, ending_fault, read_answer
from evaluation.ports import Endpoint, Limits, Prompt, Reply, Turn
from evaluation.schemas import wire_schema

_AT_ONCE = 8
_EVENT: Final = "OPEN_SIGNAL"
_SYSTEM = (
    "This is a test of the connection. Answer with one JSON object and nothing else: evidence_for [], evidence_against [], "
    "decision IGNORE, confidence 0.5, entry_plan null, risk_plan null, size_pct null, reasons [no_trend]."
)
# Code → how to mend it; `{…}` are the registry's fields.
_MENDS: Mapping[str, str] = {
    "auth_failed": "Put a valid key into {key_env} where the workers run and restart them, or into the file {key_env}_FILE names.",
    "model_not_found": "Name a model that this key may use: manage.py model set {name} --model-id …",
    "insufficient_quota": "Top up the account at the vendor, or raise its limit.",
    "rate_limited": "Wait, or bound the calls: manage.py model set {name} --calls-per-minute …",
    "timeout": "Give it longer: manage.py model set {name} --timeout-ms … (now {timeout_ms})",
    "provider_down": "Look whether a server answers at {base_url}; at a vendor's own address, wait.",
    "host_not_allowed": "Add the host of {base_url} to LENS_MODEL_HOSTS, or change the address.",
    "bad_reply": "What answers there is no such model: check --vendor, --api and --base-url (now {base_url}).",
    "bad_request": "The server's words say what it does not take: check --temperature, --effort, --api and --model-id.",
    "truncated": "Give it more tokens or less thought: manage.py model set {name} --max-tokens … --effort low",
    "refused": "The vendor's filter refuses even this: choose another model.",
    "invalid_json": "Hold it firmer: manage.py model set {name} --structured json_schema (or strict_schema)",
    "schema_error": "Hold it firmer: manage.py model set {name} --structured json_schema (or strict_schema)",
}


@dataclass(frozen=True)
class Finding:
    """What one call to one model showed. `code` is `ok` or the fault's; `mend` is empty when there is nothing to mend."""

    name: str
    code: str
    detail: str = ""
    mend: str = ""
    latency_ms: int = 0
    tokens_in: int | None = None
    tokens_out: int | None = None

    @property
    def ok(self) -> bool:
        """Whether this model can answer."""
        return self.code == "ok"


def probe_all(models: Iterable[EvaluationModel]) -> list[Finding]:
    """One finding per model, in order; the calls are made side by side."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(probe, models))


def probe(model: EvaluationModel) -> Finding:
    """One tiny paid call (none to the baseline, which cannot fail)."""
    if model.vendor == Vendor.BASELINE:
        return Finding(model.name, "ok", "needs no connection")
    found = _call(model, model.endpoint)
    return _lower_rung(model, found) if found.code == "bad_request" else found


def _lower_rung(model: EvaluationModel, found: Finding) -> Finding:
    """The same finding, naming the first lower rung on which the server answers."""
    rungs = Structured.values[Structured.values.index(model.structured) + 1 :]
    for structured in rungs:
        if _call(model, replace(model.endpoint, structured=structured)).ok:
            return replace(found, mend=f"It does answer with less: manage.py model set {model.name} --structured {structured}")
    return found


def _call(model: EvaluationModel, endpoint: Endpoint) -> Finding:
    began = time.monotonic()
    try:
        limits = Limits(model.timeout_ms / 1000, model.max_tokens, model.temperature)
        reply = client_for(model.vendor, endpoint).ask(_prompt(), limits)
    except LensError as error:
        return _found(model, began, error.code, error.detail)
    fault = _fault(reply)
    found = _found(model, began, "ok") if fault is None else _found(model, began, fault.status, fault.detail)
    return replace(found, tokens_in=reply.tokens_in, tokens_out=reply.tokens_out)


def _fault(reply: Reply) -> Failure | None:
    found = ending_fault(reply) or read_answer(reply.text)
    return found if isinstance(found, Failure) else None


def _found(model: EvaluationModel, began: float, code: str, detail: str = "") -> Finding:
    fields = {name: getattr(model, name) for name in ("name", "key_env", "timeout_ms")}
    mend = _MENDS.get(code, "").format(**fields, base_url=model.base_url or "the vendor's address")
    return Finding(model.name, code, detail, mend, round((time.monotonic() - began) * 1000))


def _prompt() -> Prompt:
    turns = (Turn("user", "Answer now."),)
    return Prompt(
        "probe", _EVENT, _SYSTEM, turns, payload="{}", schema=wire_schema(_EVENT), prompt_hash="", payload_hash="", schema_hash=""
    )
