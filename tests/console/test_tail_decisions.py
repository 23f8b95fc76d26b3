"""The stream on a terminal: the same frames as on a socket, exit codes that scripts can rely on, clean ends."""

import json
import os
import signal as signals_of_the_system
import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from console.lines import line
from publishing import selectors
from publishing.models import Frame
from signals.models import Signal
from tests.publishing.conftest import models, publish

__all__ = ["models", "publish"]

ROOT = Path(__file__).resolve().parents[2]
Publish = Callable[..., Signal]


def tail(*arguments: str) -> list[str]:
    out = StringIO()
    call_command("tail_decisions", "--no-follow", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue().splitlines()


def seqs(*arguments: str) -> list[int]:
    return [json.loads(text)["seq"] for text in tail("--json", *arguments)]


@pytest.mark.django_db(transaction=True)
def test_the_newest_frames_or_all_after_a_seq_chained_as_on_a_socket(publish: Publish) -> None:
    for _ in range(12):
        publish()
    head = selectors.log().head
    assert seqs() == list(range(head - 9, head + 1))
    frames = [json.loads(text) for text in tail("--json", "--since", str(head - 3))]
    assert [(frame["seq"], frame["prev_seq"]) for frame in frames] == [(head - 2, head - 3), (head - 1, head - 2), (head, head - 1)]
    assert seqs("--since", str(head)) == []


@pytest.mark.django_db(transaction=True)
def test_filters_speak_the_sockets_grammar(publish: Publish, models: None) -> None:
    publish(symbol="BTC")
    publish("gemini", symbol="ETH")
    head = selectors.log().head
    assert seqs("--symbol", "eth-perp") == [head]
    assert seqs("--model", "chatgpt") == [head - 1]
    assert seqs("--symbol", "BTC", "--symbol", "ETH", "--kind", "decision") == [head - 1, head]
    assert seqs("--kind", "verdict") == []


@pytest.mark.django_db(transaction=True)
def test_people_see_time_place_and_judgement(publish: Publish) -> None:
    publish()
    (shown,) = tail("--since", str(selectors.log().head - 1))
    frame = json.loads(selectors.read(selectors.log().head - 1, 1).frames[0].rest)
    assert shown.startswith(frame["published_at"])
    assert [word for word in ("BTC open", "chatgpt", "FOLLOW_ENTER", "0.62", "ema_bullish_stack") if word not in shown] == []


def test_hostile_text_does_not_reach_the_terminal() -> None:
    frame: dict[str, Any] = {
        "published_at": "2026-01-05T09:00:04.510Z",
        "seq": 1,
        "symbol": "BTC\x1b[2J",
        "event_type": "OPEN_SIGNAL",
        "model": None,
        "decision": "IGNORE",
        "confidence": None,
        "stale": True,
        "fallback": True,
        "data": {"reason": "x\r\n"},
    }
    shown = line(frame)
    assert "stale, fallback, x" in shown
    assert shown.isprintable()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--kind", "gossip"], "--kind: "),
        (["--model", "hal"], "no such model: hal"),
        (["--symbol", "USD PERP!"], "--symbol: "),
        (["--since", "-1"], "--since: "),
        (["--since", "99999999"], "the log ends at"),
        (["--since", str(2**70)], "--since: "),
    ],
)
def test_what_makes_no_sense_is_refused_with_code_2(arguments: list[str], says: str) -> None:
    with pytest.raises(CommandError, match=says) as refused:
        tail(*arguments)
    assert refused.value.returncode == 2


@pytest.mark.django_db(transaction=True)
def test_what_retention_took_is_said_and_passed_over(publish: Publish) -> None:
    publish()
    publish()
    head = selectors.log().head
    Frame.objects.filter(seq__lt=head).delete()
    out, err = StringIO(), StringIO()
    call_command("tail_decisions", "--no-follow", "--json", "--since", "0", stdout=out, stderr=err)
    assert json.loads(out.getvalue())["prev_seq"] == head - 1
    assert f"Frames up to {head - 1} are no longer kept." in err.getvalue()


def started(*arguments: str, **environ: str) -> "subprocess.Popen[str]":
    there = urlsplit(os.environ["DATABASE_URL"])._replace(path="/" + connection.settings_dict["NAME"])
    settings = {"DATABASE_URL": urlunsplit(there), "DJANGO_SETTINGS_MODULE": "lens_project.settings.test"}
    settings["PYTHONFAULTHANDLER"] = "1"
    argv = [sys.executable, "manage.py", "tail_decisions", "--json", *arguments]
    return subprocess.Popen(
        argv, cwd=ROOT, env={**os.environ, **settings, **environ}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.django_db(transaction=True)
def test_it_follows_and_ends_well_on_ctrl_c_and_on_a_closed_pipe(publish: Publish) -> None:
    publish()
    listeners = [started("--since", "0") for _ in range(2)]
    try:
        for number in (1, 2):
            assert [json.loads(said(listener))["seq"] for listener in listeners] == [number, number]
            publish()
        interrupted, closed = listeners
        interrupted.send_signal(signals_of_the_system.SIGINT)
        assert closed.stdout is not None
        closed.stdout.close()
        publish()
        assert [ended(listener) for listener in listeners] == [(0, ""), (0, "")]
    finally:
        for listener in listeners:
            listener.kill()
            listener.wait()
            for pipe in (listener.stdout, listener.stderr):
                assert pipe is not None
                pipe.close()


@pytest.mark.django_db(transaction=True)
def test_without_redis_it_follows_by_its_own_clock_and_complains_of_nothing(publish: Publish) -> None:
    publish()
    alone = started("--since", "0", REDIS_URL="redis://127.0.0.1:1")
    try:
        for number in (1, 2, 3):
            assert json.loads(said(alone))["seq"] == number
            publish()
        alone.send_signal(signals_of_the_system.SIGINT)
        assert ended(alone) == (0, "")
    finally:
        alone.kill()
        alone.communicate()


def ended(listener: "subprocess.Popen[str]") -> tuple[int, str]:
    """How it ended; one that does not end is made to say where it stands."""
    try:
        return listener.wait(timeout=30), complaints(listener)
    except subprocess.TimeoutExpired:
        listener.send_signal(signals_of_the_system.SIGABRT)
        return listener.wait(timeout=30), complaints(listener)


def said(listener: "subprocess.Popen[str]") -> str:
    assert listener.stdout is not None
    return listener.stdout.readline() or complaints(listener)


def complaints(listener: "subprocess.Popen[str]") -> str:
    assert listener.stderr is not None
    return listener.stderr.read()


def test_without_a_database_the_code_is_4() -> None:
    away = started("--no-follow", DATABASE_URL="postgres://nobody@127.0.0.1:1/none")
    _, complaint = away.communicate(timeout=30)
    assert (away.returncode, "The database does not answer" in complaint) == (4, True)
