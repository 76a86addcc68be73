"""What all peers of a node share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from p4.core import limits
from p4.core.policy import Policy
from p4.core.reach import common_contact_mark
from p4.core.session.introduction_frames import INTRODUCE
from p4.core.session.lane_frames import LANES
from p4.core.session.rotation_frames import ROTATE
from p4.core.signaling import CALLS, DATAGRAMS, IN_BAND, STREAMS, TRICKLE, WARM, Announcement
from p4.node.authentication import Authenticator
from p4.node.dialler import Dialler
from p4.node.events import NodeEvent
from p4.node.gate import GateKeeper
from p4.node.introductions import Introductions
from p4.node.key_changes import KeyChanges
from p4.node.options import NodeOptions
from p4.node.presence import Presence
from p4.node.services import Services
from p4.ports import Clock, Entropy, LinkBackend, Store
from p4.ports.lane import StreamLanes
from p4.ports.punch import PortGuesser

__all__ = ["PeerContext"]

_CAPABILITIES = frozenset({WARM, CALLS, DATAGRAMS, IN_BAND, INTRODUCE, ROTATE, STREAMS, TRICKLE})


@dataclass(frozen=True, slots=True)
class PeerContext:
    """What a peer shares with the rest of its node.

    Args:
        boot: names this run of the node (spec/signaling.md, Announcement).
        retry_max: seconds, the longest delay between two attempts to reach a contact.
        stream_lanes: makes lanes over TCP (spec/lanes.md), if there is anything that does.
        port_guesser: see `p4.node.parts.NodeParts`.
    """

    authenticator: Authenticator
    boot: str
    retry_max: float
    dialler: Dialler
    backend: LinkBackend
    store: Store
    clock: Clock
    entropy: Entropy
    options: NodeOptions
    emit: Callable[[NodeEvent], None]
    services: Services
    presence: Presence
    introductions: Introductions
    key_changes: KeyChanges
    gate: GateKeeper
    stream_lanes: StreamLanes | None = None
    port_guesser: PortGuesser | None = None

    def announce(self, policy: Policy) -> Announcement:
        """Our announcement for one offer, answer or ping: its nonce is never used again.

        Args:
            policy: of the contact that it is for.
        """
        nonce = self.entropy.token(limits.NONCE_BYTES).hex()
        lanes = {LANES} if self.options.peer_lanes or self.options.stream_lanes else set()
        marks = tuple(common_contact_mark(nonce, peer_id) for peer_id in self.introductions.introducers)
        reach = replace(self.presence.reach(policy), common_contacts=marks)
        capabilities = _CAPABILITIES | lanes | self.gate.capabilities
        return Announcement.ours(capabilities, self.boot, nonce, reach)
