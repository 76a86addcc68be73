"""The channels of one link: which there are, what they carry, and what comes before it is in service."""

from __future__ import annotations

import asyncio

import pytest
from tests.node.far_end import RESUME, heard, in_service, open_channel, over, text
from tests.node.harness import HIGHER, LOWER, QUICK, Puppet, linked, received, start, until
from tests.sim.simulated_node import SimulatedNode

from p4.core import limits
from p4.core.session.frames import Bind, Bye, ByeReason, Frame, Ping, Pong, bundle, encode, in_parts
from p4.core.session.session_frames import Ack, Datagram, Grants
from p4.core.session.stream_frames import Data
from p4.core.signaling import DATAGRAMS, STREAMS, Announcement, Answer, Offer
from p4.node.events import LinkUp
from p4.node.link_roles import LinkObserver
from p4.ports import ChannelOpened
from p4.testing import SimulatedNetwork, simulate

ALL = Announcement.ours(frozenset({STREAMS, DATAGRAMS}), "00" * 8, "11" * 16)


async def called(
    network: SimulatedNetwork, announcement: Announcement
) -> tuple[SimulatedNode, Puppet, Offer, Answer]:
    """The node offered, the contact answered and its ``p4`` is open; nobody has proved anything."""
    node = await start(network, LOWER, HIGHER)
    contact = await Puppet(network, HIGHER).start()
    stream = await asyncio.wait_for(contact.inbound.get(), 90)
    offer = await contact.reply(stream)
    assert isinstance(offer, Offer)
    answer = Answer(offer.session_id, await contact.link.answer(offer.sdp), announcement)
    await stream.send_line(contact.seal(LOWER, answer))
    await until(lambda: ChannelOpened("p4") in contact.link_events)
    return node, contact, offer, answer


@pytest.mark.parametrize("capabilities", [set(), {STREAMS}, {DATAGRAMS}, {STREAMS, DATAGRAMS}])
def test_the_offerer_opens_the_channels_that_both_announced(capabilities: set[str]) -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        announcement = Announcement.ours(frozenset(capabilities), "00" * 8, "11" * 16)
        node, contact, offer, answer = await called(network, announcement)
        contact.bind(LOWER, offer, answer, offered=False)
        await until(lambda: node.peers()[0].connected)
        await asyncio.sleep(0.1)
        opened = [event.label for event in contact.link_events if isinstance(event, ChannelOpened)]
        wanted = {STREAMS: "p4.bulk", DATAGRAMS: "p4.datagram"}
        assert sorted(opened) == sorted(["chat", "p4", *(wanted[name] for name in capabilities)])
        kinds = contact.link._channels  # type: ignore[attr-defined]
        for label, kind in {
            "p4": (True, True),
            "p4.bulk": (False, True),
            "p4.datagram": (False, False),
        }.items():
            if label in opened:
                assert (kinds[label].ordered, kinds[label].reliable) == kind
        await node.close()

    simulate(scenario, conditions=QUICK)


@pytest.mark.parametrize(
    ("label", "frame"),
    [
        ("p4.bulk", Ping(1)),
        ("p4.bulk", Datagram("ping", b"x")),
        ("p4.bulk", text(1, "by the side door")),
        ("p4.datagram", Data(1, 0, b"x")),
        ("p4.datagram", text(1, "by the side door")),
    ],
)
def test_a_further_channel_carries_its_own_frames_only(label: str, frame: Frame) -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node, contact, offer, answer = await called(network, ALL)
        contact.bind(LOWER, offer, answer, offered=False)
        await until(lambda: node.peers()[0].connected and ChannelOpened(label) in contact.link_events)
        contact.link.send(label, encode(frame))
        await until(lambda: over(contact))
        assert "broke the protocol" in node.peers()[0].last_failure
        await node.close()

    simulate(scenario, conditions=QUICK)


def test_what_comes_on_a_further_channel_before_the_proof_is_dropped() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node, contact, offer, answer = await called(network, ALL)
        await until(lambda: ChannelOpened("p4.bulk") in contact.link_events)
        for early in (Ping(1), text(1, "unproven")):
            contact.link.send("p4.bulk", encode(early))
        await asyncio.sleep(0.1)
        contact.bind(LOWER, offer, answer, offered=False)
        await until(lambda: node.peers()[0].connected)
        for frame in (RESUME, Grants(("chat",)), text(1, "proven")):
            contact.link.send("p4", encode(frame))
        assert await received(node, 1) == ["proven"]
        assert not over(contact)
        await node.close()

    simulate(scenario, conditions=QUICK)


# --- before a link is in service --------------------------------------------------------------------------


@pytest.mark.parametrize("count", [limits.EARLY_FRAMES, limits.EARLY_FRAMES + 1])
def test_what_follows_the_proof_is_kept_up_to_a_number(count: int) -> None:
    """The contact may be quicker with its frames than we are with the adoption."""

    async def scenario(network: SimulatedNetwork) -> None:
        node, contact, offer, answer = await open_channel(network)
        proven: list[int] = []
        connection = node.peers()[0]._connection
        ((generation, session),) = connection._attempts._sessions.items()
        session._observer = Reluctant(connection, proven)
        contact.bind(HIGHER, offer, answer)
        early: list[Frame] = [RESUME, Grants(("chat",)), *(text(n, str(n)) for n in range(1, count - 1))]
        for frame in early:
            contact.link.send("p4", encode(frame))
        await until(lambda: proven == [generation])
        await asyncio.sleep(0.1)
        assert over(contact) == (count > limits.EARLY_FRAMES)
        if not over(contact):

            async def adopt() -> None:
                connection.link_proven(generation)

            await network.host(HIGHER).run(adopt())
            assert await received(node, count - 2) == [str(n) for n in range(1, count - 1)]
        await node.close()

    simulate(scenario, conditions=QUICK)


class Reluctant:
    """Puts off the adoption of a link."""

    def __init__(self, observer: LinkObserver, proven: list[int]) -> None:
        self.link_lost = observer.link_lost
        self._proven = proven

    def link_proven(self, generation: int) -> None:
        self._proven.append(generation)


# --- frames of the link itself ----------------------------------------------------------------------------


def test_a_heartbeat_is_answered_in_the_middle_of_a_long_frame() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node, contact = await in_service(network)
        long = "x" * (limits.BODY_BYTES - 2)
        pieces = in_parts(encode(text(1, long)))
        for piece in pieces[:-1]:
            contact.link.send("p4", piece)
        contact.link.send("p4", encode(Ping(7)))
        await until(lambda: Pong(7) in heard(contact))
        assert Ack(1) not in heard(contact)
        contact.link.send("p4", pieces[-1])
        assert await received(node, 1) == [long]
        await node.close()

    simulate(scenario, conditions=QUICK)


def test_frames_in_a_bundle_keep_their_order() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node, contact = await in_service(network)
        frames = [encode(frame) for frame in (text(1, "one"), Ping(9), text(2, "two"))]
        contact.link.send("p4", bundle([*frames, b"\xf0 of a later version"]))
        assert await received(node, 2) == ["one", "two"]
        await until(lambda: Pong(9) in heard(contact))
        assert [frame for frame in heard(contact) if isinstance(frame, Ack)][-1] == Ack(2)
        await node.close()

    simulate(scenario, conditions=QUICK)


@pytest.mark.parametrize(
    "message",
    [
        bundle([encode(Bind(bytes(64)))]),
        bundle([bundle([encode(Ping(1))])]),
        bundle([in_parts(bytes(limits.PART_BYTES + 1))[0]]),
        b"\x7f",
        b"",
        encode(Ack(1)),
    ],
    ids=["proof in a bundle", "bundle in a bundle", "part in a bundle", "unknown", "empty", "never sent"],
)
def test_a_frame_that_breaks_the_rules_ends_the_link(message: bytes) -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node, contact = await in_service(network)
        contact.link.send("p4", message)
        await until(lambda: over(contact))
        assert "broke the protocol" in node.peers()[0].last_failure
        await node.close()

    simulate(scenario, conditions=QUICK)


def test_a_contact_that_falls_silent_is_given_up() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node, contact = await in_service(network)
        answered: set[int] = set()
        for _ in range(40):  # a quiet contact that answers its pings is no dead one
            for frame in heard(contact):
                if isinstance(frame, Ping) and frame.token not in answered:
                    answered.add(frame.token)
                    contact.link.send("p4", encode(Pong(frame.token)))
            await asyncio.sleep(0.25)
        assert node.peers()[0].connected
        round_trip = node.peers()[0].round_trip
        assert round_trip is not None
        assert round_trip < 0.5
        took = await until(lambda: over(contact))
        # Counted from the last answer, which came up to a heartbeat and a half before.
        silence = limits.HEARTBEAT_MISSES * limits.HEARTBEAT_SECONDS
        assert silence - 1.5 < took < silence + 1.0
        assert "does not answer" in node.peers()[0].last_failure
        await node.close()

    simulate(scenario, conditions=QUICK)


def test_what_was_said_before_a_goodbye_in_the_same_bundle_counts() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node, contact = await in_service(network)
        contact.link.send("p4", bundle([encode(text(1, "one more thing")), encode(Bye(ByeReason.SHUTDOWN))]))
        assert await received(node, 1) == ["one more thing"]
        await until(lambda: not node.peers()[0].connected)
        await node.close()

    simulate(scenario, conditions=QUICK)


@pytest.mark.parametrize("used", [False, True])
def test_an_unused_link_is_looked_after_less_often_until_it_is_used(used: bool) -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        lower, higher = await linked(network)
        await asyncio.sleep(2 * limits.IDLE_SECONDS + 3)  # between two pings
        peer, events = lower.peers()[0], lower.events()
        network.silence_links(LOWER)
        if used:
            await peer.send("are you there?")
        # A link that is noticed to be dead may have been replaced before anybody looks.
        began = asyncio.get_running_loop().time()
        async with asyncio.timeout(30):
            while not isinstance(await anext(events), LinkUp):
                pass
        took = asyncio.get_running_loop().time() - began
        quick = limits.HEARTBEAT_MISSES * limits.HEARTBEAT_SECONDS + 1.0
        slow = quick + limits.HEARTBEAT_IDLE_FACTOR * limits.HEARTBEAT_SECONDS
        assert (took < quick) if used else (quick < took < slow)
        await asyncio.gather(lower.close(), higher.close())

    simulate(scenario, conditions=QUICK)
