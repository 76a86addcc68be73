"""asyncio over TCP and over TLS, as a careful program would use it: a protocol, not stream readers."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import ssl
import struct
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bench.pipe import HIGH_WATER, LOW_WATER, Exchange, Pipe, Stack

_LENGTH = struct.Struct(">I")


class StreamPipe(Pipe, asyncio.Protocol):
    """Messages over a byte stream, each behind its length."""

    def __init__(self) -> None:
        super().__init__()
        self._received = bytearray()
        self._paused = False
        self._resumed = asyncio.Event()
        self._closed = asyncio.Event()
        self.opened = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=HIGH_WATER, low=LOW_WATER)
        self.opened.set()

    def data_received(self, data: bytes) -> None:
        received = self._received
        received += data
        position, end = 0, len(received)
        while end - position >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(received, position)
            start = position + _LENGTH.size
            if end - start < length:
                break
            position = start + length
            self.on_message(bytes(received[start:position]))
        del received[:position]

    def connection_lost(self, exc: Exception | None) -> None:
        self._closed.set()
        self._resumed.set()

    def pause_writing(self) -> None:
        self._paused = True
        self._resumed.clear()

    def resume_writing(self) -> None:
        self._paused = False
        self._resumed.set()

    def send(self, message: bytes) -> None:
        self._transport.write(_LENGTH.pack(len(message)) + message)

    @property
    def full(self) -> bool:
        return self._paused

    async def drained(self) -> None:
        if self._paused:
            await self._resumed.wait()

    async def close(self) -> None:
        self._transport.close()
        await self._closed.wait()


class TcpStack(Stack):
    """TCP on 127.0.0.1."""

    _certificate: Path | None = None

    def __init__(self, role: str, exchange: Exchange) -> None:
        super().__init__(role, exchange)
        self._port = 0
        self._accepted: asyncio.Queue[StreamPipe] = asyncio.Queue()

    async def start(self) -> None:
        if self.role == "a":
            self._port = await self.exchange.receive()
            return
        server = await asyncio.get_running_loop().create_server(
            self._serve, "127.0.0.1", 0, ssl=self._server_tls()
        )
        self.exchange.send(server.sockets[0].getsockname()[1])

    def _serve(self) -> StreamPipe:
        pipe = StreamPipe()
        self._accepted.put_nowait(pipe)
        return pipe

    def _server_tls(self) -> ssl.SSLContext | None:
        return None

    def _client_tls(self) -> ssl.SSLContext | None:
        return None

    async def dial(self) -> Pipe:
        _, pipe = await asyncio.get_running_loop().create_connection(
            StreamPipe, "127.0.0.1", self._port, ssl=self._client_tls()
        )
        return pipe

    async def accept(self) -> Pipe:
        self.ready()
        pipe = await self._accepted.get()
        await pipe.opened.wait()
        return pipe


class TlsStack(TcpStack):
    """TLS over TCP on 127.0.0.1, with a certificate that both workers know."""

    directory: Path

    def _server_tls(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.directory / "certificate.pem", self.directory / "key.pem")
        return context

    def _client_tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.directory / "certificate.pem"))


def make_certificate(directory: Path) -> None:
    """Write key.pem and certificate.pem for 127.0.0.1, valid for a day."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bench")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (directory / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (directory / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
