"""To which addresses prompts and keys may go."""

import pytest

from evaluation.clients.hosts import HOMES, trusted
from lens_project.settings.loading import SettingsError, load

DEFAULT = ("vendors", "loopback")


@pytest.mark.parametrize(
    ("url", "rules"),
    [
        *((home, DEFAULT) for home in HOMES.values()),
        ("https://api.deepseek.com/v1", DEFAULT),
        ("https://eu.api.openai.com/v1", DEFAULT),
        ("http://127.0.0.1:9000/v1", DEFAULT),
        ("http://127.8.0.1/v1", DEFAULT),
        ("http://localhost:11434/v1", DEFAULT),
        ("http://[::1]:8080/v1", DEFAULT),
        ("http://10.0.0.7:8000/v1", ("private",)),
        ("http://192.168.1.9/v1", ("192.168.1.0/24",)),
        ("http://[fd00::7]/v1", ("fd00::/8",)),
        ("http://ollama:11434/v1", ("ollama",)),
        ("https://a.models.example/v1", ("*.models.example",)),
        ("https://API.OpenAI.com./v1", DEFAULT),
    ],
)
def test_allowed(url: str, rules: tuple[str, ...]) -> None:
    assert trusted(url, rules)


@pytest.mark.parametrize(
    ("url", "rules"),
    [
        ("http://api.openai.com/v1", DEFAULT),
        ("https://evil.example/v1", DEFAULT),
        ("https://api.openai.com.evil.example/v1", DEFAULT),
        ("https://evilopenai.com/v1", DEFAULT),
        ("http://10.0.0.7/v1", DEFAULT),
        ("http://0.0.0.0/v1", ("private",)),
        ("http://169.254.169.254/latest", ("vendors", "loopback", "private")),
        ("http://[::ffff:10.0.0.7]/v1", DEFAULT),
        ("http://ollama:11434/v1", DEFAULT),
        ("http://192.168.2.9/v1", ("192.168.1.0/24",)),
        ("https://models.example/v1", ("*.models.example",)),
        ("http://[::1/v1", DEFAULT),
        ("http:///v1", DEFAULT),
        ("", DEFAULT),
        ("http://127.0.0.1/v1", ()),
    ],
)
def test_refused(url: str, rules: tuple[str, ...]) -> None:
    assert not trusted(url, rules)


def test_the_setting_is_a_list_of_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LENS_MODEL_HOSTS", "vendors, ollama,10.0.0.0/8,*.models.example,fd00::/8")
    assert load().lens.model_hosts == ("vendors", "ollama", "10.0.0.0/8", "*.models.example", "fd00::/8")


@pytest.mark.parametrize("value", ["http://ollama", "a b", "ollama/v1", "*", "vendors;loopback"])
def test_what_is_no_rule_stops_the_start(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("LENS_MODEL_HOSTS", value)
    with pytest.raises(SettingsError, match="LENS_MODEL_HOSTS"):
        load()
