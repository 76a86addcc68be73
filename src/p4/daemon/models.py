"""JSON objects that several routes give."""

from __future__ import annotations

from pydantic import BaseModel, Field

from p4.daemon.access.authority import Authority
from p4.node.peer import Peer
from p4.node.status import PeerStatus
from p4.ports import LinkPath

__all__ = ["ContactModel", "ContactName", "PathModel"]


class ContactName(BaseModel):
    """A contact, where only who it is matters."""

    id: str = Field(description="64 hex digits that follow from its public key.")
    name: str = Field(description="As the user calls it; may be empty.")

    @classmethod
    def of(cls, peer: Peer) -> ContactName:
        """From a contact of the node."""
        return cls(id=peer.peer_id, name=peer.name)


class PathModel(BaseModel):
    """Which way a link goes."""

    kind: str = Field(description="`lan`, `direct` or `relay`.")
    local: str = Field(description="Type of our candidate (RFC 8445): host, srflx, prflx or relay.")
    remote: str = Field(description="Type of the other side's candidate.")
    local_address: str = Field(description="Ours with its port; empty if hidden.")
    remote_address: str = Field(description="The other side's, likewise.")
    protocol: str = Field(description="`udp` or `tcp`.")
    round_trip: float | None = Field(description="Seconds, as the link library measured it.")
    bytes_sent: int
    bytes_received: int

    @classmethod
    def of(cls, path: LinkPath) -> PathModel:
        """From a link's path."""
        return cls(
            kind=path.kind.value,
            local=path.local,
            remote=path.remote,
            local_address=path.local_address,
            remote_address=path.remote_address,
            protocol=path.protocol,
            round_trip=path.round_trip,
            bytes_sent=path.bytes_sent,
            bytes_received=path.bytes_received,
        )


class ContactModel(ContactName):
    """A contact and how it is at the moment."""

    connected: bool
    state: str = Field(description="What is going on, in a word or a short phrase.")
    protocol: int = Field(description="Highest protocol seen from it: 0 unknown, 1 or 2.")
    policy: str = Field(description="Which paths may be used: `direct`, `relay-only` or `lan-only`.")
    grants: list[str] = Field(description="The services of this device that it may use.")
    path: PathModel | None = Field(description="Which way the link goes; null without one.")
    round_trip: float | None = Field(description="Seconds, smoothed.")
    sending: float | None = Field(description="Bytes a second that leave on the link, smoothed.")
    receiving: float | None = Field(description="Bytes a second that arrive, likewise.")
    queued_messages: int = Field(description="Accepted and not confirmed by the contact.")
    queued_bytes: int | None
    open_streams: int
    last_seen_ms: int = Field(description="Unix milliseconds when a link was last up; 0 for never.")
    why_not: str = Field(description="A sentence on why there is no link; empty while one is up.")
    next_attempt_ms: int | None = Field(description="Unix milliseconds of the next planned attempt.")
    lanes: str = Field(description="What carries bytes of streams beside the link, in words.")
    verification: str = Field(default="no", description="`no`, `verified`, or `verified-before-rotation`.")
    blocked: bool = Field(default=False, description="Nothing of it is answered, and it is not called.")

    @classmethod
    async def read(cls, peer: Peer) -> ContactModel:
        """A contact as it is now."""
        model = cls.from_status(await peer.status(), peer.grants)
        return model.model_copy(update={"verification": peer.verification.value, "blocked": peer.blocked})

    def seen_by(self, access: Authority) -> ContactModel:
        """All of it for the owner. An app does not learn where devices are, nor of services of others."""
        if access.is_owner:
            return self
        hidden = {"local_address": "", "remote_address": ""}
        path = None if self.path is None else self.path.model_copy(update=hidden)
        grants = [grant for grant in self.grants if access.may_use(grant)]
        return self.model_copy(update={"path": path, "grants": grants})

    @classmethod
    def from_status(cls, status: PeerStatus, grants: tuple[str, ...]) -> ContactModel:
        """From the figures of a contact."""
        return cls(
            id=status.peer_id,
            name=status.name,
            connected=status.connected,
            state=status.state,
            protocol=status.protocol,
            policy=status.policy.value,
            grants=list(grants),
            path=None if status.path is None else PathModel.of(status.path),
            round_trip=status.round_trip,
            sending=status.sending,
            receiving=status.receiving,
            queued_messages=status.queued_messages,
            queued_bytes=status.queued_bytes,
            open_streams=status.open_streams,
            last_seen_ms=status.last_seen_ms,
            why_not=status.why_not,
            next_attempt_ms=status.next_attempt_ms,
            lanes=status.lanes,
        )
