"""Where a contact may be looked for, and who shall not be asked there."""

from __future__ import annotations

from p4.core import limits
from p4.core.address import RendezvousAddress
from p4.core.identity import PeerId
from p4.core.policy import Policy
from p4.core.reach import Reach, common_contact_mark, parse_endpoint
from p4.core.signaling import Announcement
from p4.node.whereabouts import Whereabouts
from p4.testing import run

NONCE = "11" * 16
CAROL, DAVE = PeerId("c" * 24), PeerId("d" * 24)


def at(*texts: str) -> tuple[RendezvousAddress, ...]:
    found = tuple(parse_endpoint(text) for text in texts)
    return tuple(endpoint for endpoint in found if endpoint is not None)


NEAR, FAR, LATER = at("192.168.1.9:1"), at("1.1.1.1:1", "[2a00::1]:1"), at("3.3.3.3:1")


class Kept:
    """What was written."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    async def save(self, text: str) -> None:
        self.texts.append(text)


def said(*endpoints: RendezvousAddress, via: tuple[str, ...] = ()) -> Announcement:
    return Announcement.ours(frozenset(), "00" * 8, NONCE, Reach(endpoints, via))


def test_what_is_announced_is_kept_when_it_changes_and_read_after_a_restart() -> None:
    async def scenario() -> None:
        kept = Kept()
        whereabouts = Whereabouts("", kept.save)
        for announcement in (said(*FAR), said(*FAR), Announcement.ours(frozenset(), "00" * 8, NONCE)):
            await whereabouts.announced(announcement, [])
        assert len(kept.texts) == 1
        assert Whereabouts(kept.texts[-1], kept.save).endpoints(Policy.DIRECT) == FAR
        await whereabouts.announced(said(*LATER), [])
        assert whereabouts.endpoints(Policy.DIRECT) == LATER, "it replaces what was said before"
        await whereabouts.announced(said(), [])
        assert whereabouts.endpoints(Policy.DIRECT) == ()

    run(scenario())


def test_common_contacts_are_recognised_when_they_are_named() -> None:
    async def scenario() -> None:
        kept = Kept()
        whereabouts = Whereabouts("", kept.save)
        marks = (common_contact_mark(NONCE, CAROL), "0" * 16)
        await whereabouts.announced(said(*FAR, via=marks), [DAVE, CAROL])
        assert whereabouts.introducers == (CAROL,)
        assert Whereabouts(kept.texts[-1], kept.save).introducers == (CAROL,)

    run(scenario())


def test_the_nearest_come_first_and_not_too_many() -> None:
    async def scenario() -> None:
        whereabouts = Whereabouts("", Kept().save)
        await whereabouts.announced(said(*NEAR, *FAR), [])
        assert whereabouts.seen_nearby(NEAR)
        assert not whereabouts.seen_nearby(NEAR), "nothing new"
        assert whereabouts.endpoints(Policy.DIRECT) == (*NEAR, *FAR)
        assert not whereabouts.seen_nearby(())
        many = at(*(f"192.168.2.{number}:1" for number in range(1, 20)))
        assert whereabouts.seen_nearby(many)
        assert whereabouts.endpoints(Policy.DIRECT) == many[: limits.ENDPOINT_DIALS]

    run(scenario())


def test_policies() -> None:
    async def scenario() -> None:
        whereabouts = Whereabouts("", Kept().save)
        await whereabouts.announced(said(*FAR), [])
        whereabouts.seen_nearby(NEAR)
        assert whereabouts.endpoints(Policy.RELAY_ONLY) == (), "a dial would show our address"
        assert whereabouts.endpoints(Policy.LAN_ONLY) == NEAR
        assert whereabouts.endpoints(Policy.DIRECT, announced=False) == NEAR

    run(scenario())
