"""The invites of a node: made, kept until they are used or expire, met at their places."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Container, Sequence

from p4.core import limits
from p4.core.address import Transport
from p4.core.identity import PeerId, peer_id_of
from p4.core.pairing.link import PairingLink
from p4.core.pairing.open_invite import InviteKind, OpenInvite, parse_invites, serialise_invites
from p4.core.pairing.refusals import pairing_error
from p4.core.pairing.secrets import PairingSecret
from p4.errors import InputError, LocalError, P4Error, PairingError, StateError
from p4.node.background import BackgroundTasks, all_of
from p4.node.events import InviteEnded, NodeEvent, Paired
from p4.node.pairing.hosting import receive_guest
from p4.node.pairing.invite import PairingInvite
from p4.node.pairing.parts import english_words
from p4.node.pairing.registry import Registry
from p4.node.peer import Peer
from p4.ports import SignalStream
from p4.ports.pairing import HostedPlace, MeetingKind, MeetingPlaces

__all__ = ["Invites"]

_log = logging.getLogger(__name__)

_TICK_SECONDS = 15.0
"""How often the clock is looked at for invites that expire: it may jump, and the machine may sleep."""


class Invites:
    """A node's own invites. Reached as `BaseNode.invites`.

    Args:
        registry: the node, as far as pairing needs it.
        places: where guests are met.
        go_on: takes over the stream of a new contact, as one of signaling.
        emit: tells the application.
        background: where what nobody waits for runs.
    """

    def __init__(
        self,
        registry: Registry,
        places: Sequence[MeetingPlaces],
        go_on: Callable[[SignalStream], Awaitable[None]],
        emit: Callable[[NodeEvent], None],
        background: BackgroundTasks,
    ) -> None:
        self._registry = registry
        self._places = places
        self._go_on = go_on
        self._emit = emit
        self._background = background
        self._invites: dict[str, PairingInvite] = {}
        self._by_tag: dict[bytes, PairingInvite] = {}
        self._past: dict[str, PairingInvite] = {}
        self._hosted: dict[str, list[HostedPlace]] = {}
        self._watch: asyncio.Task[None] | None = None
        self._some = asyncio.Event()
        self._closed = False

    async def start(self) -> None:
        """Open the places of what a former run left; expiry is watched from now on."""
        for record in self._load():
            try:
                self._enter(await self._invite_of(record))
            except (P4Error, ValueError):
                self._registry.warn("An open invite could not be read and was left out. Make a new one.")
        self._watch = asyncio.create_task(self._watch_expiry(), name="invites expire")
        for invite in list(self._invites.values()):
            if not invite.record.alive:
                self._end(invite, "ended")
            elif invite.names_another(self._registry.identity.public_key):
                self._end(invite, "rotated")
            elif not self._expire(invite):
                self._background.spawn(self._open_places(invite))
                self._await_claimant(invite)

    # -- for applications --------------------------------------------------------------------------------

    async def create(
        self,
        lifetime: float = limits.PAIRING_SECONDS,
        kind: InviteKind | str = InviteKind.LINK,
        name: str = "",
    ) -> PairingInvite:
        """Make an invite; on disk when this returns, and soon to be met at its places.

        Args:
            lifetime: seconds, from a minute to a week.
            kind: ``link``, ``words`` or ``local-words``.
            name: what the guest shall be called here; empty for what it calls itself.

        Raises:
            InputError: ``bad-lifetime`` or ``bad-kind``. PairingError: ``too-many``, ``no-place``.
            StateError: not written. LocalError: the node is not running.
        """
        self._require_open()
        try:
            kind = InviteKind(kind)
        except ValueError:
            raise InputError(
                f"{kind!r} is no kind of invite. There are {', '.join(InviteKind)}.", code="bad-kind"
            ) from None
        shortest, longest = limits.PAIRING_SHORTEST_SECONDS, limits.PAIRING_LONGEST_SECONDS
        if not shortest <= lifetime <= longest:
            raise InputError(
                f"An invite lives between {shortest} seconds and {longest // 86_400} days, not {lifetime:g} "
                "seconds. None was made.",
                code="bad-lifetime",
            )
        if sum(not invite.ended for invite in self._invites.values()) >= limits.PAIRING_INVITES:
            raise pairing_error("too-many")
        if not self._places_for(kind):
            raise PairingError(
                "This node can be met nowhere for an invite of this kind. Switch the local network on, or "
                "start it with Tor.",
                code="no-place",
            )
        invite = await self._invite_of(self._new_record(kind, lifetime, name))
        while (other := self._by_tag.get(invite.secret.tag)) is not None and not other.ended:
            # Two words on one shelf: a guest of the one would spend the guess of the other.
            if sum(each.kind is kind for each in self.list()) >= limits.PAIRING_LOCAL_INVITES:
                raise pairing_error("too-many")
            invite = await self._invite_of(self._new_record(kind, lifetime, name))
        self._require_open()
        self._enter(invite)
        try:
            self._save()
        except P4Error:
            self._leave(invite)
            raise
        self._background.spawn(self._open_places(invite))
        return invite

    def list(self) -> Sequence[PairingInvite]:
        """The open ones, the oldest first."""
        return [invite for invite in self._invites.values() if not invite.ended]

    def get(self, invite_id: str) -> PairingInvite:
        """An invite by its id, also one that ended in this run. Raises InputError: ``unknown-invite``."""
        invite = self._invites.get(invite_id) or self._past.get(invite_id)
        if invite is None:
            raise InputError("There is no such invite, or it ended long ago.", code="unknown-invite")
        return invite

    async def cancel(self, invite: PairingInvite) -> None:
        """Take an invite back. One that has ended stays as it is. Raises StateError."""
        self._require_open()
        if not invite.ended:
            self._end(invite, "cancelled")

    # -- for the node --------------------------------------------------------------------------------------

    def owns(self, text: str) -> bool:
        """Whether this is the text of an open invite of ours."""
        return any(invite.text == text for invite in self.list())

    def contacts_changed(self, served: Container[PeerId]) -> None:
        """Contacts came or went, or our key is another one.

        A guest that was removed or blocked does not come again by what it had claimed, and nobody by a link
        with a key that we had.

        Args:
            served: the ids of contacts that are not blocked.
        """
        for invite in self.list():
            if code := invite.outlived_by(served, self._registry.identity.public_key):
                try:
                    self._end(invite, code)
                except StateError as error:
                    self._registry.warn(error.message)

    async def close(self) -> None:
        """Close all places. What is open stays on disk, for the next start."""
        self._closed = True
        if self._watch:
            self._watch.cancel()
        for invite in self._invites.values():
            invite.finish("closed")
        hosted = [place for places in self._hosted.values() for place in places]
        self._hosted.clear()
        await all_of(*(place.close() for place in hosted), *(places.close() for places in self._places))

    # -- for visitors (`p4.node.pairing.hosting.HostDesk`) -------------------------------------------------

    def find(self, tag: bytes) -> PairingInvite:
        """See `HostDesk`."""
        invite = self._by_tag.get(tag)
        if invite is None or self._closed:
            raise pairing_error("unknown")
        if not invite.ended:
            self._expire(invite)
        if invite.ended:
            raise pairing_error("used" if invite.code == "paired" else invite.code)
        return invite

    def note_guess(self, invite: PairingInvite) -> None:
        """See `HostDesk`."""
        if not invite.secret.guessable or invite.record.claimed_by:
            return
        if invite.record.guessed:
            raise pairing_error("ended")
        self._write(invite, invite.record.after_guess())

    def guessed_wrong(self, invite: PairingInvite) -> None:
        """See `HostDesk`."""
        if invite.secret.guessable and not invite.ended:
            # Its guest, if there was one, is stored: that nothing was would not be true.
            self._end(invite, "unconfirmed" if invite.record.claimed_by else "ended")

    def claim(self, invite: PairingInvite, guest_key: bytes) -> None:
        """See `HostDesk`."""
        if not invite.record.answers(guest_key):
            raise pairing_error("used")
        if invite.record.claimed_by != guest_key:
            self._write(invite, invite.record.after_claim(guest_key))
            invite.code = "claimed"

    def confirmed(self, invite: PairingInvite, peer: Peer) -> None:
        """See `HostDesk`."""
        if not invite.ended:
            self._emit(Paired(peer.peer_id, peer.contact.label, invite.id))
            self._end(invite, peer)

    def in_doubt(self, invite: PairingInvite, peer: Peer) -> None:
        """See `HostDesk`."""
        if not invite.ended and not invite.doubted and not self._closed:
            invite.doubted = True
            self._background.spawn(self._confirmed_by_link(invite, peer))

    # -- inside ------------------------------------------------------------------------------------------

    def _await_claimant(self, invite: PairingInvite) -> None:
        """A former run has stored the guest, and did not hear whether it has stored us."""
        if key := invite.record.claimed_by:
            invite.code = "claimed"
            if (peer := self._registry.find_contact(peer_id_of(key))) is not None:
                invite.stored = True
                self.in_doubt(invite, peer)

    def _require_open(self) -> None:
        if self._closed:
            raise LocalError("The node is not running. Nothing was changed.", code="not-running")

    def _load(self) -> Sequence[OpenInvite]:
        data = self._registry.parts.load_invites()
        if data is None:
            return []
        try:
            return parse_invites(data)
        except InputError as error:
            self._registry.warn(f"{error.message} It is not used; make new invites.")
            return []

    def _new_record(self, kind: InviteKind, lifetime: float, name: str) -> OpenInvite:
        registry, now_ms = self._registry, self._registry.clock.wall_ms()
        expires_at_ms = (now_ms + int(lifetime * 1000)) // 1000 * 1000
        if kind is InviteKind.LINK:
            own = registry.own_invite()
            address = own.rendezvous if own.rendezvous.transport is Transport.DIRECT else None
            secret = registry.entropy.token(limits.PAIRING_SECRET_BYTES)
            text = PairingLink(secret, own.public_key, expires_at_ms // 1000, address).to_text()
        else:
            local = kind is InviteKind.LOCAL_WORDS
            count = limits.PAIRING_LOCAL_WORDS if local else limits.PAIRING_CODE_WORDS
            text = " ".join(english_words().choose(count, registry.entropy.token(2 * count)))
        invite_id = registry.entropy.token(8).hex()
        return OpenInvite(invite_id, kind, text, now_ms, expires_at_ms, name)

    async def _invite_of(self, record: OpenInvite) -> PairingInvite:
        # A wall clock that is set back, in this run or before it, lengthens no life.
        clock = self._registry.clock
        left_ms = record.expires_at_ms - max(clock.wall_ms(), record.created_ms)
        secret, deadline = await self._secret(record), clock.monotonic() + left_ms / 1000
        return PairingInvite(record, secret, deadline, self.cancel)

    async def _secret(self, record: OpenInvite) -> PairingSecret:
        if record.kind is InviteKind.LINK:
            link = PairingLink.parse(record.text)
            return PairingSecret.of_link(link.secret, link.host_key)
        return await self._registry.parts.secret_of_words(record.text.split())

    def _places_for(self, kind: InviteKind) -> Sequence[MeetingPlaces]:
        direct = self._registry.own_invite().rendezvous.transport is Transport.DIRECT
        wanted = {MeetingKind.LAN}
        if kind is not InviteKind.LOCAL_WORDS and not direct:
            wanted.add(MeetingKind.ONION)
        if kind is InviteKind.LINK and direct:
            wanted.add(MeetingKind.DIRECT)
        return [places for places in self._places if places.kind in wanted]

    async def _open_places(self, invite: PairingInvite) -> None:
        await all_of(*(self._open_place(invite, places) for places in self._places_for(invite.kind)))

    async def _open_place(self, invite: PairingInvite, places: MeetingPlaces) -> None:
        try:
            hosted = await places.host(invite.secret.place_seed(places.kind), self._visited)
        except P4Error as error:
            _log.warning("no place of the kind %s: %s", places.kind, error.message)
            return
        if self._closed or (invite.ended and invite.code != "paired"):
            await hosted.close()
            return
        self._hosted.setdefault(invite.id, []).append(hosted)
        self._background.spawn(self._tell_when_open(invite, hosted))

    async def _tell_when_open(self, invite: PairingInvite, hosted: HostedPlace) -> None:
        waiting = asyncio.ensure_future(hosted.wait_open())
        ended = asyncio.ensure_future(invite.wait_findable())
        try:
            await asyncio.wait({waiting, ended}, return_when=asyncio.FIRST_COMPLETED)
            if waiting.done():
                invite.place_open()
        finally:
            waiting.cancel()
            ended.cancel()

    async def _visited(self, stream: SignalStream) -> None:
        await receive_guest(stream, self, self._registry, self._go_on)

    async def _confirmed_by_link(self, invite: PairingInvite, peer: Peer) -> None:
        """A contact that calls us has us on its disk, whatever became of its last line."""
        try:
            await peer.wait_connected()
        except LocalError:
            return
        self.confirmed(invite, peer)

    async def _watch_expiry(self) -> None:
        while True:
            if not self._invites:
                self._some.clear()
                await self._some.wait()
            soonest = min(invite.seconds_left(self._registry.clock) for invite in self._invites.values())
            await asyncio.sleep(min(_TICK_SECONDS, max(soonest, 0.05)))
            for invite in self.list():
                self._expire(invite)
            self._forget_used()

    def _expire(self, invite: PairingInvite) -> bool:
        if invite.seconds_left(self._registry.clock) > 0:
            return False
        self._end(invite, "unconfirmed" if invite.record.claimed_by else "expired")
        return True

    def _forget_used(self) -> None:
        """The places of used invites stay until they would have expired: a second guest is told ``used``."""
        for invite in list(self._invites.values()):
            if invite.ended and invite.seconds_left(self._registry.clock) <= 0:
                self._leave(invite)
                self._past[invite.id] = invite
        while len(self._past) > limits.PAIRING_INVITES:
            del self._past[next(iter(self._past))]

    def _enter(self, invite: PairingInvite) -> None:
        self._invites[invite.id] = invite
        self._some.set()
        self._by_tag[invite.secret.tag] = invite

    def _leave(self, invite: PairingInvite) -> None:
        self._invites.pop(invite.id, None)
        if self._by_tag.get(invite.secret.tag) is invite:
            del self._by_tag[invite.secret.tag]
        self._close_places(invite)

    def _write(self, invite: PairingInvite, record: OpenInvite) -> None:
        """Change what is known of an invite, on disk first."""
        self._save({invite.id: record})
        invite.record = record

    def _save(self, changed: dict[str, OpenInvite] | None = None) -> None:
        records = [(changed or {}).get(invite.id, invite.record) for invite in self.list()]
        self._registry.parts.save_invites(serialise_invites(records))

    def _end(self, invite: PairingInvite, outcome: Peer | str) -> None:
        """It is over: the secret goes from the disk, and from all places but those of a used one."""
        invite.finish(outcome)
        if isinstance(outcome, str):
            self._emit(InviteEnded(invite.id, outcome, pairing_error(outcome).message))
            self._close_places(invite)
        self._save()

    def _close_places(self, invite: PairingInvite) -> None:
        for place in self._hosted.pop(invite.id, []):
            self._background.spawn(place.close())
