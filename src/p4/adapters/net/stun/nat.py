"""What kind of NAT is on the way: the questions of RFC 5780 to one or several STUN servers."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from contextlib import suppress

from p4.adapters.net.stun.classify import (
    Filtering,
    Mapping,
    NatFinding,
    PathFinding,
    Seen,
    port_step,
    seen_mapping,
)
from p4.adapters.net.stun.client import ANSWER_SECONDS, StunSocket, open_stun_socket, resolve_server
from p4.adapters.net.stun.codec import Address, BindingAnswer
from p4.errors import UnreachableError

__all__ = ["may_follow", "own_address", "probe_nat"]

_MOST_ADDRESSES = 8
"""Server addresses that are asked, so that a name with a hundred of them costs no hundred packets."""

_ANYWHERE: dict[socket.AddressFamily, Address] = {
    socket.AF_INET: ("192.0.2.1", 9),
    socket.AF_INET6: ("2001:db8::1", 9),
}
"""Documentation addresses (RFC 5737, RFC 3849): asking for the route to them sends nothing."""


async def probe_nat(servers: Sequence[str], *, timeout: float = ANSWER_SECONDS) -> NatFinding:
    """Find out what stands between this machine and the internet. Never raises for a network that is odd.

    Takes one ``timeout`` if everybody answers at once, four if nobody does. Two servers, or one with two
    addresses, are needed to tell the kind of a NAT; one that offers RFC 5780 to tell its filtering.

    Args:
        servers: ``stun:host[:port]`` each.
        timeout: seconds until a server counts as silent.

    Raises:
        InputError: code ``stun-url``.
    """
    ipv4, ipv6 = await asyncio.gather(
        _probe_path(servers, socket.AF_INET, timeout), _probe_path(servers, socket.AF_INET6, timeout)
    )
    return NatFinding(ipv4, ipv6)


async def _probe_path(servers: Sequence[str], family: socket.AddressFamily, timeout: float) -> PathFinding:
    number = 6 if family is socket.AF_INET6 else 4
    found = await asyncio.gather(*(resolve_server(url, family, timeout) for url in servers))
    # In turns, so that the limit leaves out further addresses of one name rather than a whole server.
    asked: dict[Address, str] = {}
    for turn in range(max(map(len, found), default=0)):
        for url, addresses in zip(servers, found, strict=True):
            if turn < len(addresses):
                asked.setdefault(addresses[turn], url)
    asked = dict(list(asked.items())[:_MOST_ADDRESSES])
    own = next(filter(None, (own_address(server, family) for server in [*asked, _ANYWHERE[family]])), None)
    if own is None or not asked:
        return PathFinding(number, Mapping.ABSENT if own is None else Mapping.UNASKED, silent=tuple(servers))
    try:
        client = await open_stun_socket(family)
    except OSError:
        return PathFinding(number, Mapping.ABSENT, silent=tuple(servers))
    try:
        answers = await _ask_all(client, list(asked), timeout)
        others = _other_addresses(answers)
        answers |= await _ask_all(client, [each for each in others if each not in answers], timeout)
        port = client.local[1]
    finally:
        client.close()
    seen = [
        Seen(server, (own_address(server, family) or own, port), answer.mapped)
        for server, answer in answers.items()
        if answer.mapped is not None
    ]
    mapping = seen_mapping(seen)
    external = tuple(dict.fromkeys(each.mapped for each in seen))
    answered = tuple(dict.fromkeys(asked[each.server] for each in seen if each.server in asked))
    translated = mapping not in {Mapping.BLOCKED, Mapping.UNTRANSLATED}
    return PathFinding(
        number,
        mapping,
        filtering=await _probe_filtering(answers, family, timeout),
        local=(own, port),
        external=external,
        port_preserved=external[0][1] == port if translated else None,
        port_step=port_step([port for _, port in external]) if mapping.is_dependent else None,
        answered=answered,
        silent=tuple(url for url in servers if url not in answered),
    )


async def _ask_all(
    client: StunSocket, servers: Sequence[Address], timeout: float
) -> dict[Address, BindingAnswer]:
    """Ask all at once, in order; give those that answered, in the same order."""
    questions = (client.ask(server, timeout=timeout) for server in servers)
    answers = await asyncio.gather(*questions, return_exceptions=True)
    found: dict[Address, BindingAnswer] = {}
    for server, answer in zip(servers, answers, strict=True):
        if isinstance(answer, BindingAnswer):
            found[server] = answer
        elif not isinstance(answer, UnreachableError):
            raise answer
    return found


def _other_addresses(answers: dict[Address, BindingAnswer]) -> list[Address]:
    """The second addresses that servers offer, each with both ports (RFC 5780 section 4.3)."""
    found: list[Address] = []
    for server, answer in answers.items():
        if answer.other is not None and may_follow(server, answer.other):
            found += [(answer.other[0], server[1]), answer.other, (server[0], answer.other[1])]
    return list(dict.fromkeys(found))[:_MOST_ADDRESSES]


async def _probe_filtering(
    answers: dict[Address, BindingAnswer], family: socket.AddressFamily, timeout: float
) -> Filtering:
    """The tests of RFC 5780 section 4.4, each from a new port that nobody has been sent a packet from."""
    for server, answer in answers.items():
        other = answer.other
        if other is None or other[0] == server[0] or other[1] == server[1] or not may_follow(server, other):
            continue
        everybody, same_address = await asyncio.gather(
            _answers_from_elsewhere(server, family, timeout, change_address=True),
            _answers_from_elsewhere(server, family, timeout, change_address=False),
        )
        if everybody is None or same_address is None:
            continue
        if everybody:
            return Filtering.INDEPENDENT
        return Filtering.ADDRESS_DEPENDENT if same_address else Filtering.PORT_DEPENDENT
    return Filtering.UNKNOWN


async def _answers_from_elsewhere(
    server: Address, family: socket.AddressFamily, timeout: float, *, change_address: bool
) -> bool | None:
    """Whether an answer from another port (and address) of the server comes in; None if it gives none."""
    try:
        client = await open_stun_socket(family)
    except OSError:
        return None
    try:
        await client.ask(server, timeout=timeout)  # it answers at all, and our port is open towards it
    except UnreachableError:
        client.close()
        return None
    try:
        answer = await client.ask(server, change_address=change_address, change_port=True, timeout=timeout)
    except UnreachableError:
        return False
    else:
        return True if answer.error is None else None
    finally:
        client.close()


def may_follow(server: Address, other: Address) -> bool:
    """A server in the internet may not send us to addresses of our own network."""
    first, second = ipaddress.ip_address(server[0]), ipaddress.ip_address(other[0])
    return first.version == second.version and (second.is_global or not first.is_global)


def own_address(server: Address, family: socket.AddressFamily) -> str | None:
    """The address that our packets to ``server`` leave with; None if there is no way there."""
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as asking:
        asking.connect(server)  # sends nothing
        return str(asking.getsockname()[0])
    return None
