"""What streams send on: the link in service, and the lanes beside it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol

from p4.core.candidates import candidate_filter, keep_candidates
from p4.core.identity import PeerId
from p4.core.policy import Policy
from p4.core.session.lane_frames import LANES
from p4.core.session.stream_frames import Data, StreamFrame
from p4.node.context import PeerContext
from p4.node.lanes.bundle import BulkCarrier, LaneBundle
from p4.node.lanes.roster import LaneTerms

__all__ = ["LinkTransport", "StreamLink", "lane_terms"]


class StreamLink(BulkCarrier, Protocol):
    """The link in service, as far as streams need it."""

    @property
    def capabilities(self) -> frozenset[str]:
        """What the contact announced for this link."""


class LinkTransport:
    """Implements `p4.node.streams.sending.StreamTransport` for one link.

    Args:
        peer_id: the contact.
        policy: what it may learn about our addresses.
        granted: whether the contact is known to let us use a service.
        receive: takes DATA that arrives on lanes; raises FrameError.
        lost: told which bytes of which stream have to be sent again: stream, begin, end.
    """

    def __init__(
        self,
        link: StreamLink,
        context: PeerContext,
        peer_id: PeerId,
        policy: Policy,
        *,
        granted: Callable[[str], bool],
        receive: Callable[[Data], None],
        lost: Callable[[int, int, int], None],
    ) -> None:
        self._link = link
        self.lanes = LaneBundle(
            link,
            lane_terms(context, policy) if LANES in link.capabilities else LaneTerms(None, None),
            lower=context.authenticator.me_for(peer_id) < peer_id,
            clock=context.clock,
            entropy=context.entropy,
            receive=receive,
            lost=lost,
        )
        self.granted = granted
        self.bulk_room = self.lanes.room
        self.send_data = self.lanes.send_data
        self.fail = link.fail

    @property
    def bulk_turn(self) -> int:
        """Most bytes of one DATA frame, for as much as `bulk_room` said last."""
        return self.lanes.turn

    def send(self, frame: StreamFrame) -> None:
        """Send a frame on the ordered channel. Raises LinkError."""
        self._link.send([frame])

    def bulk_drained(self) -> Awaitable[None]:
        """Wait until there may be room, or the link is over."""
        return self.lanes.drained()

    def close(self) -> None:
        """The link is over."""
        self.lanes.close()


def lane_terms(context: PeerContext, policy: Policy) -> LaneTerms:
    """What lanes to a contact with this policy may be made of."""
    options = context.options
    ice = options.ice.under(policy)
    return LaneTerms(
        context.backend if options.peer_lanes else None,
        context.stream_lanes if options.stream_lanes and not ice.relay_only else None,
        ice,
        partial(keep_candidates, wanted=candidate_filter(policy, relays=True)),
        local_only=policy is Policy.LAN_ONLY,
    )
