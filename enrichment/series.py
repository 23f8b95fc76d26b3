"""The newest bars a reading was made from, as compact text for people to look at. Pure; no model reads it.

`{"interval":"15m","bars":[[open time in epoch seconds, open, high, low, close, volume], …]}`, oldest first, prices exactly as the
venue stated them. Bars the venue left out stay out. About 5 KB, made once per bar close and shared by every signal that saw it.
"""

from core.money import plain
from enrichment.ports import Candle, Candles

KEPT = 96


def drawn(candles: Candles) -> str:
    """The last `KEPT` bars; empty when there are none."""
    if not candles:
        return ""
    return f'{{"interval":"{candles.interval}","bars":[{",".join(map(_bar, candles.last(KEPT).bars))}]}}'


def _bar(bar: Candle) -> str:
    numbers = ",".join(plain(number) for number in (bar.open, bar.high, bar.low, bar.close, bar.volume))
    return f"[{int(bar.open_time.timestamp())},{numbers}]"
