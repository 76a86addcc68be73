"""A signaling stream whose lines only its two ends can read (spec/signaling.md, Veiled lines)."""

from __future__ import annotations

from collections.abc import Callable

from p4.core.signaling import FAILURE_LINE
from p4.core.veil import is_veiled, veil
from p4.errors import RendezvousError
from p4.ports import SignalStream

__all__ = ["VeiledStream"]


class VeiledStream:
    """Veils what is sent and unveils what arrives; implements `p4.ports.SignalStream`.

    The constant failure line stays as it is: it tells nothing, and who sends it may know no key.

    Args:
        stream: owned from now on.
        unveil: gives the line inside a veiled one; raises SignalingError.
        far_key: Ed25519 public key of the far end; None until it has said who it is.
    """

    def __init__(
        self, stream: SignalStream, unveil: Callable[[bytes], bytes], far_key: bytes | None = None
    ) -> None:
        self.far_key = far_key
        self._stream = stream
        self._unveil = unveil

    @property
    def carrier(self) -> SignalStream:
        """What carries the veiled lines."""
        return self._stream

    @property
    def description(self) -> str:
        """For the log."""
        return self._stream.description

    async def receive_line(self) -> bytes | None:
        """See `p4.ports.SignalStream.receive_line`; also raises SignalingError for what cannot be opened."""
        line = await self._stream.receive_line()
        return self._unveil(line) if line is not None and is_veiled(line) else line

    async def send_line(self, line: bytes) -> None:
        """See `p4.ports.SignalStream.send_line`."""
        if line != FAILURE_LINE:
            if self.far_key is None:
                raise RendezvousError("The far end has not said who it is.", code="stream-broken")
            try:
                line = veil(line, self.far_key)
            except ValueError as error:
                raise RendezvousError(f"The line was not sent: {error}.", code="stream-broken") from error
        await self._stream.send_line(line)

    def close(self) -> None:
        """See `p4.ports.SignalStream.close`."""
        self._stream.close()
