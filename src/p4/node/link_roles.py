"""Who a link works for: what it tells, and to whom it hands what arrives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from p4.core.session.frames import Frame
from p4.core.session.session_frames import Datagram
from p4.core.session.stream_frames import Data

if TYPE_CHECKING:
    from p4.node.link_session import LinkSession

__all__ = ["LinkObserver", "SessionReceiver"]


class LinkObserver(Protocol):
    """Who is told what becomes of a link."""

    def link_proven(self, generation: int) -> None:
        """The far end proved to be the contact. Answer with `LinkSession.adopt` or `LinkSession.close`."""

    def link_lost(self, generation: int, reason: str, *, by_peer: bool) -> None:
        """It is over and closed. Not called after `LinkSession.close`."""


class SessionReceiver(Protocol):
    """Who takes what arrives on a link in service; `p4.node.relation.Relation`."""

    def link_up(self, link: LinkSession) -> None:
        """The link is in service from now on."""

    def handle(self, frames: Sequence[Frame]) -> None:
        """Frames arrived, in order, that are not the link's own. Raises FrameError, LinkError."""

    def handle_data(self, frame: Data) -> None:
        """Bytes of a stream arrived. Raises FrameError, LinkError."""

    def handle_datagram(self, frame: Datagram) -> None:
        """A datagram arrived."""

    def handle_chat_line(self, text: str) -> None:
        """A text of a version 1 peer arrived."""
