"""STUN and TURN servers and their credentials (RFC 7064, RFC 7065; spec/signaling.md).

Everything here is checked when it is made, so that a mistyped server is one clear sentence at the
command line and never a link that silently finds no path.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import re
from dataclasses import dataclass, replace
from typing import Literal

from p4.core.policy import Policy
from p4.errors import InputError

__all__ = ["DEFAULT_STUN", "IceServerUrl", "IceSettings", "TurnServer", "parse_stun_url", "parse_turn_url"]

DEFAULT_STUN = ("stun:stun.l.google.com:19302", "stun:stun.cloudflare.com:3478")
"""The STUN server of v1 and one of another operator: two, because that is what it takes to tell the kind of a
NAT, and one may be down. They are told our public address and nothing else."""

USERNAME_BYTES = 508
"""Longest TURN user name: a STUN USERNAME stays below 509 bytes (RFC 8489 section 14.3)."""

_URL = re.compile(
    r"(?P<scheme>[a-z]+):(?P<host>\[[0-9A-Fa-f:.]+\]|[^\[\]:?/@\s]+)(?::(?P<port>[^?]*))?(?:\?(?P<query>.*))?",
    re.ASCII | re.IGNORECASE,
)
_LABEL = r"[A-Za-z0-9_][A-Za-z0-9_-]{0,62}"
_HOST_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*\.?", re.ASCII)

Scheme = Literal["stun", "turn", "turns"]
IceTransport = Literal["udp", "tcp"]


@dataclass(frozen=True, slots=True)
class IceServerUrl:
    """A STUN or TURN address, taken apart."""

    scheme: Scheme
    host: str
    """A host name or an IP address; an IPv6 address without its brackets."""
    port: int
    transport: IceTransport
    """What carries us to the server. ``turns`` is TLS over ``tcp``."""

    @property
    def text(self) -> str:
        """The address in the form of RFC 7064 and RFC 7065, with the port and the transport spelt out."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        query = "" if self.scheme == "stun" else f"?transport={self.transport}"
        return f"{self.scheme}:{host}:{self.port}{query}"


@dataclass(frozen=True, slots=True)
class TurnServer:
    """One TURN server and how to log in.

    With ``secret`` the credentials are derived for a limited time (the "REST" scheme that coturn calls
    ``use-auth-secret``); otherwise ``username`` and ``password`` are used as they are; with none of
    them the server is asked without credentials.

    Raises:
        InputError: code ``turn-url`` or ``turn-credentials``. The message never repeats a secret.
    """

    url: str
    """``turn:host[:port][?transport=udp|tcp]`` or ``turns:host[:port][?transport=tcp]``."""
    username: str = ""
    password: str = ""
    secret: str = ""
    user: str = "p4"
    """Appears after the expiry time in derived user names, for the server's log."""
    ttl_seconds: int = 3600
    """How long derived credentials stay valid. A server refuses new allocations after it."""

    def __post_init__(self) -> None:
        parse_turn_url(self.url)
        if self.secret and (self.username or self.password):
            raise InputError(
                f"The TURN server {self.url} has both a secret and a user name or password. "
                "Give either the secret, or the user name with its password.",
                code="turn-credentials",
            )
        if bool(self.username) != bool(self.password):
            raise InputError(
                f"The TURN server {self.url} has only one of user name and password. Give both or none.",
                code="turn-credentials",
            )
        if self.ttl_seconds < 1:
            raise InputError(
                f"TURN credentials cannot live for {self.ttl_seconds} seconds. Give at least 1 second.",
                code="turn-credentials",
            )
        longest = self.username or f"{10**12}:{self.user}"
        # A lone surrogate, which UTF-8 cannot carry, is not printable.
        if len(longest.encode("utf-8", "replace")) > USERNAME_BYTES or not longest.isprintable():
            raise InputError(
                f"The user name for the TURN server {self.url} is too long or contains control characters. "
                f"Use at most {USERNAME_BYTES} bytes of printable text.",
                code="turn-credentials",
            )
        if self.password and not self.password.isprintable():
            raise InputError(
                f"The password for the TURN server {self.url} contains control characters or is not UTF-8.",
                code="turn-credentials",
            )

    @property
    def address(self) -> IceServerUrl:
        """The server's address, taken apart."""
        return parse_turn_url(self.url)

    def credentials(self, now_seconds: float) -> tuple[str, str] | None:
        """User name and password for a gathering that begins at ``now_seconds`` (Unix time).

        Returns:
            None if the server is to be asked without credentials.
        """
        if self.secret:
            username = f"{int(now_seconds) + self.ttl_seconds}:{self.user}"
            digest = hmac.new(
                self.secret.encode("utf-8", "surrogateescape"), username.encode(), hashlib.sha1
            ).digest()
            return username, base64.b64encode(digest).decode("ascii")
        if self.username:
            return self.username, self.password
        return None


@dataclass(frozen=True, slots=True)
class IceSettings:
    """The servers that a link may use, and whether it may do without them.

    Raises:
        InputError: code ``stun-url`` or ``relay-only``.
    """

    stun: tuple[str, ...] = DEFAULT_STUN
    """``stun:host[:port]`` each. Empty strings are left out, so ``("",)`` means no STUN server (as in v1)."""
    turn: tuple[TurnServer, ...] = ()
    relay_only: bool = False
    """Never show the peer an address of ours, and go through a TURN server always."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "stun", tuple(url for url in self.stun if url))
        for url in self.stun:
            parse_stun_url(url)
        if self.relay_only and not self.turn:
            raise InputError(
                "A link that may only use relays needs a TURN server. Add one, or allow direct paths.",
                code="relay-only",
            )

    def under(self, policy: Policy, *, relays: bool = True) -> IceSettings:
        """The servers that a link to a contact with this policy may use.

        Args:
            relays: False for a link that must be direct.

        Raises:
            InputError: ``relay-only``: the policy needs a TURN server and there is none.
        """
        if policy is Policy.LAN_ONLY:
            return IceSettings(stun=())
        if policy is Policy.RELAY_ONLY:
            # A library may ask STUN servers although nothing of their answers would be used.
            return replace(self, stun=(), relay_only=True)
        return self if relays or self.relay_only else replace(self, turn=())


def parse_stun_url(text: str) -> IceServerUrl:
    """Take ``stun:host[:port]`` apart (RFC 7064); the port is 3478 if absent.

    Raises:
        InputError: code ``stun-url``.
    """
    return _parse(text, code="stun-url", kind="STUN", schemes=("stun",), example="stun:stun.example.org:3478")


def parse_turn_url(text: str) -> IceServerUrl:
    """Take a ``turn:`` or ``turns:`` address apart (RFC 7065); the ports are 3478 and 5349 if absent.

    Raises:
        InputError: code ``turn-url``.
    """
    example = "turn:turn.example.org:3478?transport=udp"
    return _parse(text, code="turn-url", kind="TURN", schemes=("turn", "turns"), example=example)


def _parse(text: str, *, code: str, kind: str, schemes: tuple[Scheme, ...], example: str) -> IceServerUrl:
    def refuse(reason: str) -> InputError:
        return InputError(
            f"{text!r} is not the address of a {kind} server: {reason}. Example: {example}", code=code
        )

    match = _URL.fullmatch(text)
    if match is None:
        raise refuse(f"it must read {schemes[0]}:host:port")
    scheme = next((known for known in schemes if known == match["scheme"].lower()), None)
    if scheme is None:
        raise refuse(f"it begins with {match['scheme']}: instead of {' or '.join(f'{s}:' for s in schemes)}")

    host: str = match["host"]
    if host.startswith("["):
        host = host[1:-1]
        if not _is_ipv6(host):
            raise refuse("what stands in brackets is no IPv6 address")
    elif not _HOST_NAME.fullmatch(host):
        raise refuse("its host is neither a name nor an IP address")

    port = 5349 if scheme == "turns" else 3478
    if match["port"] is not None:
        digits: str = match["port"]
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 5 and 1 <= int(digits) <= 65535):
            raise refuse("its port is not a number from 1 to 65535")
        port = int(digits)

    transport: IceTransport = "tcp" if scheme == "turns" else "udp"
    query: str | None = match["query"]
    if query is not None:
        if scheme == "stun":
            raise refuse("nothing may follow the port")
        if query == "transport=tcp":
            transport = "tcp"
        elif query == "transport=udp" and scheme == "turn":
            transport = "udp"
        elif query == "transport=udp":
            raise refuse("TLS goes over transport=tcp")
        else:
            raise refuse("what follows the question mark must be transport=udp or transport=tcp")
    return IceServerUrl(scheme, host, port, transport)


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True
