"""The libraries in the repository are the ones the manifest names, byte for byte, and nothing else lies beside them."""

import base64
import hashlib
import json

from console.vendored import FOLDER, MANIFEST, vendored_files


def test_every_file_has_the_hashes_of_the_manifest() -> None:
    static = FOLDER.parents[1]
    for name, file in vendored_files().items():
        content = (static / file.path).read_bytes()
        assert hashlib.sha256(content).hexdigest() == file.sha256, name
        assert "sha384-" + base64.b64encode(hashlib.sha384(content).digest()).decode() == file.integrity, name


def test_nothing_lies_in_the_folder_that_the_manifest_does_not_name() -> None:
    present = {path.relative_to(FOLDER.parents[1]).as_posix() for path in FOLDER.rglob("*") if path.is_file()}
    named = {file.path for file in vendored_files().values()}
    assert present - named == {"console/vendor/VENDOR.json", "console/vendor/README.md"}
    assert named <= present


def test_every_package_brings_its_licence_and_says_where_it_is_from() -> None:
    for package in json.loads(MANIFEST.read_text())["packages"]:
        assert "LICENSE" in package["files"]
        assert package["source"].startswith("https://registry.npmjs.org/")
        assert package["version"] in package["folder"]
