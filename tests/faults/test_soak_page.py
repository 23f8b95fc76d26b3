"""The soak's papers: what its sampler writes is read back, and drawn where it belongs."""

import os
import socket
from pathlib import Path
from xml.etree import ElementTree

from bench.meter import handles
from tests.faults.account import Account
from tests.faults.drawing import picture, ticks
from tests.faults.samples import lines, read
from tests.faults.soak_page import Minute, Soaked, write

SVG = "{http://www.w3.org/2000/svg}"
CSV = """at_s,process,figure,value
0.0,web-0,memory,50.5
0.0,redis,memory,7.1
5.0,web-0,memory,51
5.0,web-0,lag,0
60.0,web-0,memory,52
65.0,web-0,mem"""


def account(**changes: float) -> Account:
    figures = dict.fromkeys(Account.__dataclass_fields__, 0) | {"accepted": 600, "published": 600}
    return Account(**{**figures, **changes})  # type: ignore[arg-type]


def parsed(drawn: str) -> ElementTree.Element:
    return ElementTree.fromstring(drawn)  # noqa: S314  our own


def test_samples_are_read_back_without_the_line_a_crash_cut_short(tmp_path: Path) -> None:
    file = tmp_path / "soak.csv"
    file.write_text(CSV)
    assert lines(read(file), "memory") == {"web-0": [(0, 50.5), (5, 51), (60, 52)], "redis": [(0, 7.1)]}


def test_a_line_is_drawn_to_scale_and_broken_where_nothing_was_seen() -> None:
    drawn = parsed(picture("Memory <MB>", {"web-0": [(0, 50), (5, 100), (300, 0), (305, 0)]}, [(5, "kill -9 web-0")]))
    assert drawn.get("aria-label") == "Memory <MB>"
    first, second = (line.get("points", "").split() for line in drawn.iter(f"{SVG}polyline"))
    assert [point.partition(",")[2] for point in first] == ["152.0", "34.0"]
    assert [point.partition(",")[2] for point in second] == ["270.0", "270.0"]
    assert [title.text for title in drawn.iter(f"{SVG}title")] == ["kill -9 web-0"]


def test_many_points_become_few_without_losing_a_peak() -> None:
    drawn = picture("Lag", {"lag": [(float(at), 900.0 if at == 7_777 else 1.0) for at in range(20_000)]})
    (line,) = parsed(drawn).iter(f"{SVG}polyline")
    points = line.get("points", "").split()
    assert len(points) <= 400
    assert any(float(point.partition(",")[2]) < 80 for point in points)


def test_ticks_are_round() -> None:
    assert ticks(10) == [0, 2, 4, 6, 8, 10]
    assert ticks(0.9) == [0, 0.2, 0.4, 0.6000000000000001, 0.8]


def test_the_page_counts_by_fault_and_shows_every_picture(tmp_path: Path) -> None:
    (tmp_path / "soak.csv").write_text(CSV)
    dead = Minute("venue malformed", account(published=590, dlq=10), may_die=True)
    minutes = [Minute("kill -9 web-0", account(), may_die=False), Minute("kill -9 web-0", account(p99_s=3.5), may_die=False), dead]
    write(Soaked(minutes, 10, [(30, "kill -9 web-0")], [2, 3], 0), read(tmp_path / "soak.csv"), tmp_path)
    page = (tmp_path / "soak.md").read_text()
    assert "| kill -9 web-0 | 2 | 1200 | 1200 | 0 | 0 |" in page
    assert "| venue malformed † | 1 | 600 | 590 | 0 | 10 |" in page
    assert "3 of 3 minutes kept every promise. 2 executors" in page
    assert all(
        (tmp_path / "soak" / f"{name}.svg").exists() == (f"soak/{name}.svg" in page) for name in ("memory", "lag", "handles")
    )
    assert not Minute("kill -9 web-0", account(dlq=1), may_die=False).whole


def test_a_process_tells_its_handles_and_its_connections_by_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        before = handles(os.getpid(), [port])
        with socket.create_connection(("127.0.0.1", port)):
            during = handles(os.getpid(), [port, 1])
    assert before.connections == {port: 0}
    assert during.files > before.files
    assert during.connections == {port: 1, 1: 0}
