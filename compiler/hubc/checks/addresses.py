"""Whether a URL leads to the machine that asks, or to the service that hands out its credentials."""

from __future__ import annotations

import re
import socket
import unicodedata
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import unquote, urlsplit

NAMES = frozenset(
    {"localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback", "metadata", "metadata.google.internal"}
)
METADATA = frozenset(map(ip_address, ("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "168.63.129.16")))
"""Where clouds answer with the credentials of a machine; not all of these are link-local."""
_THIS_HOST = ip_network("0.0.0.0/8")
_TRANSLATED = ip_network("64:ff9b::/96")
_COMPATIBLE = ip_network("::/96")
_NUMBERS = re.compile(r"[0-9a-fx.]+")


def host_of(url: str) -> str:
    """Return the host of a URL in its plain spelling; empty if it has none."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return ""
    return unicodedata.normalize("NFKC", unquote(host)).replace("\u3002", ".").lower().rstrip(".")


def is_local(host: str) -> bool:
    """Tell whether a host is loopback, link-local, unspecified or a cloud's metadata service, however it is spelled."""
    if host in NAMES or host.endswith(".localhost"):
        return True
    address = _address(host)
    if address is None:
        return False
    return (
        address.is_loopback
        or address.is_link_local
        or address.is_unspecified
        or address in METADATA
        or (isinstance(address, IPv4Address) and address in _THIS_HOST)
    )


def _address(host: str) -> IPv4Address | IPv6Address | None:
    """Return the address that a host is; an IPv4 address inside an IPv6 one counts."""
    try:
        if ":" in host:
            return _inner(IPv6Address(host.partition("%")[0]))
        # The C library takes 2130706433, 0x7f.1 and 017700000001 for 127.0.0.1.
        return IPv4Address(socket.inet_aton(host)) if _NUMBERS.fullmatch(host) else None
    except (OSError, ValueError):
        return None


def _inner(address: IPv6Address) -> IPv4Address | IPv6Address:
    if found := address.ipv4_mapped or address.sixtofour:
        return found
    is_wrapped = address in _TRANSLATED or (address in _COMPATIBLE and int(address) > 1)
    return IPv4Address(int(address) & 0xFFFF_FFFF) if is_wrapped else address
