"""What statements cost inside PostgreSQL: each one is explained, rolled back, then run for good."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, transaction

_READABLE = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")


@dataclass
class Cost:
    """Statements, milliseconds of planning and executing them, and the pages (8 kB) they touched, wherever those were."""

    statements: int = 0
    ms: float = 0
    pages: int = 0
    dearest: tuple[float, str] = field(default=(0.0, ""))

    def add(self, sql: str, plan: dict[str, Any]) -> None:
        """One statement more."""
        top = plan["Plan"]
        ms = plan["Planning Time"] + plan["Execution Time"]
        self.statements += 1
        self.ms += ms
        self.pages += top["Shared Hit Blocks"] + top["Shared Read Blocks"]
        self.dearest = max(self.dearest, (ms, sql))


@contextmanager
def explained() -> Iterator[Cost]:
    """The cost of every statement made inside."""
    cost = Cost()

    def look(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        if sql.lstrip().startswith(_READABLE) and not many:
            with transaction.atomic():
                execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", params, many, context)
                (answer,) = context["cursor"].fetchone()
                transaction.set_rollback(True)
            cost.add(sql, (json.loads(answer) if isinstance(answer, str) else answer)[0])
        return execute(sql, params, many, context)

    with connection.execute_wrapper(look):
        yield cost
