"""Where a request comes from. `X-Forwarded-For` is believed only as far as trusted proxies vouch for it."""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address

from django.conf import settings
from django.http import HttpRequest
from rest_framework.request import Request

Address = IPv4Address | IPv6Address

_WITH_PORT = re.compile(r"\[([^\]]+)\](?::\d+)?|(\d+\.\d+\.\d+\.\d+):\d+")


def parse_address(text: str) -> Address | None:
    """An address as proxies write it, a port left off and IPv4 inside IPv6 taken out; None when it is none."""
    found = _WITH_PORT.fullmatch(text.strip())
    try:
        address = ip_address((found[1] or found[2]) if found else text.strip())
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def peer_address(socket_peer: str, forwarded_for: str) -> str:
    """The nearest address that is no trusted proxy of ours: from the socket, then along `X-Forwarded-For` from the right.

    Empty when a trusted proxy passed on something that is no address: whoever that was, it is not the proxy.
    """
    hops = [hop for hop in forwarded_for.split(",") if hop.strip()]
    address = parse_address(socket_peer)
    while hops and address is not None and _is_proxy(address):
        address = parse_address(hops.pop())
    return "" if address is None else str(address)


def peer_of(request: HttpRequest | Request) -> str:
    """The peer of an HTTP request."""
    return peer_address(request.META.get("REMOTE_ADDR", ""), request.META.get("HTTP_X_FORWARDED_FOR", ""))


def _is_proxy(address: Address) -> bool:
    return any(address in network for network in settings.LENS.trusted_proxies)
