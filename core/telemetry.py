"""Every metric Lens declares, in one place. No symbol, event id or free text is ever a label.

Processes share one directory (`PROMETHEUS_MULTIPROC_DIR`), so what a worker counts shows on the web's `/metrics`.
"""

from prometheus_client import Counter, Gauge, Histogram

from core.counting import count_by_process

count_by_process()

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
_SLOW = (0.1, 0.25, 0.5, 1, 2, 3, 5, 6, 10, 15, 30, 60)

signals_received = Counter("lens_signals_received", "Signals accepted at the gateway.", ["source"])
signals_enqueued = Counter("lens_signals_enqueued", "Signals handed to the broker.")
signals_rejected = Counter("lens_signals_rejected", "Signals that ended rejected.", ["reason"])
enqueue_duration = Histogram("lens_enqueue_duration_seconds", "Hand-over of one signal to the broker.", buckets=_FAST)
enrichment_duration = Histogram("lens_enrichment_duration_seconds", "Enrichment of one signal.", ["profile"], buckets=_SLOW)
evaluation_duration = Histogram("lens_model_evaluation_duration_seconds", "One model's answer.", ["model"], buckets=_SLOW)
end_to_end_duration = Histogram("lens_end_to_end_duration_seconds", "From received to verdict published.", buckets=_SLOW)
decisions_published = Counter("lens_decisions_published", "Decision frames appended.", ["model"])
rate_limited = Counter("lens_rate_limited", "Requests refused by the limiter, by whose window was full.", ["by"])
limiter_local = Gauge("lens_limiter_local", "1 while a process limits alone, Redis being away.", multiprocess_mode="livemax")
dlq_entries = Counter("lens_dlq_entries", "Dead letters written.", ["stage", "reason"])
model_errors = Counter("lens_model_errors", "Answers that were not ok, by decision status.", ["model", "status"])
model_tokens = Counter("lens_model_tokens", "Tokens used.", ["model", "direction"])
breaker_open = Gauge("lens_model_breaker_open", "1 while a model is not asked.", ["model"], multiprocess_mode="mostrecent")
signals_degraded = Counter("lens_signals_degraded", "Verdicts that are the fallback: no model answered.", ["reason"])
for _reason in ("no_answers", "no_models"):
    signals_degraded.labels(reason=_reason)  # there from the start, or an alert on its growth would miss the first
model_cost = Counter("lens_model_cost_usd", "Money spent on answers.", ["model"])
provider_requests = Counter("lens_provider_requests", "Requests to market data providers.", ["provider", "endpoint", "status"])
provider_latency = Histogram("lens_provider_latency_seconds", "Provider answer time.", ["provider", "endpoint"], buckets=_FAST)
provider_weight = Counter("lens_provider_weight", "What requests weigh against the provider's limit.", ["provider"])
provider_unasked = Counter(
    "lens_provider_unasked", "Requests not sent: budget, held (a 429 before), open (a breaker).", ["provider", "why"]
)
provider_breaker = Gauge(
    "lens_provider_breaker",
    "Whether a failing endpoint is left alone: 0 closed, 1 half open, 2 open.",
    ["provider", "endpoint"],
    multiprocess_mode="livemax",
)
ws_clients = Gauge("lens_ws_clients", "Open decision sockets.", multiprocess_mode="livesum")
ws_slow_closed = Counter("lens_ws_slow_closed", "Sockets closed for reading too slowly.")
webhook_deliveries = Counter("lens_webhook_deliveries", "Attempts to deliver to webhooks: delivered, failed, dead.", ["outcome"])
webhook_duration = Histogram("lens_webhook_duration_seconds", "A webhook destination's answer time.", buckets=_SLOW)
webhook_lag = Gauge("lens_webhook_lag", "Frames between the head and the last active webhook.", multiprocess_mode="mostrecent")
webhooks_disabled = Gauge("lens_webhooks_disabled", "Webhook endpoints disabled by failures.", multiprocess_mode="mostrecent")
wakeups_lost = Counter(
    "lens_stream_wakeups_lost", "Wake-ups that Redis did not take (sender), frames found without one (reader).", ["seen_by"]
)
stream_head = Gauge("lens_stream_head_seq", "The newest seq of the decision stream.", multiprocess_mode="max")
signals_stalled = Gauge("lens_signals_stalled", "Signals with work overdue at the last sweep.", multiprocess_mode="mostrecent")
sources_silent = Gauge("lens_sources_silent", "Hooks that went quiet for longer than expected.", multiprocess_mode="mostrecent")
queue_depth = Gauge("lens_queue_depth", "Messages waiting in the broker.", ["queue"], multiprocess_mode="mostrecent")
sweep_age = Gauge("lens_sweep_age_seconds", "Seconds since the resume sweep last ran.", multiprocess_mode="mostrecent")
