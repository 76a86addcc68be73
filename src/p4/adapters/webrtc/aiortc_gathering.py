"""Gathering of candidates for aiortc: several servers at once, and never longer than the cap.

aioice, which aiortc stands on, asks one STUN and one TURN server and waits 5 seconds for both, however
many are configured. Its connection gathers through one overridable method and its building blocks are
functions, so this module puts them together anew. Host candidates remain aioice's business.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from aioice import Candidate, Connection
from aioice.ice import StunProtocol, relayed_candidate, server_reflexive_candidate

from p4.adapters.webrtc.loopback import loopback_needed
from p4.adapters.webrtc.patience import GatheringPatience
from p4.core.ice import IceServerUrl

__all__ = ["TurnLogin", "gather_through"]

TurnLogin = tuple[IceServerUrl, str | None, str | None]
"""A TURN server with user name and password, None for a server without authentication."""

_Found = tuple[Candidate, StunProtocol | None]


def gather_through(
    connection: Connection,
    stun: list[IceServerUrl],
    turn: list[TurnLogin],
    *,
    relay_only: bool,
    patience: GatheringPatience,
) -> None:
    """Make ``connection`` ask all these servers when it gathers, for as long as ``patience`` lasts."""
    host_candidates: Callable[..., Awaitable[list[Candidate]]] = connection.get_component_candidates
    connection.stun_server = connection.turn_server = None

    async def component_candidates(
        component: int, addresses: list[str], timeout: float = 0
    ) -> list[Candidate]:
        del timeout
        if not relay_only and loopback_needed():
            addresses = [*addresses, "127.0.0.1"]
        candidates = await host_candidates(component, addresses)
        hosts = list(connection._protocols)  # noqa: SLF001 - aioice keeps its sockets nowhere else
        questions = [_ask_stun(host, server) for server in stun for host in hosts if _is_ipv4(host)]
        questions += [_ask_turn(connection, component, login, relay_only=relay_only) for login in turn]
        for candidate, relay in await _answers(questions, patience, relay_only=relay_only):
            if relay is not None:
                connection._protocols.append(relay)  # noqa: SLF001 - as above
            if not any((known.host, known.port) == (candidate.host, candidate.port) for known in candidates):
                candidates.append(candidate)
        return candidates

    # An attribute of the instance hides the method of the class.
    connection.__dict__["get_component_candidates"] = component_candidates


async def _answers(
    questions: list[Coroutine[Any, Any, _Found]], patience: GatheringPatience, *, relay_only: bool
) -> list[_Found]:
    """What the servers answered in time; the rest is given up, its sockets closed."""
    tasks = [asyncio.ensure_future(question) for question in questions]
    if not tasks:
        return []
    try:
        done, silent = await asyncio.wait(tasks, timeout=patience.seconds(relay_only=relay_only))
        patience.ended(complete=not silent)
        return [task.result() for task in tasks if task in done and task.exception() is None]
    finally:
        late = [task for task in tasks if not task.done()]
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)


async def _ask_stun(host: StunProtocol, server: IceServerUrl) -> _Found:
    address = await _resolve(server.host, socket.AF_INET)
    return await server_reflexive_candidate(host, (address, server.port))


async def _ask_turn(connection: Connection, component: int, login: TurnLogin, *, relay_only: bool) -> _Found:
    server, username, password = login
    address = await _resolve(server.host, socket.AF_UNSPEC)
    return await relayed_candidate(
        component=component,
        hide_related_address=relay_only,
        protocol_factory=lambda: StunProtocol(connection),
        # A certificate is checked against the name, not the address.
        turn_server=(server.host if server.scheme == "turns" else address, server.port),
        turn_username=username,
        turn_password=password,
        turn_ssl=server.scheme == "turns",
        turn_transport=server.transport,
    )


async def _resolve(host: str, family: int) -> str:
    """The first address of a name, looked up in a thread that nobody waits for.

    The loop's own look-ups run on its executor, which is joined when the loop ends: a name server that
    does not answer would then hold the whole program for its time-out.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[str] = loop.create_future()

    def settle(address: str | None, error: OSError | None) -> None:
        if answer.done():
            return
        if address is None:
            answer.set_exception(error or OSError(f"{host} has no address"))
        else:
            answer.set_result(address)

    def look_up() -> None:
        address: str | None = None
        error: OSError | None = None
        try:
            address = str(socket.getaddrinfo(host, None, family, socket.SOCK_DGRAM)[0][4][0])
        except OSError as problem:
            error = problem
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, address, error)

    threading.Thread(target=look_up, name=f"p4-resolve-{host}", daemon=True).start()
    return await answer


def _is_ipv4(host: StunProtocol) -> bool:
    return ":" not in host.local_candidate.host
