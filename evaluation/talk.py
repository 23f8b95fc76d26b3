"""The calls to one model for one decision: each on record with its cost, all of them within one timeout, so within the lease."""

import time
from dataclasses import dataclass
from decimal import Decimal

from core import telemetry
from core.canonical import digest
from core.errors import LensError, Transient
from evaluation.claims import EvaluationClaim
from evaluation.clients import client_for
from evaluation.models import EvaluationModel, ModelCall
from evaluation.parsing import Failure, Parsed, bounded
from evaluation.ports import Limits, Prompt, Reply, Unanswered, Unreadable
from evaluation.prices import Rates, Usage, cost

# With less than this left, asking once more is money for nothing.
LEAST_FOR_REPAIR_S = 0.5
# A vendor that answers so has done no work. Without an answer it may have done all of it: then the worst case is booked.
_REFUSALS = frozenset({"rate_limited", "auth_failed", "model_not_found", "insufficient_quota", "bad_request", "host_not_allowed"})
_UNBILLED = _REFUSALS | {"provider_down"}


@dataclass(frozen=True)
class Terms:
    """What the calls cost: the prices, None when nobody knows them, and the most that the first call and the re-ask can come to."""

    rates: Rates | None
    worst: tuple[Decimal, Decimal] = (Decimal(0), Decimal(0))


class Talk:
    """One conversation with one model. Raises Transient `timeout` when it could outlast the lease: then two would be paid for."""

    def __init__(self, held: EvaluationClaim, model: EvaluationModel, terms: Terms) -> None:
        self._held = held
        self._model = model
        self._terms = terms
        self._client = client_for(model.vendor, model.endpoint)
        timeout_s = min(model.timeout_ms / 1000, held.left_s)
        if held.safe_s < timeout_s:
            raise Transient("timeout", "The worker was held up until there was no time left to ask the model safely.")
        self._ends_at = time.monotonic() + timeout_s

    def ask(self, prompt: Prompt, *, repair: bool = False) -> Reply:
        """The reply. Raises the client's errors, the failed call on record."""
        call = self._begun(repair=repair)
        asked_at = time.monotonic()
        try:
            reply = self._client.ask(prompt, Limits(self._ends_at - asked_at, self._model.max_tokens, self._model.temperature))
        except LensError as error:
            self._fail(call, error)
            raise
        finally:
            taken = time.monotonic() - asked_at
            call.latency_ms = round(taken * 1000)
            telemetry.evaluation_duration.labels(model=self._model.name).observe(taken)
        self._record(call, reply)
        return reply

    def ask_again(self, prompt: Prompt, reply: Reply, failure: Failure) -> Reply | None:
        """The reply to the one re-ask; None when it cannot help, there is no time for it, or it failed in its turn."""
        if not failure.repairable or self._ends_at - time.monotonic() < LEAST_FOR_REPAIR_S:
            return None
        try:
            return self.ask(prompt.repairing(reply.text, failure.detail), repair=True)
        except LensError:
            return None

    def understood(self, result: Parsed | Failure) -> Parsed | Failure:
        """The parser's result, noted on the call it belongs to."""
        self._held.bill.calls[-1].outcome = "ok" if isinstance(result, Parsed) else result.status
        return result

    def _begun(self, *, repair: bool) -> ModelCall:
        held = self._held
        call = ModelCall(
            decision_id=held.lease.decision_id,
            attempt=held.tries + 1,
            claim=held.claims,
            repair=repair,
            structured=self._model.structured,
            latency_ms=0,
        )
        held.bill.calls.append(call)
        return call

    def _fail(self, call: ModelCall, error: LensError) -> None:
        call.outcome, call.error = error.code[:20], bounded(error.detail)
        call.request_id = bounded(str(error.facts.get("request_id", "")), 100)
        _keep_text(call, error.raw if isinstance(error, Unreadable) else "")
        call.cost_usd = Decimal(0) if error.code in _REFUSALS else None
        self._held.bill.failure = error
        if error.code not in _UNBILLED or isinstance(error, Unanswered):
            self._held.bill.cost_usd += self._terms.worst[call.repair]

    def _record(self, call: ModelCall, reply: Reply) -> None:
        _keep_text(call, reply.refusal or reply.text)
        call.finish_reason = bounded(reply.finish_reason, 30)
        call.model_version = bounded(reply.model_version, 100)
        call.request_id = bounded(reply.request_id, 100)
        call.tokens_in, call.tokens_out, call.tokens_cached = reply.tokens_in, reply.tokens_out, reply.tokens_cached
        call.cost_usd = cost(self._terms.rates, Usage(reply.tokens_in, reply.tokens_out, reply.tokens_cached))
        bill, name = self._held.bill, self._model.name
        bill.answered = True
        bill.cost_usd += self._terms.worst[call.repair] if call.cost_usd is None else call.cost_usd
        if call.cost_usd:
            telemetry.model_cost.labels(model=name).inc(float(call.cost_usd))
        for direction, tokens in (("in", reply.tokens_in), ("out", reply.tokens_out), ("cached", reply.tokens_cached)):
            if tokens:
                telemetry.model_tokens.labels(model=name, direction=direction).inc(tokens)


def _keep_text(call: ModelCall, text: str) -> None:
    call.raw_text = bounded(text)
    call.raw_hash = digest(call.raw_text)
