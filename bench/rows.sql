-- %(signals)s signals over %(days)s days, the newest now, with everything that hangs on a signal: two decisions each, a call of every
-- decision, a verdict, a frozen market, a timeline, a frame, a dead letter, a webhook's delivery. One letter in a hundred is open, three
-- decisions in a hundred failed. Ids begin with their time, as those of the product do. Foreign keys are not looked at while writing.
SET session_replication_role = replica;
SET statement_timeout = 0;
SET synchronous_commit = off;
SET maintenance_work_mem = '256MB';

CREATE FUNCTION pg_temp.id_of(at timestamptz, kind int, n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE RETURN
  (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || lpad(to_hex(kind), 3, '0') || '8000' || lpad(to_hex(n), 12, '0'))::uuid;

CREATE TEMPORARY TABLE made AS
SELECT n, at, pg_temp.id_of(at, 0, n) AS id, (ARRAY['BTC','ETH','SOL','HYPE','XRP','DOGE','kPEPE','AVAX'])[n %% 8 + 1] AS symbol,
       'desk_' || n %% 40 AS source
  FROM (SELECT n, now() - n * (interval '1 day' * %(days)s / %(signals)s) AS at FROM generate_series(%(signals)s, 1, -1) n) numbers;

INSERT INTO signals_source (name, paused) SELECT 'desk_' || n, false FROM generate_series(0, 39) n;
INSERT INTO signals_hooksource (id, name, kind, enabled, prefix, token_hash, mapping, reading, use_arrival_time, allowed_networks)
VALUES (gen_random_uuid(), 'hook', 'generic', true, 'abcdefgh', repeat('0', 64), '{}', 'position', false, '{}');
INSERT INTO signals_rejectedinput (hook_id, content_type, hint, body)
SELECT id, 'text/plain', 'no price', repeat('x', 200) FROM signals_hooksource, generate_series(1, 500);
INSERT INTO evaluation_evaluationmodel (name, vendor, model_id, base_url, key_env, timeout_ms, max_tokens, structured, api, effort,
       prompt_version, enabled)
SELECT name, 'openai', name, '', 'OPENAI_API_KEY', 20000, 1000, 'strict_schema', 'chat', '', 'core_v1', true
  FROM unnest(ARRAY['left', 'right']) name;

INSERT INTO signals_signal (id, event_type, symbol, signal_direction, entry_price, size, liquidation_price, ts_utc, source, feature_profile,
       metadata, caller, idempotency_key, fingerprint, status, evaluation, expected, buried_from, degraded, received_at, enriched_at,
       evaluated_at, published_at, claims, attempts, dispatches)
SELECT id, CASE WHEN n %% 3 = 0 THEN 'CLOSE_SIGNAL' ELSE 'OPEN_SIGNAL' END, symbol,
       CASE WHEN n %% 3 = 0 THEN 'close_long' ELSE 'long' END, 60000, 0.1, 54000, at, source, '', '{"desk": "bench"}', 'key:bench',
       md5(n::text), repeat('0', 64), CASE WHEN n %% 50 = 0 THEN 'rejected' WHEN n %% 1000 = 1 THEN 'dlq' ELSE 'published' END, 0,
       '["left", "right"]', '', n %% 500 = 0, at, at, at, at, 1, 0, 1
  FROM made;
INSERT INTO evaluation_decision (id, signal_id, evaluation, model, status, claimed_at, claims, attempts, decision, confidence, fallback,
       reason, answer, original, adjustments, prompt_version, prompt_hash, payload_hash, schema_hash, model_meta, evaluated_at)
SELECT pg_temp.id_of(at, place::int, n), id, 0, model, CASE WHEN (n + place) %% 33 = 0 THEN 'timeout' ELSE 'ok' END, at, 1, 0,
       (ARRAY['HOLD', 'FOLLOW_ENTER', 'IGNORE'])[n %% 3 + 1], (n %% 100) / 100.0, false, '',
       jsonb_build_object('reasons', jsonb_build_array('ema_bullish_stack'), 'size_pct', 12), '{}', '[]', 'core_v1', repeat('0', 64),
       repeat('0', 64), repeat('0', 64),
       jsonb_build_object('latency_ms', n %% 4000, 'tokens_in', 1200, 'tokens_out', 100, 'cost_usd', 0.002), at + interval '1 s'
  FROM made, unnest(ARRAY['left', 'right']) WITH ORDINALITY models(model, place);
INSERT INTO evaluation_modelcall (decision_id, attempt, claim, repair, outcome, model_version, request_id, finish_reason, latency_ms,
       tokens_in, tokens_out, structured, raw_text, raw_hash, error)
SELECT id, 0, 1, false, status, '', '', 'stop', 900, 1200, 100, 'strict_schema', repeat('x', 300), '', '' FROM evaluation_decision;
INSERT INTO evaluation_verdict (id, signal_id, evaluation, decision, confidence, fallback, reason, policy, policy_version, votes,
       disagreement, evaluated_at)
SELECT pg_temp.id_of(at, 4, n), id, 0, 'IGNORE', 0.5, false, '', 'majority', 1,
       '[{"model": "left", "status": "ok"}, {"model": "right", "status": "ok"}]', 0, at + interval '1 s'
  FROM made;
INSERT INTO enrichment_enrichment (signal_id, evaluation, profile, provider, payload, payload_hash, series, quality_flags, quality_score,
       provenance, duration_ms, enriched_at)
SELECT id, 0, CASE WHEN n %% 10 = 0 THEN 'full_v1' ELSE 'trend_follow_v1' END, 'sandbox', repeat('x', 500), repeat('0', 64), '', '[]', 1,
       '{}', 12, at
  FROM made;
INSERT INTO audit_timelineentry (event_id, status, timestamp, details)
SELECT id, status, at, '{}' FROM made, unnest(ARRAY['received', 'enriched', 'published']) status;
INSERT INTO audit_deadletter (id, event_id, stage, reason_code, error_type, error_message, fingerprint, traceback, payload, attempts,
       retry_count, status, created_at, resolved_by, resolution_note)
SELECT pg_temp.id_of(at, 5, n), id, (ARRAY['enrich', 'evaluate', 'conclude', 'webhook'])[n %% 4 + 1],
       (ARRAY['timeout', 'provider_down', 'rate_limited'])[n %% 3 + 1], 'Transient', 'It was late.', lpad(to_hex(n %% 50), 16, '0'), '',
       '{}', 6, 0, CASE WHEN n %% 100 = 0 THEN 'open' WHEN n %% 7 = 0 THEN 'discarded' ELSE 'resolved' END, at, '', ''
  FROM made;
INSERT INTO audit_letteract (letter_id, status, actor, note, at)
SELECT id, status, 'bench', '', created_at FROM audit_deadletter WHERE status <> 'open';
INSERT INTO publishing_streamhead (id, epoch, last_seq) VALUES (1, 'bench', %(signals)s)
    ON CONFLICT (id) DO UPDATE SET epoch = 'bench', last_seq = %(signals)s;
INSERT INTO publishing_frame (seq, epoch, kind, event_id, evaluation, model, symbol, event_type, source, payload, created_at)
SELECT %(signals)s - n + 1, 'bench', 'verdict', id, 0, '', symbol, 'OPEN_SIGNAL', source,
       jsonb_build_object('valid_until', '2026-01-01T00:00:00.000Z', 'event_id', id, 'decision', 'IGNORE'), at
  FROM made;
INSERT INTO publishing_webhookendpoint (id, name, url, filter, max_in_flight, state, reason, salt, fingerprint, previous_salt, position,
       last_seq, failures, last_error)
SELECT gen_random_uuid(), name, 'https://example.org/hook', '{}', 1, 'paused', '', '', '', '', 0, 0, 0, ''
  FROM unnest(ARRAY['north', 'south']) name;
INSERT INTO publishing_webhookdelivery (endpoint_id, epoch, seq, prev_seq, event_id, state, next_attempt_at, attempts, history, created_at,
       ended_at)
SELECT endpoint.id, 'bench', n, n - 1, made.id, CASE WHEN n %% 200 = 0 THEN 'dead' WHEN n <= 500 THEN 'pending' ELSE 'delivered' END, NULL, 1,
       '[]', at, CASE WHEN n > 500 THEN at END
  FROM made JOIN publishing_webhookendpoint endpoint ON (endpoint.name = 'north') = (n %% 10 <> 0);
INSERT INTO publishing_receipt (event_id, decision_id, caller, name, state, reason, client_order_id, created_at)
SELECT id, pg_temp.id_of(at, 1, n), 'key:bench', 'executor', 'acted', '', '', at FROM made WHERE n %% 5 = 0;

SET session_replication_role = DEFAULT;
