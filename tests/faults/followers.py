"""Executors of the simplest kind: keep the last seq, come back after every fall, write down each frame."""

import json
import random
import threading
import time
from typing import Any

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from tests.stack import Lens


class Follower(threading.Thread):
    """Reads the whole stream from `since` on, now at one socket process, now at another."""

    def __init__(self, lens: Lens, seed: int) -> None:
        super().__init__(daemon=True)
        self.lens, self.random = lens, random.Random(seed)
        self.seqs: list[int] = []
        self.falls = 0
        self.resyncs = 0
        self._head = lens.head()
        self._stopped = threading.Event()

    def run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._read()
            except (WebSocketException, OSError, TimeoutError):
                self.falls += 1
                time.sleep(self.random.uniform(0.1, 0.5))

    def caught_up(self, seq: int, within: float) -> bool:
        """Whether it has heard that seq in time."""
        ends = time.monotonic() + within
        while time.monotonic() < ends and (not self.seqs or self.seqs[-1] < seq):
            time.sleep(0.1)
        return bool(self.seqs) and self.seqs[-1] >= seq

    def stop(self) -> None:
        """Ends with the next frame or fall."""
        self._stopped.set()

    def _read(self) -> None:
        url = self.random.choice(self.lens.facts["ws"]) + "/ws/decisions"
        with connect(url, additional_headers=self.lens.headers, open_timeout=5, close_timeout=1) as socket:
            since = {"epoch": self._head["epoch"], "seq": self.seqs[-1] if self.seqs else self._head["head_seq"]}
            socket.send(json.dumps({"op": "subscribe", "id": 1, "filter": {}, "since": since}))
            while not self._stopped.is_set():
                self._note(json.loads(socket.recv(timeout=15)))

    def _note(self, frame: dict[str, Any]) -> None:
        if frame["type"] == "error":
            raise ConnectionError(frame["message"])
        if frame["type"] in {"decision", "verdict"}:
            self.seqs.append(frame["seq"])
        self.resyncs += frame["type"] == "resync"
