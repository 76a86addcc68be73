"""Who of our contacts is on the local network (spec/lan.md): our tags out, theirs recognised.

    contacts ──► keys of pairs ──► tags of this period ──► LanDiscovery.announce
    LanDiscovery ──► sightings ──► a look into a table ──► found, gone

What is found is a hint: anybody can repeat an announcement. Whoever dials an address learns by the signatures
there whether it is the contact.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from p4.core import limits
from p4.core.address import RendezvousAddress, Transport
from p4.core.identity import Identity, PeerId
from p4.core.lan import (
    Recognition,
    announced_tags,
    chosen_contacts,
    filling_key,
    lan_tag,
    pair_key,
    period_of,
)
from p4.ports import Clock, Entropy
from p4.ports.lan import LanDeparture, LanDiscovery, LanEvent, LanSighting

__all__ = ["LanContact", "LanPresence"]

_log = logging.getLogger(__name__)

LanContact = tuple[PeerId, bytes]
"""A contact's id and its raw Ed25519 key."""


@dataclass(slots=True)
class _Place:
    """Where a contact shows itself.

    Args:
        sightings: its announcements by name, the oldest first; at most ``limits.LAN_SOURCES``.
        told: the addresses of the last `LanPresence` ``found``; none after ``gone``.
        told_at: when that was, in seconds of the loop's clock.
        lost_at: when an announcement of it departed last, likewise.
        timer: will tell what has changed since.
    """

    sightings: dict[str, LanSighting] = field(default_factory=dict)
    told: tuple[RendezvousAddress, ...] = ()
    told_at: float = float("-inf")
    lost_at: float = float("-inf")
    timer: asyncio.TimerHandle | None = None

    @property
    def addresses(self) -> tuple[RendezvousAddress, ...]:
        """All of them, of the newest announcement first: an older one may be of a process that was killed."""
        addresses = [
            RendezvousAddress(Transport.DIRECT, host, sighting.port)
            for sighting in reversed(self.sightings.values())
            for host in sighting.addresses
        ]
        return tuple(dict.fromkeys(addresses))[: limits.LAN_ADDRESSES]


class LanPresence:
    """Our presence on the local network, as long as the node runs.

    Args:
        contacts: whom we look for and who may find us: those that may know our addresses, the one that we
            were connected with last first. Asked again after `contacts_changed` and in each period.
        found: told where a contact is, and again if that changes; at most once in
            ``limits.LAN_FOUND_SECONDS`` for each. At least one address, the likeliest first.
        gone: told that it is not there any more, after ``found``.
        identity_for: the identity by which a contact knows us, where that is not ``identity`` for all.
    """

    def __init__(
        self,
        discovery: LanDiscovery,
        identity: Identity,
        clock: Clock,
        entropy: Entropy,
        *,
        contacts: Callable[[], Sequence[LanContact]],
        found: Callable[[PeerId, tuple[RendezvousAddress, ...]], None],
        gone: Callable[[PeerId], None],
        identity_for: Callable[[PeerId], Identity] | None = None,
    ) -> None:
        self._discovery = discovery
        self._identity_for = identity_for or (lambda _: identity)
        self._filling = filling_key(identity)
        self._clock = clock
        self._entropy = entropy
        self._contacts = contacts
        self._found = found
        self._gone = gone
        self._recognition = Recognition(self._present)
        self._keys: dict[PeerId, tuple[bytes, bytes]] = {}
        """Of each contact that is recognised, our key and its own: either may be replaced by another."""
        self._strangers: dict[str, LanSighting] = {}
        self._owners: dict[str, PeerId] = {}
        self._places: dict[PeerId, _Place] = {}
        self._wake = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None

    async def start(self, port: int) -> None:
        """Begin to look and to be seen.

        Args:
            port: TCP port of our signaling on every interface; 0 if there is none, and we only look.
        """
        await self._discovery.start(port, self._observe)
        self._worker = asyncio.create_task(self._work(), name="presence on the local network")
        self._worker.add_done_callback(_tell_failure)

    def contacts_changed(self) -> None:
        """A contact came, went, or may know our addresses now, or not any more."""
        self._wake.set()

    def network_changed(self) -> None:
        """Our addresses or routes changed, or the machine slept."""
        self._discovery.network_changed()
        self._wake.set()  # it may have slept into another period

    async def close(self) -> None:
        """Vanish from the network; neither ``found`` nor ``gone`` is told any more. Takes less than 1 s."""
        if self._worker is not None:
            self._worker.cancel()
        for place in self._places.values():
            if place.timer is not None:
                place.timer.cancel()
        self._places.clear()
        await self._discovery.close()

    def addresses_of(self, peer_id: PeerId) -> tuple[RendezvousAddress, ...]:
        """Where a contact was last found; empty if it is not here."""
        place = self._places.get(peer_id)
        return place.told if place else ()

    # --- us -----------------------------------------------------------------------------------------------

    @property
    def _present(self) -> int:
        return period_of(self._clock.wall_ms())

    async def _work(self) -> None:
        """Keep tags and table current: at the begin of each period, and when the contacts change."""
        shown = self._present
        while True:
            self._wake.clear()
            self._recognition.advance(self._present)
            contacts = self._contacts()
            self._forget_all_but({peer_id for peer_id, _ in contacts})
            await self._learn(contacts[: limits.LAN_TAGS])
            self._announce(contacts, shown)  # before thousands of others are learnt, which takes seconds
            await self._learn(contacts)
            self._announce(contacts, shown)
            self._look_again()
            while not self._wake.is_set() and self._present == shown:
                await self._pause(limits.LAN_TICK_SECONDS)
            if self._present != shown:
                self._recognition.advance(self._present)
                # Not at the same moment as all other nodes of the network.
                await self._pause(self._entropy.uniform(0, limits.LAN_JITTER_SECONDS))
                shown = self._present

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _learn(self, contacts: Sequence[LanContact]) -> None:
        """Compute what is missing, a little at a time: the node has other work."""
        keys = {peer_id: (self._identity_for(peer_id).public_key, key) for peer_id, key in contacts}
        fresh = [one for one in contacts if self._keys.get(one[0]) != keys[one[0]]]
        for number, (peer_id, public_key) in enumerate(fresh, start=1):
            if peer_id in self._recognition:
                self._recognition.remove(peer_id)
            self._recognition.add(peer_id, pair_key(self._identity_for(peer_id), public_key))
            self._keys[peer_id] = keys[peer_id]
            if number % limits.LAN_CONTACTS_PER_TURN == 0:
                await asyncio.sleep(0)

    def _announce(self, contacts: Sequence[LanContact], period: int) -> None:
        known = [peer_id for peer_id, _ in contacts if peer_id in self._recognition]
        tags = [
            lan_tag(key, period, self._identity_for(peer_id).peer_id)
            for peer_id in chosen_contacts(known, period)
            if (key := self._recognition.key_with(peer_id)) is not None
        ]
        self._discovery.announce(announced_tags(tags, self._filling, period) if tags else ())

    def _forget_all_but(self, wanted: set[PeerId]) -> None:
        for peer_id in self._recognition:
            if peer_id not in wanted:
                self._recognition.remove(peer_id)
                self._keys.pop(peer_id, None)
                place = self._places.pop(peer_id, None)
                if place is not None:
                    self._leave(peer_id, place)

    def _leave(self, peer_id: PeerId, place: _Place) -> None:
        """It is no contact any more; if it becomes one again, it may still be here."""
        if place.timer is not None:
            place.timer.cancel()
        for name, sighting in place.sightings.items():
            del self._owners[name]
            self._remember(sighting)
        if place.told:
            self._gone(peer_id)

    # --- others -------------------------------------------------------------------------------------------

    def _observe(self, event: LanEvent) -> bool:
        match event:
            case LanSighting():
                return self._sighted(event)
            case LanDeparture(name):
                self._strangers.pop(name, None)
                self._lose(name)
                return False

    def _sighted(self, sighting: LanSighting) -> bool:
        owner = self._recognition.recognise(sighting.tags)
        if self._owners.get(sighting.name) != owner:
            self._lose(sighting.name)
        if owner is None:
            self._remember(sighting)
            return False
        self._strangers.pop(sighting.name, None)
        self._owners[sighting.name] = owner
        place = self._places.setdefault(owner, _Place())
        place.sightings[sighting.name] = sighting
        if len(place.sightings) > limits.LAN_SOURCES:
            oldest = next(iter(place.sightings))
            del place.sightings[oldest], self._owners[oldest]
        self._tell_soon(owner, place, place.told_at + limits.LAN_FOUND_SECONDS)
        return True

    def _lose(self, name: str) -> None:
        owner = self._owners.pop(name, None)
        if owner is None:
            return
        place = self._places[owner]
        del place.sightings[name]
        place.lost_at = asyncio.get_running_loop().time()
        self._tell_soon(owner, place, place.lost_at + limits.LAN_GONE_SECONDS)

    def _remember(self, sighting: LanSighting) -> None:
        """Keep a stranger's: it may be of a contact that is added later, or whose key is not computed yet."""
        if sighting.name in self._strangers or len(self._strangers) < limits.LAN_SIGHTINGS:
            self._strangers[sighting.name] = sighting

    def _look_again(self) -> None:
        for sighting in list(self._strangers.values()):
            if self._recognition.recognise(sighting.tags) is not None:
                self._sighted(sighting)

    def _tell_soon(self, peer_id: PeerId, place: _Place, when: float) -> None:
        """Tell what is true at a moment, or sooner if that was arranged already."""
        loop = asyncio.get_running_loop()
        if place.timer is not None:
            if place.timer.when() <= when:
                return
            place.timer.cancel()
            place.timer = None
        if when <= loop.time():
            self._tell(peer_id, place)
        else:
            place.timer = loop.call_at(when, self._tell, peer_id, place)

    def _tell(self, peer_id: PeerId, place: _Place) -> None:
        place.timer = None
        now = asyncio.get_running_loop().time()
        if not place.sightings:
            if now < place.lost_at + limits.LAN_GONE_SECONDS:
                self._tell_soon(peer_id, place, place.lost_at + limits.LAN_GONE_SECONDS)
                return
            del self._places[peer_id]
        addresses = place.addresses
        if addresses == place.told:
            return
        place.told, place.told_at = addresses, now
        if addresses:
            self._found(peer_id, addresses)
        else:
            self._gone(peer_id)


def _tell_failure(worker: asyncio.Task[None]) -> None:
    """Nobody waits for the worker, so nobody else would see why it ended."""
    if not worker.cancelled() and (error := worker.exception()) is not None:
        _log.error("contacts on the local network are not found any more", exc_info=error)
