"""A secret is in the environment or in the file it names, and nowhere in an error."""

from pathlib import Path

import pytest

from core.secret import SecretError, secret


def test_it_is_the_variables_value_or_the_files_text_and_may_be_absent(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("  sk-1\r\n")
    assert secret("KEY", {"KEY": "sk-0"}) == "sk-0"
    assert secret("KEY", {"KEY": "", "KEY_FILE": str(tmp_path / "key")}) == "sk-1"
    assert secret("KEY", {"KEY_FILE": ""}) == ""


def test_what_cannot_be_read_is_told_by_the_variables_name_alone(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text(" \n")
    (tmp_path / "binary").write_bytes(b"canary\xff")
    faults = {
        "are both set": {"KEY": "canary", "KEY_FILE": "/x"},
        "No such file": {"KEY_FILE": str(tmp_path / "none")},
        "s a directory": {"KEY_FILE": str(tmp_path)},
        "is empty": {"KEY_FILE": str(tmp_path / "empty")},
        "no UTF-8": {"KEY_FILE": str(tmp_path / "binary")},
    }
    for says, environ in faults.items():
        with pytest.raises(SecretError, match=f"KEY_FILE.*{says}") as refused:
            secret("KEY", environ)
        assert "canary" not in str(refused.value)
