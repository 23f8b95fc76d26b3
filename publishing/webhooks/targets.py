"""Where posts may go. Names are judged by the addresses they resolve to, when the endpoint is saved and again for each connection,
which then goes to an address that was judged: a name that changes its mind in between gains nothing.
"""

import socket
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, urlsplit

import httpx2

from core.errors import Transient

Address = IPv4Address | IPv6Address
Networks = tuple[IPv4Network | IPv6Network, ...]
Resolve = Callable[[str, int], list[Address]]

PORTS = {"http": 80, "https": 443}
_NAT64 = IPv6Network("64:ff9b::/96")


def resolve(host: str, port: int) -> list[Address]:
    """Every address of a name, as the system knows it. Raises Transient unknown_host. Blocking."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Transient("unknown_host", f"{host} cannot be resolved.") from error
    return list(dict.fromkeys(ip_address(str(entry[4][0]).partition("%")[0]) for entry in found))


def admit(addresses: Iterable[Address], allowed: Networks, *, public: bool) -> list[Address]:
    """The addresses, if every one may be connected to. Raises Transient target_refused: one bad one spoils the name."""
    checked = list(addresses)
    for address in checked:
        if not (_within(address, allowed) or (public and _is_public(address))):
            raise Transient("target_refused", f"{address} is no public address, or is not reached over https.")
    return checked


def parse_target(url: str) -> SplitResult:
    """The parts of an address to post to. Raises ValueError with a sentence for the person who typed it."""
    if not url.isprintable() or " " in url:
        raise ValueError("The address holds characters that do not belong in one.")
    parts = urlsplit(url)
    if parts.scheme not in PORTS or not parts.hostname:
        raise ValueError("Give a whole address: https://host/path.")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise ValueError("Leave out user, password and fragment: posts are signed instead.")
    if parts.port == 0:
        raise ValueError("Port 0 cannot be called.")
    try:
        httpx2.URL(url)
    except httpx2.InvalidURL as error:
        raise ValueError(f"Nothing can be sent to this address: {error}") from error
    return parts


def check_target(url: str, allowed: Networks, find: Resolve = resolve) -> None:
    """Whether posts may go there now. Raises ValueError."""
    parts = parse_target(url)
    try:
        admit(find(str(parts.hostname), parts.port or PORTS[parts.scheme]), allowed, public=parts.scheme == "https")
    except Transient as refusal:
        raise ValueError(refusal.detail) from refusal


def _within(address: Address, networks: Networks) -> bool:
    return any(address in network for network in networks if network.version == address.version)


def _is_public(address: Address) -> bool:
    """Reachable by everybody, and so is any older address it wraps."""
    inner = _wrapped(address) if isinstance(address, IPv6Address) else None
    if inner is not None:
        return _is_public(inner)
    odd = address.is_multicast or address.is_reserved or address.is_unspecified
    return address.is_global and not odd and not (isinstance(address, IPv6Address) and address.is_site_local)


def _wrapped(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address inside an IPv4-mapped, 6to4, Teredo or NAT64 one."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo and address.teredo[1]) or None
