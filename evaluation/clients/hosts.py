"""To which addresses prompts and keys may be sent. Pure.

A rule is a word (`vendors`, `loopback`, `private`), a host name, `*.` and a domain, or an address or network. A host that is named
is trusted wherever its name leads; names nobody listed are refused, so there is nothing to look up.
"""

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

HOMES: Final[Mapping[str, str]] = {
    "openai": "https://api.openai.com/v1",
    "google": "https://generativelanguage.googleapis.com",
    "anthropic": "https://api.anthropic.com",
}
VENDORS: Final = ("*.openai.com", "generativelanguage.googleapis.com", "api.anthropic.com", "api.deepseek.com")


def home_of(vendor: str) -> str:
    """The vendor's own address; empty when it has none."""
    return HOMES.get(vendor, "")


def trusted(url: str, rules: Iterable[str]) -> bool:
    """Whether a rule allows this http(s) address. A vendor is spoken to over https alone."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".")
    except ValueError:
        return False
    return bool(host) and any(_allows(rule, host, secure=parts.scheme == "https") for rule in rules)


def _allows(rule: str, host: str, *, secure: bool) -> bool:
    address = _address(host)
    match rule:
        case "vendors":
            return secure and any(_named(name, host) for name in VENDORS)
        case "loopback":
            return host == "localhost" or (address is not None and address.is_loopback)
        case "private":
            return address is not None and address.is_private and not address.is_link_local and not address.is_unspecified
    network = _network(rule)
    if network is not None:
        return address is not None and address in network
    return _named(rule, host)


def _named(rule: str, host: str) -> bool:
    return host.endswith(rule[1:].lower()) if rule.startswith("*.") else host == rule.lower()


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _network(rule: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(rule, strict=False)
    except ValueError:
        return None
