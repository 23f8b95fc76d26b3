"""Is the embedded database already migrated? Asking Django costs seconds on every start; a mark on the database costs none.

After `manage.py migrate` the database's comment is set to a digest of every migration file, of the pinned requirements (they
bring migrations too) and of the rows Django keeps about migrations applied. The same digest next time: nothing to do.
"""

import hashlib
from pathlib import Path

import psycopg
from psycopg import sql


def is_marked(url: str, root: Path) -> bool:
    """Whether the database at `url` carries the mark of the code in `root`."""
    with psycopg.connect(url) as connection:
        query = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()"
        row = connection.execute(query).fetchone()
        return row is not None and row[0] is not None and row[0] == _mark(connection, root)


def mark(url: str, root: Path) -> None:
    """To be called when `manage.py migrate` has succeeded."""
    with psycopg.connect(url) as connection:
        database = sql.Identifier(connection.info.dbname)
        comment = sql.Literal(_mark(connection, root))
        connection.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(database, comment))


def _mark(connection: "psycopg.Connection[tuple[object, ...]]", root: Path) -> str | None:
    if connection.execute("SELECT to_regclass('django_migrations')").fetchone() == (None,):
        return None
    digest = hashlib.sha256()
    for file in (*sorted(root.glob("*/migrations/*.py")), root / "requirements.txt"):
        digest.update(str(file.relative_to(root)).encode() + b"\0" + file.read_bytes())
    applied = connection.execute("SELECT count(*), max(id) FROM django_migrations").fetchone()
    return f"migrated {digest.hexdigest()} {applied}"
