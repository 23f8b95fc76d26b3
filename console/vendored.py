"""The libraries in `static/console/vendor`, by the manifest beside them: where each file is, and the hash a browser must find."""

import json
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).parent / "static" / "console" / "vendor"
MANIFEST = FOLDER / "VENDOR.json"


class VendoredFile(NamedTuple):
    """A file's path under the static root, its Subresource Integrity and its SHA-256."""

    path: str
    integrity: str
    sha256: str


@cache
def vendored_files() -> dict[str, VendoredFile]:
    """By file name, licences as `<package>/LICENSE`."""
    packages: list[dict[str, Any]] = json.loads(MANIFEST.read_text())["packages"]
    return {
        (f"{package['name']}/{name}" if name == "LICENSE" else name): VendoredFile(
            f"console/vendor/{package['folder']}/{name}", hashes["integrity"], hashes["sha256"]
        )
        for package in packages
        for name, hashes in package["files"].items()
    }
