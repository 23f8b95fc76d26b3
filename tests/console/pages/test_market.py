"""The frozen market in tables, made from payloads as enrichment really assembles them."""

import json

from console.pages.market import NOTHING, Table, dropped, tables
from core.errors import Transient
from tests.enrichment.frozen import snapshot
from tests.enrichment.test_assembly import signal, text_of


def seen(text: str) -> dict[str, Table]:
    return {table.title: table for table in tables(text)}


def test_everything_a_full_profile_tells_has_its_place() -> None:
    found = seen(text_of(signal(), snapshot("full_v1")))
    assert list(found) == ["Timeframes", "Levels, 1h", "Order book", "Derivatives", "Price", "Limits told"]
    assert found["Timeframes"].columns == ("15m", "1h", "4h")
    assert found["Timeframes"].rows[0] == ("regime", ["TREND_UP"] * 3)
    book = dict(found["Order book"].rows)
    assert {"imbalance.1pct", "imbalance.5pct", "depth_usd", "slippage_bps", "microprice_bps"} <= set(book)
    assert dict(found["Derivatives"].rows)["funding_1h"] == ["0.0000125"]


def test_every_leaf_of_these_parts_is_shown() -> None:
    text = text_of(signal(), snapshot("full_v1"))
    held = json.loads(text)
    frames = dict(seen(text)["Timeframes"].rows)
    assert set(frames) == {name for values in held["timeframes"].values() for name in values}
    assert len(seen(text)["Levels, 1h"].rows) == len(held["levels"]["support"]) + len(held["levels"]["resistance"])


def test_levels_are_a_ladder_around_the_price() -> None:
    rows = seen(text_of(signal(), snapshot("full_v1")))["Levels, 1h"].rows
    prices = [float(values[0]) for _, values in rows]
    assert prices == sorted(prices, reverse=True)
    sides = [name.partition(",")[0] for name, _ in rows]
    assert sides == sorted(sides)
    assert "support, was resistance" in dict(rows)


def test_what_could_not_be_had_is_a_dash_in_its_place() -> None:
    gone = Transient("timeout", "slow")
    found = seen(text_of(signal(), snapshot("full_v1", context=gone, readings={"1h": gone})))
    assert dict(found["Derivatives"].rows)["mark"] == [NOTHING]
    assert "Levels, 1h" not in found


def test_what_was_left_out_is_named() -> None:
    assert dropped('{"dropped":["cci","levels"]}') == ["cci", "levels"]
    assert dropped("{}") == dropped('{"dropped":1}') == []


def test_a_payload_of_another_shape_breaks_nothing() -> None:
    odd = '{"timeframes":{"1h":7,"x":null},"levels":{"support":[1,{"price":"a"}],"resistance":{}},"market":[],"order_book":"<b>"}'
    assert tables(odd) == []
