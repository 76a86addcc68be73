"""What a NAT really does, measured from behind it: its mapping and its filtering (RFC 4787, RFC 5780)."""

from __future__ import annotations

import json
import secrets
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any

from tests.integration.nat.namespaces import LaboratoryError
from tests.integration.nat.networks import Host
from tests.patience import patience

__all__ = [
    "Behaviour",
    "Filtering",
    "Mapping",
    "Reflector",
    "observe",
    "reflector",
    "round_trip_seconds",
    "seen_from",
]

_PORTS = (6001, 6002)
_WAIT_SECONDS = 0.4
"""After so long nothing more comes; ten round trips of the laboratory."""


class Mapping(StrEnum):
    """How many mappings a socket has."""

    NONE = "none"
    """Its own address is what others see."""
    INDEPENDENT = "endpoint-independent"
    ADDRESS = "address-dependent"
    ADDRESS_AND_PORT = "address-and-port-dependent"
    BLOCKED = "blocked"
    """Nothing comes back at all."""


class Filtering(StrEnum):
    """Who may send to a mapping."""

    INDEPENDENT = "endpoint-independent"
    ADDRESS = "address-dependent"
    ADDRESS_AND_PORT = "address-and-port-dependent"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What was observed."""

    mapping: Mapping
    filtering: Filtering


@dataclass(frozen=True, slots=True)
class Reflector:
    """Answers UDP at two addresses and two ports, and says what it saw."""

    addresses: tuple[str, str]

    def __getitem__(self, which: tuple[int, int]) -> tuple[str, int]:
        """The n-th address with the m-th port."""
        return self.addresses[which[0]], _PORTS[which[1]]


@contextmanager
def reflector(host: Host) -> Iterator[Reflector]:
    """Run a reflector on a server, which is given a second address."""
    own = host.attachment()
    first, second = own.address, own.address + 100
    host.namespace.ip(f"addr replace {second}/24 dev {own.device}")
    places = [(address, port) for address in (str(first), str(second)) for port in _PORTS]
    with ExitStack() as stack:
        sockets = {}
        for place in places:
            sockets[place] = stack.enter_context(host.call(partial(_bound, place)))
        end, begin = socket.socketpair()
        stack.enter_context(end)
        stack.enter_context(begin)
        thread = threading.Thread(target=_reflect, args=(sockets, end), name="reflector")
        thread.start()
        try:
            yield Reflector((str(first), str(second)))
        finally:
            begin.send(b"x")
            thread.join()


def _reflect(sockets: dict[tuple[str, int], socket.socket], end: socket.socket) -> None:
    """A request is ``{"id": TEXT, "from": [[ADDRESS, PORT], ...]}``: the places to answer from."""
    while True:
        readable, _, _ = select.select([*sockets.values(), end], [], [])
        if end in readable:
            return
        for one in readable:
            data, source = one.recvfrom(2000)
            request = json.loads(data)
            for address, port in request["from"] or [one.getsockname()]:
                answer = {"id": request["id"], "seen": source, "from": [address, port]}
                sockets[address, port].sendto(json.dumps(answer).encode(), source)


def observe(host: Host, at: Reflector) -> Behaviour:
    """Measure what is between a host and a reflector."""
    with host.call(_any_port) as probe:
        seen = [_mapped(probe, at[which]) for which in ((0, 0), (0, 1), (1, 0))]
        own = (str(host.address), probe.getsockname()[1])
    if None in seen:
        return Behaviour(Mapping.BLOCKED, Filtering.BLOCKED)
    if len(set(seen)) == 1:
        mapping = Mapping.NONE if seen[0] == own else Mapping.INDEPENDENT
    else:
        mapping = Mapping.ADDRESS if seen[0] == seen[1] else Mapping.ADDRESS_AND_PORT
    return Behaviour(mapping, _filtering(host, at))


def seen_from(host: Host, place: tuple[str, int], address: str = "") -> tuple[str, int]:
    """The address and port that a reflector sees, of a socket with this address or any.

    Raises:
        LaboratoryError: it does not answer.
    """
    with host.call(partial(_bound, (address, 0))) as probe:
        found = _mapped(probe, place)
    if found is None:
        raise LaboratoryError(f"{host} does not reach the reflector at {place}")
    return found


def round_trip_seconds(host: Host, place: tuple[str, int], count: int = 5) -> list[float]:
    """The times of so many round trips to a reflector; a lost one is missing."""
    times = []
    with host.call(partial(_bound, ("::" if ":" in place[0] else "", 0))) as probe:
        for _ in range(count):
            begun = time.monotonic()
            if _ask(probe, place, []):
                times.append(time.monotonic() - begun)
    return times


def _filtering(host: Host, at: Reflector) -> Filtering:
    """From another socket: the one before has opened ways to all places."""
    with host.call(_any_port) as probe:
        places = [at[0, 0], at[0, 1], at[1, 0]]
        came = {tuple(answer["from"]) for answer in _ask(probe, at[0, 0], places, answers=len(places))}
    if at[1, 0] in came:
        return Filtering.INDEPENDENT
    return Filtering.ADDRESS if at[0, 1] in came else Filtering.ADDRESS_AND_PORT


def _any_port() -> socket.socket:
    return _bound(("", 0))


def _bound(place: tuple[str, int]) -> socket.socket:
    family = socket.AF_INET6 if ":" in place[0] else socket.AF_INET
    made = socket.socket(family, socket.SOCK_DGRAM)
    made.bind(place)
    return made


def _mapped(probe: socket.socket, place: tuple[str, int]) -> tuple[str, int] | None:
    for _ in range(2):
        for answer in _ask(probe, place, []):
            address, port = answer["seen"]
            return str(address), int(port)
    return None


def _ask(
    probe: socket.socket, place: tuple[str, int], answer_from: list[tuple[str, int]], *, answers: int = 1
) -> list[dict[str, Any]]:
    name = secrets.token_hex(8)
    probe.sendto(json.dumps({"id": name, "from": answer_from}).encode(), place)
    found: list[dict[str, Any]] = []
    deadline = time.monotonic() + patience(_WAIT_SECONDS)
    while len(found) < answers and (left := deadline - time.monotonic()) > 0:
        probe.settimeout(left)
        try:
            answer = json.loads(probe.recv(2000))
        except OSError:
            break
        if answer["id"] == name:
            found.append(answer)
    return found
