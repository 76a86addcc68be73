"""The two WebRTC libraries alone: one ordered reliable channel, host candidates, nothing of ours around."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from typing import Any

from bench.pipe import HIGH_WATER, LOW_WATER, Exchange, Pipe, Stack


class ChannelPipe(Pipe):
    """A data channel. Both libraries follow the browsers' interface, in two spellings."""

    def __init__(self, connection: Any, channel: Any) -> None:
        super().__init__()
        self._connection = connection
        self._channel = channel
        self._low = asyncio.Event()
        self.opened = asyncio.Event()
        channel.bufferedAmountLowThreshold = channel.buffered_amount_low_threshold = LOW_WATER
        channel.on("open", lambda *_: self.opened.set())
        channel.on("message", self._on_message)
        channel.on("bufferedamountlow", lambda *_: self._low.set())
        if channel.readyState == "open":
            self.opened.set()

    def _on_message(self, event: Any) -> None:
        self.on_message(event if isinstance(event, bytes) else event.data)

    def send(self, message: bytes) -> None:
        self._channel.send(message)

    @property
    def full(self) -> bool:
        return bool(self._channel.bufferedAmount >= HIGH_WATER)

    async def drained(self) -> None:
        self._low.clear()
        if self._channel.bufferedAmount > LOW_WATER:
            await self._low.wait()

    async def close(self) -> None:
        closing = self._connection.close()
        if closing is not None:
            await closing


class WebRtcStack(Stack):
    """Offer and answer with all candidates, carried by the exchange."""

    @abstractmethod
    async def connection(self) -> Any:
        """A new peer connection."""

    @abstractmethod
    async def describe(self, connection: Any, kind: str) -> str:
        """Set the local description and give it when gathering is complete."""

    @abstractmethod
    async def take(self, connection: Any, kind: str, sdp: str) -> None:
        """Set the remote description."""

    @abstractmethod
    def channel(self, connection: Any) -> Any:
        """A new data channel."""

    async def dial(self) -> Pipe:
        connection = await self.connection()
        pipe = ChannelPipe(connection, self.channel(connection))
        self.exchange.send(await self.describe(connection, "offer"))
        await self.take(connection, "answer", await self.exchange.receive())
        await pipe.opened.wait()
        return pipe

    async def accept(self) -> Pipe:
        connection = await self.connection()
        announced: asyncio.Future[ChannelPipe] = asyncio.get_running_loop().create_future()

        def on_channel(event: Any) -> None:
            announced.set_result(ChannelPipe(connection, getattr(event, "channel", event)))

        connection.on("datachannel", on_channel)
        self.ready()
        await self.take(connection, "offer", await self.exchange.receive())
        self.exchange.send(await self.describe(connection, "answer"))
        pipe = await announced
        await pipe.opened.wait()
        return pipe


class WrtcStack(WebRtcStack):
    """wrtc: Chrome's library."""

    def __init__(self, role: str, exchange: Exchange) -> None:
        super().__init__(role, exchange)
        import webrtc

        self._library = webrtc
        webrtc.allow_loopback()
        self._certificate: Any = None

    async def start(self) -> None:
        # Reused, as our links do: making one is most of the set-up time.
        self._certificate = await self._library.RTCPeerConnection.generate_certificate("ECDSA")

    async def connection(self) -> Any:
        return self._library.RTCPeerConnection(
            self._library.RTCConfiguration(ice_servers=[], certificates=[self._certificate])
        )

    async def describe(self, connection: Any, kind: str) -> str:
        gathered = asyncio.Event()

        def on_gathering(_: Any) -> None:
            if connection.ice_gathering_state == "complete":
                gathered.set()

        connection.on("icegatheringstatechange", on_gathering)
        await connection.set_local_description()
        await gathered.wait()
        return str(connection.local_description.sdp)

    async def take(self, connection: Any, kind: str, sdp: str) -> None:
        description = self._library.RTCSessionDescriptionInit(getattr(self._library.RTCSdpType, kind), sdp)
        await connection.set_remote_description(description)

    def channel(self, connection: Any) -> Any:
        return connection.create_data_channel("bench")


class AiortcStack(WebRtcStack):
    """aiortc: WebRTC in Python. It does not use loopback addresses, so the machine needs another one."""

    async def connection(self) -> Any:
        import aiortc

        return aiortc.RTCPeerConnection(aiortc.RTCConfiguration(iceServers=[]))

    async def describe(self, connection: Any, kind: str) -> str:
        made = await (connection.createOffer() if kind == "offer" else connection.createAnswer())
        await connection.setLocalDescription(made)
        return str(connection.localDescription.sdp)

    async def take(self, connection: Any, kind: str, sdp: str) -> None:
        import aiortc

        await connection.setRemoteDescription(aiortc.RTCSessionDescription(sdp, kind))

    def channel(self, connection: Any) -> Any:
        return connection.createDataChannel("bench")
