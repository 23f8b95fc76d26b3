"""How many decision sockets are open, over all processes: the gauge they all keep, read where they all write it."""

import os

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector

NAME = "lens_ws_clients"


def open_sockets() -> int:
    """0 when none was ever opened."""
    return int(sum(sample.value for metric in _registry().collect() for sample in metric.samples if sample.name == NAME))


def _registry() -> CollectorRegistry:
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the package types most of itself
    return registry
