"""A signaling stream that a common contact passes on (spec/introduction.md)."""

from __future__ import annotations

from p4.core import limits
from p4.core.identity import PeerId
from p4.core.session.introduction_frames import CeaseReason
from p4.errors import FrameError, RendezvousError
from p4.node.in_band import InBandStream
from p4.node.introduction_link import IntroductionLink

__all__ = ["IntroducedStream"]


class IntroducedStream(InBandStream):
    """Our end of it; what goes over it should be veiled. A `p4.node.introduction_link.Passage`.

    Args:
        link: of the common contact.
        number: of the stream, if the common contact began it.
    """

    def __init__(self, link: IntroductionLink, description: str, number: int | None = None) -> None:
        super().__init__(self._convey, description, closed=self._cease)
        self._link = link
        self._number = link.begin(self) if number is None else number

    def ask_for(self, peer_id: PeerId) -> None:
        """Have the common contact begin it: whom we want to reach."""
        self._link.ask(self._number, peer_id)

    def conveyed(self, line: bytes) -> None:
        """See `p4.node.introduction_link.Passage`."""
        try:
            self.arrived(line)
        except FrameError:
            self.close()  # whoever sends too much may be the far end, not the common contact

    def ceased(self, reason: CeaseReason) -> None:
        """See `p4.node.introduction_link.Passage`."""
        match reason:
            case CeaseReason.OVER:
                self.end()
            case CeaseReason.REFUSED:
                text = "The common contact does not introduce us, or not so often."
                self.end(RendezvousError(text, code="refused"))
            case CeaseReason.NOT_LINKED:
                text = "The common contact has no link to whom we look for."
                self.end(RendezvousError(text, code="not-linked"))

    def _convey(self, line: bytes) -> None:
        if not 0 < len(line) <= limits.CONVEYED_LINE_BYTES:
            raise ValueError(f"a line over a common contact has 1 to {limits.CONVEYED_LINE_BYTES} bytes")
        self._link.convey(self._number, line)

    def _cease(self) -> None:
        self._link.cease(self._number, CeaseReason.OVER)
