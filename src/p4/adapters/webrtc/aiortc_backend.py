"""Links on `aiortc`, WebRTC in pure Python: slower, but it runs wherever Python does.

What this adapter smooths out:

- ``close()`` of a connection may take a minute (it waits for TURN servers to confirm): it runs in the
  background, and `AiortcBackend.close` waits for it only briefly.
- Gathering is ours (`p4.adapters.webrtc.aiortc_gathering`): all servers, and a cap on the time.
- When SCTP is aborted the channels close; when ICE or DTLS fail they may not. The end of a link is
  taken from both.
- There is no limit on what is queued; the one of libwebrtc is applied.

Known limits of the library, which the node's own heartbeat covers: a dead path is noticed after about
30 s, and server-reflexive candidates exist for IPv4 only. On an ordered, unreliable channel it gives up
with a lost message those that arrived behind it and wait there (an aiortc receiver still hands them out).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterator

import aiortc
from aiortc.exceptions import InternalError, InvalidAccessError, InvalidStateError, OperationError
from aiortc.sdp import candidate_from_sdp

from p4.adapters.webrtc.aiortc_gathering import TurnLogin, gather_through
from p4.adapters.webrtc.aiortc_path import selected_path
from p4.adapters.webrtc.base import CLOSED_BY_PEER, PATH_LOST, ChannelLink, DataChannel
from p4.adapters.webrtc.patience import GatheringPatience
from p4.adapters.webrtc.sdp import (
    addresses_of,
    candidates_of,
    complete_description,
    usable_candidate,
    usable_description,
)
from p4.core import limits
from p4.core.ice import IceSettings, parse_stun_url
from p4.errors import LinkError
from p4.ports import LinkBackend, LinkEvent, LinkPath

__all__ = ["AiortcBackend", "AiortcLink"]

CLOSE_SECONDS = 0.5
"""How long `AiortcBackend.close` waits for links that are still closing."""

_log = logging.getLogger(__name__)


class AiortcBackend(LinkBackend):
    """Makes links with aiortc.

    Args:
        warn: told in one sentence about a server that aiortc cannot use; by default the log.
        wall_seconds: Unix time, for TURN credentials that expire.
    """

    def __init__(
        self,
        *,
        warn: Callable[[str], None] = _log.warning,
        wall_seconds: Callable[[], float] = time.time,
    ) -> None:
        del warn  # there is no server that aiortc cannot use
        self._wall_seconds = wall_seconds
        self._closing: set[asyncio.Task[None]] = set()
        self._patience = GatheringPatience()

    @property
    def name(self) -> str:
        """``aiortc``."""
        return "aiortc"

    def create(self, ice: IceSettings, sink: Callable[[LinkEvent], None]) -> AiortcLink:
        """See `p4.ports.LinkBackend.create`."""
        now = self._wall_seconds()
        logins: list[TurnLogin] = []
        for turn in ice.turn:
            username, password = turn.credentials(now) or (None, None)
            logins.append((turn.address, username, password))
        return AiortcLink(ice, logins, self._close_later, self._patience, sink)

    def network_changed(self) -> None:
        """See `p4.ports.LinkBackend.network_changed`; nothing is remembered."""

    async def close(self) -> None:
        """See `p4.ports.LinkBackend.close`. What takes longer than half a second is cancelled."""
        if self._closing:
            await asyncio.wait(set(self._closing), timeout=CLOSE_SECONDS)
        late = set(self._closing)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=CLOSE_SECONDS)

    def _close_later(self, connection: aiortc.RTCPeerConnection) -> None:
        task = asyncio.get_running_loop().create_task(connection.close())
        self._closing.add(task)
        task.add_done_callback(self._closed)

    def _closed(self, task: asyncio.Task[None]) -> None:
        self._closing.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.debug("aiortc failed to close a connection cleanly: %r", error)


class AiortcLink(ChannelLink):
    """One link. Made by `AiortcBackend.create`."""

    def __init__(
        self,
        ice: IceSettings,
        logins: list[TurnLogin],
        close_later: Callable[[aiortc.RTCPeerConnection], None],
        patience: GatheringPatience,
        sink: Callable[[LinkEvent], None],
    ) -> None:
        super().__init__(sink)
        self._ice = ice
        self._logins = logins
        self._close_later = close_later
        self._patience = patience
        self._connection: aiortc.RTCPeerConnection | None = None

    async def offer(
        self,
        label: str,
        found: Callable[[str], None] | None = None,
        *,
        awaited: frozenset[str] = frozenset(),
    ) -> str:
        """See `p4.ports.Link.offer`. aiortc gathers everything first, and always anew: nothing follows."""
        del found, awaited
        with _mapping("gathering-failed", "The offer could not be made"):
            self._connect()
            self.open_channel(label)
            return await self._describe()

    async def answer(self, offer_sdp: str, found: Callable[[str], None] | None = None) -> str:
        """See `p4.ports.Link.answer`. Nothing follows, as with an offer."""
        del found
        offer_sdp = usable_description(offer_sdp, "offer")
        with _mapping("bad-sdp", "The other side's offer cannot be used"):
            connection = self._connect()
            await connection.setRemoteDescription(aiortc.RTCSessionDescription(offer_sdp, "offer"))
        with _mapping("gathering-failed", "The answer could not be made"):
            return await self._describe()

    async def accept_answer(self, answer_sdp: str) -> None:
        """See `p4.ports.Link.accept_answer`."""
        answer_sdp = usable_description(answer_sdp, "answer")
        with _mapping("bad-sdp", "The other side's answer cannot be used"):
            await self._live().setRemoteDescription(aiortc.RTCSessionDescription(answer_sdp, "answer"))

    @property
    def gathered(self) -> bool:
        """See `p4.ports.Link.gathered`. What is not known when a description is given is not waited for."""
        return self._connection is not None and self._connection.localDescription is not None

    def stranded(self, addresses: frozenset[str]) -> bool:
        """See `p4.ports.Link.stranded`."""
        connection = self._connection
        if connection is None or connection.localDescription is None:
            return False
        own = addresses_of(candidates_of(connection.localDescription.sdp))
        return bool(own) and not own & addresses

    async def add_candidate(self, candidate: str) -> None:
        """See `p4.ports.Link.add_candidate`."""
        if self._connection is None or self._over or not usable_candidate(candidate):
            return
        try:
            parsed = candidate_from_sdp(candidate.removeprefix("candidate:"))
            parsed.sdpMLineIndex = 0
            await self._connection.addIceCandidate(parsed)
        except _LIBRARY_ERRORS as error:
            _log.debug("a candidate of the other side is of no use: %r", error)

    async def path(self) -> LinkPath | None:
        """See `p4.ports.Link.path`."""
        if self._connection is None or self._over or self._connection.sctp is None:
            return None
        return selected_path(self._connection.sctp)

    def _connect(self) -> aiortc.RTCPeerConnection:
        if self._connection is not None or self._over:
            raise LinkError("This link is closed or already being negotiated.", code="gathering-failed")
        # The servers are given to the gathering itself, see _describe.
        connection = aiortc.RTCPeerConnection(
            aiortc.RTCConfiguration(
                iceServers=[],
                iceTransportPolicy=(
                    aiortc.RTCIceTransportPolicy.RELAY
                    if self._ice.relay_only
                    else aiortc.RTCIceTransportPolicy.ALL
                ),
            )
        )
        self._connection = connection
        connection.on("connectionstatechange", self._on_state)
        connection.on("datachannel", self._adopt)
        return connection

    def _live(self) -> aiortc.RTCPeerConnection:
        if self._connection is None or self._over:
            raise LinkError("The link is closed or was never offered.", code="gathering-failed")
        return self._connection

    async def _describe(self) -> str:
        connection = self._live()
        sctp = connection.sctp
        if sctp is None:
            raise LinkError("The description has no section for data channels.", code="bad-sdp")
        gather_through(
            sctp.transport.transport.iceGatherer._connection,  # noqa: SLF001 - aiortc gives no other way to it
            [parse_stun_url(url) for url in self._ice.stun],
            self._logins,
            relay_only=self._ice.relay_only,
            patience=self._patience,
        )
        describing = asyncio.ensure_future(connection.setLocalDescription())
        try:
            await asyncio.wait({describing, self._ended}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not describing.done():
                describing.cancel()
                await asyncio.wait({describing})
        self._live()
        describing.result()
        return complete_description(connection.localDescription.sdp)

    def _on_state(self) -> None:
        connection = self._connection
        if connection is not None and connection.connectionState in {"failed", "closed"}:
            self._end(PATH_LOST if connection.connectionState == "failed" else CLOSED_BY_PEER)

    def _create(self, label: str, *, ordered: bool, reliable: bool) -> DataChannel:
        return self._live().createDataChannel(label, ordered=ordered, maxRetransmits=None if reliable else 0)

    def _attach(self, channel: DataChannel) -> None:
        assert isinstance(channel, aiortc.RTCDataChannel)  # noqa: S101 - what _create and the library give
        label = channel.label
        channel.bufferedAmountLowThreshold = limits.LINK_LOW_WATER_BYTES
        channel.on("open", lambda: self._on_open(label))
        channel.on("message", lambda data: self._on_message(label, data))
        channel.on("bufferedamountlow", lambda: self._on_low(label))
        channel.on("close", lambda: self._end(CLOSED_BY_PEER))

    _refusals = (InvalidStateError, ValueError)

    def _refused(self, error: Exception) -> LinkError:
        if isinstance(error, InvalidStateError):
            return LinkError("The channel is not open. The message was not sent.", code="not-open")
        return LinkError(f"The other side takes no message of this size: {error}.", code="too-large")

    def _shut(self) -> None:
        if self._connection is not None:
            self._close_later(self._connection)


@contextlib.contextmanager
def _mapping(code: str, what: str) -> Iterator[None]:
    """Turn the library's errors into ours.

    A description from outside goes through aiortc's parser, which is written for well-formed ones: any
    of Python's own errors may come out of it.
    """
    try:
        yield
    except LinkError:
        raise
    except _LIBRARY_ERRORS as error:
        raise LinkError(f"{what}: {error!r}.", code=code) from error


_LIBRARY_ERRORS = (
    InternalError,
    InvalidAccessError,
    InvalidStateError,
    OperationError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
