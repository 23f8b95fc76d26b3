"""A secret is in the environment or in the file it names, and nowhere in an error."""

import json
import time
from pathlib import Path

import pytest

from core.secret import MARK, SecretError, blotted, secret

KEY = "sk-canary/7f3a+9c51"


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


@pytest.mark.parametrize(
    "spelled",
    [
        KEY,
        KEY.replace("/", "\\/"),
        KEY.replace("+", "\\u002B"),
        json.dumps(KEY.replace("/", "\\/"))[1:-1],
        "".join(f"\\u{ord(letter):04x}" for letter in KEY),
    ],
)
def test_a_secret_is_marked_out_however_json_spells_it_and_nothing_else_changes(spelled: str) -> None:
    around = 'é \\n "\\u00e9" \\/ \ud800 sk-canary'
    assert blotted(f"{around}{spelled}{around}", KEY) == f"{around}{MARK}{around}"
    assert blotted(around, KEY) == around


def test_a_word_is_no_secret() -> None:
    assert blotted("the sandbox, none", "sandbox") == "the sandbox, none"
    assert blotted("anything", "") == "anything"


@pytest.mark.parametrize("hostile", ["\\" * 1_000_000 + "\\u00", "\\u00" * 250_000, "sk-canary\\/" * 100_000])
def test_a_hostile_text_is_looked_through_in_one_pass(hostile: str) -> None:
    began = time.process_time()
    assert blotted(hostile, KEY) == hostile
    assert time.process_time() - began < 5
