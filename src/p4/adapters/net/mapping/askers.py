"""PCP and NAT-PMP: who answers, and how to ask for mappings.

Each has a socket of its own: both live on the same port of the router, and "I do not know this version" does
not say to which of two questions it is the answer.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
from collections.abc import Sequence
from contextlib import suppress

from p4.adapters.net.mapping import nat_pmp, pcp
from p4.adapters.net.mapping.epoch import Epoch
from p4.adapters.net.mapping.exchange import RouterSocket
from p4.adapters.net.mapping.router import Asker, Lease, Pace, RouterRefusedError, RouterSilentError
from p4.errors import UnreachableError
from p4.ports.mapping import LocalPort, MappingMethod

__all__ = ["NatPmpAsker", "PcpAsker", "ask_who_is_there"]

_log = logging.getLogger(__name__)

_SHORTEST_REFUSAL = 30.0
"""Seconds after which a refused request may be repeated at the earliest, whatever the router says."""
_GOODBYE_TRIES = 2
"""How often the end of a mapping is asked for: three quarters of a second in all."""


class _Counted:
    """The router's epoch, as the answers show it."""

    def __init__(self) -> None:
        self.restarts = 0
        self._epoch: Epoch | None = None

    def heard(self, server: int) -> None:
        now = Epoch(server, asyncio.get_running_loop().time())
        if self._epoch is not None and not self._epoch.continued_by(now):
            self.restarts += 1
        self._epoch = now


class PcpAsker(_Counted):
    """Implements `p4.adapters.net.mapping.router.Asker` with PCP.

    Args:
        router: where to ask; closed with this.
        pace: how often and how long.
        secret: from which the nonces are made. A mapping outlives a process that was killed, and the router
            only renews it for whoever knows its nonce: so the same secret in the next process.
    """

    method = MappingMethod.PCP

    def __init__(self, router: RouterSocket, pace: Pace, secret: bytes) -> None:
        super().__init__()
        self._router = router
        self._pace = pace
        self._secret = secret

    async def present(self) -> bool:
        """Whether a PCP server answers; a refusal to announce itself is an answer too."""

        def read(datagram: bytes) -> bool | None:
            if nat_pmp.parse(datagram) is not None:
                return False  # such a server answers a version that it does not know in its own
            answer = pcp.parse(datagram)
            if answer is None:
                return None
            self.heard(answer.epoch)
            return answer.result != pcp.Result.UNSUPPORTED_VERSION

        return await self._router.ask(
            pcp.announce_request(self._router.gateway.local_address),
            read,
            tries=self._pace.probe_tries,
            first_retry=self._pace.first_retry,
        )

    async def map(self, port: LocalPort, suggested: int) -> Lease:
        """MAP (RFC 6887 section 11)."""
        answer = await self._map(port, suggested, self._pace.lifetime, self._pace.map_tries)
        self.heard(answer.epoch)
        if answer.result or answer.mapping is None:
            raise RouterRefusedError(
                self._router.gateway.address,
                f"PCP result {answer.result}",
                again=max(float(answer.lifetime), _SHORTEST_REFUSAL),
            )
        return Lease(answer.mapping.external_port, answer.mapping.external_address, answer.lifetime)

    async def unmap(self, port: LocalPort, external_port: int) -> None:
        """MAP with a lifetime of 0 (section 15.1)."""
        with suppress(UnreachableError):  # it ends by itself then
            await self._map(port, external_port, 0, _GOODBYE_TRIES)

    async def check(self) -> None:
        """ANNOUNCE, whose answer has the epoch."""
        answer = await self._router.ask(
            pcp.announce_request(self._router.gateway.local_address),
            pcp.parse,
            tries=self._pace.map_tries,
            first_retry=self._pace.first_retry,
        )
        self.heard(answer.epoch)

    def close(self) -> None:
        """Close the socket."""
        self._router.close()

    async def _map(self, port: LocalPort, suggested: int, lifetime: int, tries: int) -> pcp.PcpResponse:
        gateway = self._router.gateway
        nonce = self._nonce(port)

        def read(datagram: bytes) -> pcp.PcpResponse | None:
            answer = pcp.parse(datagram)
            if answer is None or answer.mapping is None:
                return None
            about = (answer.mapping.nonce, answer.mapping.protocol, answer.mapping.internal_port)
            # Section 11.4: others than these are not about our request, whoever sent them.
            return answer if about == (nonce, port.protocol, port.port) else None

        return await self._router.ask(
            pcp.map_request(
                gateway.local_address,
                nonce,
                port.protocol,
                port.port,
                suggested_port=suggested,
                lifetime=lifetime,
            ),
            read,
            tries=tries,
            first_retry=self._pace.first_retry,
        )

    def _nonce(self, port: LocalPort) -> bytes:
        about = f"p4 pcp nonce {self._router.gateway.local_address} {port.protocol} {port.port}"
        return hmac.digest(self._secret, about.encode(), hashlib.sha256)[: pcp.NONCE_BYTES]


class NatPmpAsker(_Counted):
    """Implements `p4.adapters.net.mapping.router.Asker` with NAT-PMP.

    Args:
        router: where to ask; closed with this.
        pace: how often and how long.
    """

    method = MappingMethod.NAT_PMP

    def __init__(self, router: RouterSocket, pace: Pace) -> None:
        super().__init__()
        self._router = router
        self._pace = pace
        self._external: str | None = None

    async def present(self) -> bool:
        """Whether a NAT-PMP server answers; one that has no external address at the moment does."""

        def read(datagram: bytes) -> bool | None:
            if pcp.parse(datagram) is not None:
                return False
            answer = _address_answer(datagram)
            if answer is None:
                return None
            self._heard_address(answer)
            return answer.result != nat_pmp.Result.UNSUPPORTED_VERSION

        return await self._router.ask(
            nat_pmp.address_request(), read, tries=self._pace.probe_tries, first_retry=self._pace.first_retry
        )

    async def map(self, port: LocalPort, suggested: int) -> Lease:
        """A mapping request (RFC 6886 section 3.3)."""
        answer = await self._map(port, suggested, self._pace.lifetime, self._pace.map_tries)
        self.heard(answer.epoch)
        if answer.result or answer.mapping is None:
            raise RouterRefusedError(
                self._router.gateway.address, f"NAT-PMP result {answer.result}", again=_SHORTEST_REFUSAL
            )
        return Lease(answer.mapping.external_port, self._external, answer.mapping.lifetime)

    async def unmap(self, port: LocalPort, external_port: int) -> None:
        """A mapping request with a lifetime and an external port of 0 (section 3.4)."""
        with suppress(UnreachableError):  # it ends by itself then
            await self._map(port, 0, 0, _GOODBYE_TRIES)

    async def check(self) -> None:
        """Ask for the external address, whose answer has the epoch."""
        answer = await self._router.ask(
            nat_pmp.address_request(),
            _address_answer,
            tries=self._pace.map_tries,
            first_retry=self._pace.first_retry,
        )
        self._heard_address(answer)

    def close(self) -> None:
        """Close the socket."""
        self._router.close()

    def _heard_address(self, answer: nat_pmp.NatPmpResponse) -> None:
        self.heard(answer.epoch)
        if answer.external_address != self._external:
            # What was told about the mappings is no longer so; to ask anew is the way to tell it anew.
            self.restarts += 1
        self._external = answer.external_address

    async def _map(
        self, port: LocalPort, suggested: int, lifetime: int, tries: int
    ) -> nat_pmp.NatPmpResponse:
        request = nat_pmp.map_request(port.protocol, port.port, suggested_port=suggested, lifetime=lifetime)

        def read(datagram: bytes) -> nat_pmp.NatPmpResponse | None:
            answer = nat_pmp.parse(datagram)
            if answer is None or _opcode(datagram) != request[1]:
                return None
            if answer.mapping is None:
                return answer if answer.result else None
            return answer if answer.mapping.internal_port == port.port else None

        return await self._router.ask(request, read, tries=tries, first_retry=self._pace.first_retry)


async def ask_who_is_there(askers: Sequence[PcpAsker | NatPmpAsker], grace: float) -> list[Asker]:
    """Ask with all protocols at a time; those that answered, in the order given.

    Args:
        askers: the better one first. That is PCP: its answers carry a nonce that only the router saw.
        grace: seconds that the others have after the first answer. Most routers that know one protocol
            refuse the other at once; some are silent.
    """
    asked = [asyncio.create_task(asker.present()) for asker in askers]
    try:
        pending = set(asked)
        while pending:
            patience = grace if any(_answered(task) for task in asked) else None
            done, pending = await asyncio.wait(pending, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                break
        there: list[Asker] = [asker for asker, task in zip(askers, asked, strict=True) if _answered(task)]
    finally:
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
    _log.debug("port mapping: %s", [asker.method.value for asker in there] or "nobody answers")
    return there


def _answered(task: asyncio.Task[bool]) -> bool:
    if not task.done() or task.cancelled():
        return False
    if isinstance(task.exception(), RouterSilentError):
        return False
    return task.result()


def _address_answer(datagram: bytes) -> nat_pmp.NatPmpResponse | None:
    answer = nat_pmp.parse(datagram)
    return answer if answer is not None and answer.mapping is None and _opcode(datagram) == 0 else None


def _opcode(datagram: bytes) -> int:
    return datagram[1] & 0x7F
