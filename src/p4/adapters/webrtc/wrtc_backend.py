"""Links on `wrtc`, Chrome's WebRTC library with a binding for asyncio. The default.

What this adapter smooths out:

- wrtc runs its own threads but posts every callback, in order, to the loop whose handlers it calls.
- A connection that failed leaves its channels ``open`` for ever: the end of a link is taken from the
  state of the connection as well as from the channel's.
- Operations that are running when the connection is closed end as if their task had been cancelled.
- Generating a certificate is most of the set-up time; one is shared by all links of a process.
- TURN servers without authentication do not work (libwebrtc gives up with error 701): they are left out
  with a warning. Choosing aiortc for such links by ourselves would make all of them ten times slower.
- ``turns:`` servers need a certificate of a public authority that libwebrtc was built with; neither the
  system's trust store nor a private authority is asked. aiortc uses the system's trust store.
- Hosts with no address but loopback's get no candidates unless that is allowed before the first
  connection (`p4.adapters.webrtc.loopback`).
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import time
from collections.abc import Awaitable, Callable, Iterator

import webrtc
from webrtc.models.events import Event, MessageEvent, RTCDataChannelEvent

from p4.adapters.webrtc.base import CLOSED_BY_PEER, PATH_LOST, ChannelLink, DataChannel
from p4.adapters.webrtc.loopback import loopback_needed
from p4.adapters.webrtc.patience import GatheringPatience
from p4.adapters.webrtc.sdp import (
    addresses_of,
    candidates_of,
    complete_description,
    usable_candidate,
    usable_description,
)
from p4.adapters.webrtc.steering import HeldPort, preferred_addresses
from p4.adapters.webrtc.wrtc_path import selected_base, selected_path
from p4.core import limits
from p4.core.candidates import is_no_relay
from p4.core.ice import IceSettings, parse_stun_url
from p4.errors import LinkError
from p4.ports import LinkBackend, LinkEvent, LinkPath

__all__ = ["WrtcBackend", "WrtcLink"]

_CERTIFICATE_MARGIN_SECONDS = 24 * 3600.0
"""A certificate is replaced when less than this is left of its 30 days."""

_RELEASE_SECONDS = 0.03
"""The library takes a moment to let go of a connection; until then a new one inherits its networks."""

_LIBRARY_ERRORS = (webrtc.PythonWebRTCExceptionBase, TypeError, ValueError, RuntimeError)
"""What wrtc raises: its own family, and Python's for values it cannot convert."""

_log = logging.getLogger(__name__)


class WrtcBackend(LinkBackend):
    """Makes links with wrtc.

    Args:
        warn: told in one sentence about a server that wrtc cannot use; by default the log.
        wall_seconds: Unix time, for TURN credentials that expire.
    """

    def __init__(
        self,
        *,
        warn: Callable[[str], None] = _log.warning,
        wall_seconds: Callable[[], float] = time.time,
    ) -> None:
        self._warn = warn
        self._warned: set[str] = set()
        self._patience = GatheringPatience()
        self._wall_seconds = wall_seconds
        self._certificate: webrtc.RTCCertificate | None = None
        self._released_at = 0.0
        if loopback_needed():
            try:
                webrtc.allow_loopback()
            except webrtc.InvalidStateError:
                _log.debug("wrtc made a connection before this backend; loopback candidates stay as they are")

    @property
    def name(self) -> str:
        """``wrtc``."""
        return "wrtc"

    def create(self, ice: IceSettings, sink: Callable[[LinkEvent], None]) -> WrtcLink:
        """See `p4.ports.LinkBackend.create`."""
        return WrtcLink(
            self._configuration(ice),
            self._ready,
            self._patience,
            sink,
            relay_only=ice.relay_only,
        )

    def network_changed(self) -> None:
        """See `p4.ports.LinkBackend.network_changed`.

        libwebrtc looks for networks when the first connection begins, and then every 2 s. With the last one
        the list goes, so that the next begins with the networks of now.
        """
        gc.collect()
        self._released_at = time.monotonic() + _RELEASE_SECONDS

    async def close(self) -> None:
        """Nothing is left to wait for: wrtc closes at once."""

    def _configuration(self, ice: IceSettings) -> webrtc.RTCConfiguration:
        servers = [webrtc.RTCIceServer(urls=parse_stun_url(url).text) for url in ice.stun]
        for turn in ice.turn:
            credentials = turn.credentials(self._wall_seconds())
            if credentials is None:
                self._warn_once(
                    turn.url,
                    f"The TURN server {turn.url} has no credentials and wrtc cannot use such a server; it is "
                    "left out. Give it credentials, or set P4_LINK_BACKEND=aiortc.",
                )
                continue
            servers.append(
                webrtc.RTCIceServer(
                    urls=turn.address.text, username=credentials[0], credential=credentials[1]
                )
            )
        return webrtc.RTCConfiguration(
            ice_servers=servers,
            ice_transport_policy=(
                webrtc.RTCIceTransportPolicy.relay if ice.relay_only else webrtc.RTCIceTransportPolicy.all
            ),
        )

    def _warn_once(self, key: str, sentence: str) -> None:
        if key not in self._warned:
            self._warned.add(key)
            self._warn(sentence)

    async def _ready(self) -> webrtc.RTCCertificate:
        """Wait until a connection may begin; gives its certificate."""
        if (delay := self._released_at - time.monotonic()) > 0:
            await asyncio.sleep(delay)
            gc.collect()
        return await self._current_certificate()

    async def _current_certificate(self) -> webrtc.RTCCertificate:
        found = self._certificate
        if found is None or found.expires / 1000 < time.time() + _CERTIFICATE_MARGIN_SECONDS:
            found = self._certificate = await webrtc.RTCPeerConnection.generate_certificate("ECDSA")
        return found


class WrtcLink(ChannelLink):
    """One link. Made by `WrtcBackend.create`."""

    def __init__(
        self,
        configuration: webrtc.RTCConfiguration,
        certificate: Callable[[], Awaitable[webrtc.RTCCertificate]],
        patience: GatheringPatience,
        sink: Callable[[LinkEvent], None],
        *,
        relay_only: bool,
    ) -> None:
        super().__init__(sink)
        self._configuration = configuration
        self._certificate = certificate
        self._patience = patience
        self._relay_only = relay_only
        self._connection: webrtc.RTCPeerConnection | None = None
        self._gathered: asyncio.Future[None] = self._loop.create_future()
        self._relayed: asyncio.Future[None] = self._loop.create_future()
        """There is a relay: one server has answered several times, what has not answered once is silent."""
        self._found: Callable[[str], None] | None = None
        """Takes candidates that are not in the description any more."""
        self._known: set[str] = set()
        """Every candidate of ours."""
        self._news = asyncio.Event()

    async def offer(
        self,
        label: str,
        found: Callable[[str], None] | None = None,
        *,
        awaited: frozenset[str] = frozenset(),
    ) -> str:
        """See `p4.ports.Link.offer`."""
        with self._mapping("gathering-failed", "The offer could not be made"), contextlib.ExitStack() as held:
            # A network that is preferred now: were the old one used as well, the link would end with it.
            steered = awaited & preferred_addresses() if awaited and not self._relay_only else frozenset()
            if steered:
                with contextlib.suppress(OSError):
                    port = held.enter_context(HeldPort(steered)).number
                    self._configuration.port_range = (port, port)
            await self._connect()
            self.open_channel(label)
            return await self._describe(found, steered or awaited)

    async def answer(self, offer_sdp: str, found: Callable[[str], None] | None = None) -> str:
        """See `p4.ports.Link.answer`."""
        offer_sdp = usable_description(offer_sdp, "offer")
        with self._mapping("gathering-failed", "The answer could not be made"):
            connection = await self._connect()
        with self._mapping("bad-sdp", "The other side's offer cannot be used"):
            await connection.set_remote_description(_description(webrtc.RTCSdpType.offer, offer_sdp))
        with self._mapping("gathering-failed", "The answer could not be made"):
            return await self._describe(found)

    async def accept_answer(self, answer_sdp: str) -> None:
        """See `p4.ports.Link.accept_answer`."""
        answer_sdp = usable_description(answer_sdp, "answer")
        with self._mapping("bad-sdp", "The other side's answer cannot be used"):
            await self._live().set_remote_description(_description(webrtc.RTCSdpType.answer, answer_sdp))

    @property
    def gathered(self) -> bool:
        """See `p4.ports.Link.gathered`."""
        return self._gathered.done()

    def stranded(self, addresses: frozenset[str]) -> bool:
        """See `p4.ports.Link.stranded`."""
        used = selected_base(self._connection) if self._connection is not None else None
        own = {used} if used else addresses_of(self._known)
        return bool(own) and not own & addresses

    async def add_candidate(self, candidate: str) -> None:
        """See `p4.ports.Link.add_candidate`."""
        if self._connection is None or self._over or not usable_candidate(candidate):
            return
        try:
            await self._connection.add_ice_candidate(
                webrtc.RTCIceCandidateInit(candidate=candidate, sdp_m_line_index=0)
            )
        except _LIBRARY_ERRORS as error:
            _log.debug("a candidate of the other side is of no use: %s", error)

    async def path(self) -> LinkPath | None:
        """See `p4.ports.Link.path`."""
        if self._connection is None or self._over:
            return None
        try:
            with self._mapping("not-open", "The library gave no statistics"):
                report = await self._connection.get_stats()
        except LinkError as error:  # closed meanwhile
            _log.debug("no path: %s", error.message)
            return None
        return selected_path(report)

    async def _connect(self) -> webrtc.RTCPeerConnection:
        if self._connection is not None:
            raise LinkError("This link is already being negotiated.", code="gathering-failed")
        self._configuration.certificates = [await self._certificate()]
        if self._over:
            raise LinkError("The link was closed while it was being made.", code="gathering-failed")
        connection = self._connection = webrtc.RTCPeerConnection(self._configuration)
        connection.on("connectionstatechange", self._on_state)
        connection.on("icecandidate", self._on_candidate)
        connection.on("icegatheringstatechange", self._on_gathering)
        connection.on("datachannel", self._on_channel)
        return connection

    def _live(self) -> webrtc.RTCPeerConnection:
        if self._connection is None or self._over:
            raise LinkError("The link is closed or was never offered.", code="gathering-failed")
        return self._connection

    async def _describe(
        self, found: Callable[[str], None] | None, awaited: frozenset[str] = frozenset()
    ) -> str:
        """Set the local description and give it: once gathering is complete or has taken long enough, or,
        if further candidates may follow, quite soon."""
        connection = self._live()
        trickles = found is not None and not self._relay_only
        await connection.set_local_description()
        if awaited and not self._relay_only:
            await self._new_address(awaited)
        if trickles:
            await self._first_of(self._gathered, seconds=limits.TRICKLE_SECONDS)
        else:
            patience = self._patience.seconds(relay_only=self._relay_only)
            await self._first_of(self._gathered, self._relayed, seconds=patience)
            if self._relayed.done():
                await self._first_of(self._gathered, seconds=limits.GATHER_RELAYED_SECONDS)
        complete = self._gathered.done()
        if not self._over and not trickles and (complete or not self._relayed.done()):
            self._patience.ended(complete=complete)
        described = self._live().local_description
        if described is None:
            raise LinkError("The library made no description of this side.", code="gathering-failed")
        self._known |= candidates_of(described.sdp)
        if found is None or not trickles:
            return complete_description(described.sdp)
        # Also when gathering is complete: the library finds addresses that come later by itself.
        self._found = found
        return complete_description(described.sdp, more=not complete)

    async def _first_of(self, *news: asyncio.Future[None], seconds: float) -> None:
        """Wait for one of these or the end of the link, so long at most."""
        await asyncio.wait({*news, self._ended}, timeout=seconds, return_when="FIRST_COMPLETED")

    async def _new_address(self, awaited: frozenset[str]) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limits.NEW_ADDRESS_SECONDS):
                while not self._over and not awaited & addresses_of(self._known):
                    self._news.clear()
                    await self._news.wait()

    def _on_candidate(self, event: webrtc.RTCPeerConnectionIceEvent) -> None:
        candidate = event.candidate
        if self._over or candidate is None or not candidate.candidate or candidate.candidate in self._known:
            return
        self._known.add(candidate.candidate)
        if not is_no_relay(candidate.candidate) and not self._relayed.done():
            self._relayed.set_result(None)
        self._news.set()
        if self._found is not None:
            self._found(candidate.candidate)

    @contextlib.contextmanager
    def _mapping(self, code: str, what: str) -> Iterator[None]:
        """Turn the library's errors into ours, and its cancellation of a closed connection's operations."""
        try:
            yield
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not self._over or (task is not None and task.cancelling()):
                raise
            raise LinkError("The link was closed while it was being made.", code=code) from None
        except _LIBRARY_ERRORS as error:
            raise LinkError(f"{what}: {error}.", code=code) from error

    def _on_state(self, _event: Event) -> None:
        connection = self._connection
        if connection is not None and connection.connection_state in {"failed", "closed"}:
            self._end(PATH_LOST)

    def _on_gathering(self, _event: Event) -> None:
        connection = self._connection
        if (
            connection is not None
            and connection.ice_gathering_state == "complete"
            and not self._gathered.done()
        ):
            self._gathered.set_result(None)
            if self._found is not None and not self._over:
                self._found("")

    def _on_channel(self, event: RTCDataChannelEvent) -> None:
        self._adopt(event.channel)

    def _create(self, label: str, *, ordered: bool, reliable: bool) -> DataChannel:
        kind = webrtc.RTCDataChannelInit(ordered=ordered, max_retransmits=None if reliable else 0)
        with self._mapping("not-open", f"The channel {label!r} could not be created"):
            return self._live().create_data_channel(label, kind)

    def _attach(self, channel: DataChannel) -> None:
        assert isinstance(channel, webrtc.RTCDataChannel)  # noqa: S101 - what _create and _on_channel give
        label = channel.label
        channel.buffered_amount_low_threshold = limits.LINK_LOW_WATER_BYTES

        deliver = self._on_message

        def on_message(event: MessageEvent) -> None:
            # Unchecked, because it is done for each message: binary_type stays arraybuffer, so it is no Blob.
            deliver(label, event.data)  # type: ignore[arg-type]

        channel.on("open", lambda _: self._on_open(label))
        channel.on("message", on_message)
        channel.on("bufferedamountlow", lambda _: self._on_low(label))
        channel.on("close", lambda _: self._end(CLOSED_BY_PEER))

    _refusals = _LIBRARY_ERRORS

    def _refused(self, error: Exception) -> LinkError:
        if isinstance(error, webrtc.OperationError):
            return LinkError("Too much already waits to be sent. Try again later.", code="buffer-full")
        return LinkError(f"The message was not sent: {error}.", code="not-open")

    def _shut(self) -> None:
        if self._connection is not None:
            self._connection.close()
            # Not kept: the library's list of networks lives as long as any connection's object.
            self._connection = None
        self._found = None
        self._news.set()


def _description(kind: webrtc.RTCSdpType, sdp: str) -> webrtc.RTCSessionDescriptionInit:
    return webrtc.RTCSessionDescriptionInit(kind, sdp)
