"""What a user can choose about a node. Every field has a sensible default."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from p4.core import limits
from p4.core.address import Transport
from p4.core.ice import IceSettings
from p4.core.session.messages.stored import Quota

__all__ = ["NodeOptions"]


@dataclass(frozen=True, slots=True)
class NodeOptions:
    """Settings of one run of a node."""

    transport: Transport = Transport.ONION
    """How others reach our signaling, and so which address our invites name."""
    signal_host: str = "127.0.0.1"
    """Direct mode: the local address to listen on."""
    signal_port: int = 0
    """TCP port of the signaling listener: direct mode, and onion mode where there are no unix sockets.
    0 chooses a free one."""
    advertise: tuple[str, int] | None = None
    """Direct mode: host and port that invites name; the listening ones if None."""
    ice: IceSettings = field(default_factory=IceSettings)
    """STUN and TURN servers."""
    onionrelay_bin: Path | None = None
    """The Tor program; None looks in P4_ONIONRELAY_BIN, the p4-tor package and PATH, in this order."""
    onionrelay_socks_port: int | None = None
    """Force Tor's SOCKS listener onto this TCP port instead of a unix socket."""
    onionrelay_control_port: int | None = None
    """Force Tor's control listener onto this TCP port (with SAFECOOKIE) instead of a unix socket."""
    torrc_lines: tuple[str, ...] = ()
    """Extra lines for Tor's configuration: bridges, pluggable transports, a private network."""
    direct_signaling: bool = True
    """Listen on all interfaces for signaling of contacts, which are told our addresses, ask the router to
    pass it on, and dial theirs: the quickest way back after a change of network. Without it only the
    rendezvous of the invite is used, and what `lan` finds."""
    lan: bool = True
    """Let contacts on the same local network find this device, and look for them there."""
    v1_invites: bool = False
    """Onion mode: publish the open address, which invites of version 1 name, also while no contact needs it.
    A contact that was added from such an invite needs it until it has exchanged gates (spec/gate.md)."""
    retry_seconds: float | None = None
    """Longest delay between two attempts to reach a contact; None for ``limits.RETRY_MAX_SECONDS``."""
    link_backend: str = "auto"
    """``wrtc``, ``aiortc`` or ``auto`` (wrtc where it is installed). P4_LINK_BACKEND overrides auto."""
    peer_lanes: bool = True
    """Whether streams may get further WebRTC connections on long, lossy paths (spec/lanes.md)."""
    port_guessing: bool = True
    """Whether, where the NATs of both sides let no other direct path through, one side opens many UDP ports
    and the other tries some at random, for a few seconds (spec/punch.md)."""
    stream_lanes: bool = True
    """Whether streams may go over TLS and TCP where a contact can be reached so (spec/lanes.md)."""
    quota: Quota = field(default_factory=lambda: Quota(limits.OUTBOX_MESSAGES, limits.OUTBOX_BYTES))
    """Messages, and bytes of their bodies, that may wait for one contact; beyond it ``send`` refuses more."""
    on_warning: Callable[[str], None] | None = None
    """Told in one sentence about things set aside or mended while the state was opened."""
