"""The introduced streams of one link: their numbers, and who gets what arrives (spec/introduction.md)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from p4.core.identity import PeerId
from p4.core.session.introduction_frames import Cease, CeaseReason, Convey, Introduce, IntroductionFrame
from p4.errors import FrameError

__all__ = ["IntroductionLink", "Passage"]


class Passage(Protocol):
    """One end of an introduced stream, on one link."""

    def conveyed(self, line: bytes) -> None:
        """A line arrived."""

    def ceased(self, reason: CeaseReason) -> None:
        """The far end, or the end of the link, has ended it."""


class IntroductionLink:
    """Sends and takes the frames of introductions on one link.

    Args:
        send: sends a frame; never raises: a link that takes it not is on its way out.
        room: bytes that the link takes up now.
        lower: whether our peer id is the lower one of the link.
        introduce: given the contact that the far end wants to reach; what its stream leads to, or why it is
            refused.
        brought: the far end brings somebody; the same.
    """

    def __init__(
        self,
        send: Callable[[IntroductionFrame], None],
        *,
        room: Callable[[], int],
        lower: bool,
        introduce: Callable[[int, PeerId], Passage | CeaseReason],
        brought: Callable[[int], Passage | CeaseReason],
    ) -> None:
        self.room = room
        self._send = send
        self._introduce = introduce
        self._brought = brought
        self._next = 0 if lower else 1
        self._last_theirs = -1
        self._passages: dict[int, Passage] = {}
        self._closed = False

    # -- our streams -----------------------------------------------------------------------------------

    def begin(self, passage: Passage) -> int:
        """A number for a stream of ours; its first frame is up to the caller."""
        number, self._next = self._next, self._next + 2
        self._passages[number] = passage
        return number

    def ask(self, number: int, peer_id: PeerId) -> None:
        """Have the far end pass a stream on to a contact of its own."""
        if number in self._passages:
            self._send(Introduce(number, peer_id))

    def convey(self, number: int, line: bytes) -> None:
        """Send a line; nothing if the stream is over."""
        if number in self._passages:
            self._send(Convey(number, line))

    def cease(self, number: int, reason: CeaseReason) -> None:
        """End a stream; nothing if it is over."""
        if self._passages.pop(number, None) is not None and not self._closed:
            self._send(Cease(number, reason))

    # -- what arrives ------------------------------------------------------------------------------------

    def handle(self, frame: IntroductionFrame) -> None:
        """A frame arrived. Raises FrameError (``out-of-turn``) for the number of a stream that is not new."""
        match frame:
            case Introduce(number, peer_id):
                if not self._is_new(number):
                    raise FrameError(
                        f"A request for an introduction has the impossible number {number}.",
                        code="out-of-turn",
                    )
                self._take(number, self._introduce(number, peer_id))
            case Convey(number, line):
                if number not in self._passages and self._is_new(number):
                    self._take(number, self._brought(number))
                if passage := self._passages.get(number):
                    passage.conveyed(line)
            case Cease(number, reason):
                if passage := self._passages.pop(number, None):
                    passage.ceased(reason)

    def close(self) -> None:
        """The link is over, and with it every stream."""
        self._closed = True
        passages = list(self._passages.values())
        self._passages.clear()
        for passage in passages:
            passage.ceased(CeaseReason.OVER)

    # -- inside ------------------------------------------------------------------------------------------

    def _is_new(self, number: int) -> bool:
        return number % 2 != self._next % 2 and number > self._last_theirs

    def _take(self, number: int, outcome: Passage | CeaseReason) -> None:
        self._last_theirs = number
        if isinstance(outcome, CeaseReason):
            self._send(Cease(number, outcome))
        else:
            self._passages[number] = outcome
