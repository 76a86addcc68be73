"""Envelopes out and in: who sent a line, whether it may be believed, who may read it (spec/envelope.md)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

from p4.core import envelope, limits
from p4.core.contacts import Contact
from p4.core.envelope import Unverified, Verified
from p4.core.identity import Identity, PeerId
from p4.core.own_keys import OwnKeys
from p4.core.replay import ReplayWindow
from p4.core.sealing import is_sealed, open_payload, seal_payload
from p4.core.session.binding import Binding, LinkProof
from p4.core.signaling import (
    PROTOCOL_2,
    Answer,
    Busy,
    Cancel,
    Candidates,
    Offer,
    Ping,
    Pong,
    SignalingMessage,
    UnsignedFailure,
    parse_payload,
    parse_reply,
)
from p4.core.veil import unveil
from p4.errors import EnvelopeError, SignalingError
from p4.node.key_changes import KeyChanges
from p4.node.key_ring import KeyRing
from p4.ports import Clock, Entropy, Store

__all__ = ["Authenticated", "Authenticator"]


@dataclass(frozen=True, slots=True)
class Authenticated:
    """A message whose sender is certain.

    Args:
        sealed: nobody but us could read it.
    """

    contact: Contact
    message: SignalingMessage
    verified: Verified
    sealed: bool

    @property
    def protocol(self) -> int:
        """The version that the sender speaks, as far as this message shows."""
        announces = isinstance(self.message, Offer | Answer | Ping | Pong) and self.message.p4 is not None
        newer = announces or isinstance(self.message, Busy | Cancel | Candidates)  # unknown to version 1
        return PROTOCOL_2 if self.sealed or newer else 1


class _Bucket:
    """Token bucket: bursts up to a capacity, a rate for ever."""

    def __init__(self, now: float) -> None:
        self._level = float(limits.BUCKET_CAPACITY)
        self._at = now

    def take(self, now: float) -> bool:
        refill = (now - self._at) * limits.BUCKET_PER_SECOND
        self._level = min(float(limits.BUCKET_CAPACITY), self._level + refill)
        self._at = now
        if self._level < 1:
            return False
        self._level -= 1
        return True


@dataclass(slots=True)
class _Admitted:
    """An offer that may come again over other streams."""

    until: float
    copies: int = 0


class Authenticator:
    """Seals our messages and opens those of contacts.

    Args:
        find: gives the contact of an id, or None for a stranger.
        ring: our keys, where there may be more than one.
    """

    def __init__(
        self,
        identity: Identity,
        store: Store,
        clock: Clock,
        entropy: Entropy,
        find: Callable[[PeerId], Contact | None],
        ring: KeyRing | None = None,
    ) -> None:
        self._ring = ring or KeyRing(OwnKeys(identity), lambda _: None)
        self.key_changes: KeyChanges | None = None
        """Told which keys are in use; to be set before the first envelope."""
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._find = find
        self._windows: dict[PeerId, ReplayWindow] = {}
        self._buckets: dict[PeerId, _Bucket] = {}
        self._locks: dict[PeerId, asyncio.Lock] = {}
        self._offers: dict[PeerId, dict[bytes, _Admitted]] = {}

    @property
    def me(self) -> PeerId:
        """Our own id, as new contacts learn it."""
        return self._ring.current.peer_id

    def me_for(self, peer_id: PeerId) -> PeerId:
        """The id by which a contact knows us."""
        return self._ring.name_for(peer_id)

    def own_key_for(self, peer_id: PeerId) -> bytes:
        """Our public key, as a contact knows it."""
        return self._ring.signer_for(peer_id).public_key

    def new_session_id(self) -> str:
        """A fresh id for a request: a version 4 UUID, as v1 has it."""
        return str(UUID(bytes=self._entropy.token(16), version=4))

    def proof(self, contact: Contact, binding: Binding) -> LinkProof:
        """What binds a new link to us and the contact."""
        known = self._find(contact.peer_id) or contact
        signer = self._ring.signer_for(contact.peer_id)
        return LinkProof.make(signer, known.public_key, binding, *known.trust.waning_keys)

    def seal(self, recipient: PeerId, message: SignalingMessage, *, encrypt_to: bytes | None = None) -> bytes:
        """One signed line for a contact.

        Args:
            encrypt_to: the contact's Ed25519 public key, where only it shall read the message.

        Raises:
            ValueError: the message does not fit into a line.
        """
        payload = message.to_payload()
        signer = self._ring.signer_for(recipient)
        if encrypt_to is not None:
            if (known := self._find(recipient)) is not None:
                encrypt_to = known.public_key  # it may have rotated since the stream was opened
            payload = seal_payload(payload, sender_key=signer.public_key, recipient_key=encrypt_to)
        return envelope.seal(
            signer,
            recipient,
            payload,
            timestamp_ms=self._clock.wall_ms(),
            nonce=self._entropy.token(limits.NONCE_BYTES),
        )

    def unveil(self, line: bytes) -> bytes:
        """The line inside a veiled one. Raises SignalingError."""
        *others, last = self._ring.readers()
        for identity in others:
            try:
                return unveil(line, identity)
            except SignalingError:
                continue
        return unveil(line, last)

    def open(self, line: bytes, contact: Contact | None = None) -> Authenticated | UnsignedFailure:
        """Find out who sent a line. It may still be a replay: a request must be admitted before it counts.

        Args:
            contact: the far end, where it is known already; the line must be its own.

        Raises:
            EnvelopeError: stranger, malformed, forged or too old.
            SignalingError: a contact's payload makes no sense, or is sealed and cannot be opened.
        """
        unverified = parse_reply(line)
        if isinstance(unverified, UnsignedFailure):
            return unverified
        known = self._find(unverified.sender)
        now_ms = self._clock.wall_ms()
        if known is None or (contact is not None and known.peer_id != contact.peer_id):
            me = unverified.recipient if self._ring.is_ours(unverified.recipient) else self.me
            unverified.refuse_stranger(self._ring.current.public_key, me=me, now_ms=now_ms)
        verified, sender_key = self._verify(unverified, known, now_ms)
        payload, sealed = verified.payload, is_sealed(verified.payload)
        if sealed:
            payload = self._unseal(payload, known, sender_key)
        message = parse_payload(payload)
        if sealed and isinstance(message, Offer | Answer) and message.p4 is None:
            # Who can seal is version 2: without its announcement the link would have only version 1's proof.
            raise SignalingError("A sealed description has no announcement.", code="bad-announcement")
        return Authenticated(known, message, verified, sealed)

    def _verify(self, unverified: Unverified, contact: Contact, now_ms: int) -> tuple[Verified, bytes]:
        """What a contact signed, and with which of its keys. Raises EnvelopeError."""
        me, trust = self.me_for(contact.peer_id), contact.trust
        if unverified.recipient == self.me != me:
            unverified.verify(contact.public_key, me=self.me, now_ms=now_ms, contact=contact.peer_id)
            if self.key_changes:
                self.key_changes.known_anew(contact.peer_id)
            raise EnvelopeError("The contact knows this device anew; it tries again.", code="known-anew")
        refusal: EnvelopeError | None = None
        for key in (contact.public_key, *trust.waning_keys, *trust.retired_keys):
            try:
                verified = unverified.verify(key, me=me, now_ms=now_ms, contact=contact.peer_id)
            except EnvelopeError as error:
                if error.code != "bad-signature":
                    raise
                refusal = refusal or error
                continue
            if key in trust.retired_keys:
                if self.key_changes:
                    self.key_changes.retired_key_used(contact, verified.timestamp_ms)
                raise EnvelopeError("The key was replaced by another one.", code="retired-key")
            if trust.waning and key == contact.public_key and self.key_changes:
                self.key_changes.contact_key_used(contact.peer_id, verified.timestamp_ms)
            return verified, key
        assert refusal is not None  # noqa: S101 - there is at least one key
        raise refusal

    def _unseal(
        self, payload: Mapping[str, object], contact: Contact, sender_key: bytes
    ) -> Mapping[str, object]:
        """The payload inside, for whichever of our keys. Raises SignalingError."""
        *others, last = self._ring.readers_for(contact.peer_id)
        for reader in (*others, last):
            try:
                opened = open_payload(payload, sender_key=sender_key, recipient=reader)
            except SignalingError:
                if reader is last:
                    raise
                continue
            if self.key_changes:
                self.key_changes.own_key_used(contact.peer_id, reader.public_key)
            return opened
        raise AssertionError("there is always a key")

    async def admit(self, request: Authenticated) -> bool:
        """Accept a request for the first and only time, or an offer again that came over another stream.

        Replies need no admission: they count only with the session id of our own open request.

        Returns:
            Whether it is the first; only after the replay window with this envelope is on disk. False for a
            copy of an offer.

        Raises:
            EnvelopeError: ``replayed``.
            SignalingError: ``rate``.
        """
        peer_id, verified = request.contact.peer_id, request.verified
        async with self._locks.setdefault(peer_id, asyncio.Lock()):
            now = self._clock.monotonic()
            window = self._windows.get(peer_id)
            if window is None:
                window = await self._store.load_replay(peer_id)
            try:
                window = window.prune(self._clock.wall_ms()).accept(verified.nonce, verified.timestamp_ms)
            except EnvelopeError:
                if self._is_copy(peer_id, verified.nonce, now):
                    return False
                raise
            # Only now: whoever repeats a contact's old lines must not use up what the contact may send.
            if not self._buckets.setdefault(peer_id, _Bucket(now)).take(now):
                raise SignalingError("The contact sends requests too fast.", code="rate")
            await self._store.save_replay(peer_id, window)
            self._windows[peer_id] = window
            if isinstance(request.message, Offer):
                offers = self._offers.setdefault(peer_id, {})
                offers[verified.nonce] = _Admitted(now + limits.COPY_SECONDS)
            return True

    def _is_copy(self, peer_id: PeerId, nonce: bytes, now: float) -> bool:
        offers = self._offers.get(peer_id, {})
        for gone in [known for known, offer in offers.items() if now >= offer.until]:
            del offers[gone]
        admitted = offers.get(nonce)
        if admitted is None or admitted.copies >= limits.OFFER_COPIES:
            return False
        admitted.copies += 1
        return True

    def meet_anew(self, peer_id: PeerId) -> None:
        """A contact that is added or was removed knows us by our present key. Raises StateError."""
        self._ring.forget(peer_id, now_ms=self._clock.wall_ms())

    def forget(self, peer_id: PeerId) -> None:
        """Drop what is kept in memory about a removed contact."""
        for memory in (self._windows, self._buckets, self._locks, self._offers):
            memory.pop(peer_id, None)
