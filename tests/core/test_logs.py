"""Logs carry the ids and never a key."""

import io
import json
import logging
import logging.config

from django.test import RequestFactory

from core.logs import log_context, logging_config, redact, request_id_of

KEY = "lens_0a1b2c3d_" + "S" * 43


def test_keys_are_blotted_out() -> None:
    for text in (f"refused {KEY} today", f"Authorization: Bearer {KEY}", f"x-api-key: {KEY}"):
        assert "SSSS" not in redact(text)
        assert redact(text) != text


def test_a_line_is_json_with_the_ids_in_force() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    config = logging_config("INFO")
    filters = logging.config.DictConfigurator(config).configure_filter({"()": "core.logs.ContextFilter"})
    handler.addFilter(filters)
    handler.setFormatter(logging.config.DictConfigurator(config).configure_formatter(config["formatters"]["json"]))
    logger = logging.Logger("test")
    logger.addHandler(handler)
    with log_context(event_id="e1", stage="enrich"):
        logger.info("key %s", KEY)
    line = json.loads(stream.getvalue())
    assert (line["event_id"], line["stage"], line["level"], line["logger"]) == ("e1", "enrich", "INFO", "test")
    assert "SSSS" not in line["message"]


def test_a_sane_request_id_is_kept_and_an_odd_one_replaced() -> None:
    sane = RequestFactory().get("/", headers={"X-Request-ID": "abc-12345678"})
    odd = RequestFactory().get("/", headers={"X-Request-ID": "a\nb" * 40})
    assert request_id_of(sane) == "abc-12345678"
    assert len(request_id_of(odd)) == 36
    assert request_id_of(odd) == request_id_of(odd)
