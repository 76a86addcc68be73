"""Links of the simulated network: what they promise, and each fault."""

from __future__ import annotations

import asyncio

import pytest
from tests.testing.endpoints import Endpoint, linked, on_network, pair

from p4.core import limits
from p4.errors import LinkError
from p4.ports import ChannelOpened, LinkClosed, LinkMessage
from p4.testing.network import Conditions, SimulatedNetwork, simulate


def test_messages_keep_their_order_and_kind() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob, near, far = await linked(network)
        for number in range(50):
            near.send("chat", f"{number}" if number % 2 else b"%d" % number)
        far.send("chat", "back")
        await asyncio.sleep(2)
        assert bob.messages() == [f"{n}" if n % 2 else b"%d" % n for n in range(50)]
        assert alice.messages() == ["back"]

    on_network(scenario)()


def test_further_channels_open_on_both_sides() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob, near, far = await linked(network)
        with pytest.raises(LinkError) as refusal:
            near.send("p4", b"early")
        assert refusal.value.code == "not-open"
        far.open_channel("p4")
        await asyncio.sleep(1)
        near.send("p4", b"x")
        far.send("p4", b"y")
        await asyncio.sleep(1)
        assert alice.events[1:] == [ChannelOpened("p4"), LinkMessage("p4", b"y")]
        assert bob.events[1:] == [ChannelOpened("p4"), LinkMessage("p4", b"x")]

    on_network(scenario)()


def test_sizes_are_limited() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, _, near, _ = await linked(network)
        with pytest.raises(LinkError) as refusal:
            near.send("chat", b"x" * (limits.LINK_MESSAGE_BYTES + 1))
        assert refusal.value.code == "too-large"
        alice.host.world.cut("alice", "bob")
        for _ in range(256):
            near.send("chat", b"x" * limits.LINK_MESSAGE_BYTES)
        with pytest.raises(LinkError) as refusal:
            near.send("chat", b"x")
        assert refusal.value.code == "buffer-full"
        assert near.buffered("chat") > 15 * 1024 * 1024
        drained = asyncio.create_task(near.drained("chat"))
        await asyncio.sleep(1)
        assert not drained.done()
        network.heal()
        await drained
        assert near.buffered("chat") <= limits.LINK_LOW_WATER_BYTES

    on_network(scenario)()


def test_closing_tells_the_other_side_only() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob, near, _ = await linked(network)
        near.close()
        near.close()
        await asyncio.sleep(1)
        assert isinstance(bob.events[-1], LinkClosed)
        assert alice.events == [ChannelOpened("chat")]
        with pytest.raises(LinkError):
            near.send("chat", "late")

    on_network(scenario)()


def test_a_dead_peer_is_silence_until_consent_expires() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob, near, _ = await linked(network)
        bob.host.crash()
        near.send("chat", "into the void")
        await asyncio.sleep(25)
        assert alice.events == [ChannelOpened("chat")]
        await asyncio.sleep(10)
        assert isinstance(alice.events[-1], LinkClosed)
        assert bob.events == [ChannelOpened("chat")]

    on_network(scenario)()


def test_a_short_outage_delays_and_a_long_one_kills() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob, near, _ = await linked(network)
        network.partition(["alice"], ["bob"])
        near.send("chat", "late")
        await asyncio.sleep(20)
        assert bob.messages() == []
        network.heal()
        await asyncio.sleep(1)
        assert bob.messages() == ["late"]
        network.partition(["alice"], ["bob"])
        await asyncio.sleep(40)
        assert isinstance(alice.events[-1], LinkClosed)
        assert isinstance(bob.events[-1], LinkClosed)

    on_network(scenario)()


def test_silenced_links_do_not_disturb_new_ones() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob, near, _ = await linked(network)
        assert len(network.silence_links("alice")) == 1
        near.send("chat", "lost")
        alice.events.clear()
        bob.events.clear()
        second, answering = alice.link(), bob.link()
        await second.accept_answer(await answering.answer(await second.offer("chat")))
        await asyncio.sleep(1)
        second.send("chat", "arrives")
        await asyncio.sleep(1)
        assert bob.messages() == ["arrives"]

    on_network(scenario)()


def test_one_end_may_break_alone() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob, _, far = await linked(network)
        assert network.break_links("alice", reason="told to") == 1
        await asyncio.sleep(5)
        assert alice.events[-1] == LinkClosed("told to")
        assert bob.events == [ChannelOpened("chat")]
        far.send("chat", "nobody hears it")
        await asyncio.sleep(40)
        assert isinstance(bob.events[-1], LinkClosed)

    on_network(scenario)()


def test_a_link_that_finds_no_path_gives_up() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob = await pair(network)
        near, far = alice.link(), bob.link()
        await near.accept_answer(await far.answer(await near.offer("chat")))
        await asyncio.sleep(40)
        assert [type(event) for event in (*alice.events, *bob.events)] == [LinkClosed, LinkClosed]

    on_network(scenario, conditions=Conditions(link_fails=1.0))()


def test_a_link_opens_when_the_path_heals_in_time() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob = await pair(network)
        near, far = alice.link(), bob.link()
        network.partition(["alice"], ["bob"])
        await near.accept_answer(await far.answer(await near.offer("chat")))
        await asyncio.sleep(10)
        assert alice.events == []
        network.heal()
        await asyncio.sleep(2)
        assert alice.events == bob.events == [ChannelOpened("chat")]

    on_network(scenario)()


def test_an_sdp_is_bound_to_its_end() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob = await pair(network)
        near, far = alice.link(), bob.link()
        with pytest.raises(LinkError) as refusal:
            await far.answer("v=0\r\n")
        assert refusal.value.code == "bad-sdp"
        answer = await far.answer(await near.offer("chat"))
        start = answer.index("sha-256 ") + len("sha-256 ")
        forged = answer[:start] + "00:" * 31 + "00" + answer[start + 95 :]
        await near.accept_answer(forged)
        await asyncio.sleep(40)
        assert [type(event) for event in alice.events] == [LinkClosed]

    on_network(scenario)()


def test_its_sdp_has_what_check_sdp_demands() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob = await pair(network)
        offer = await alice.link().offer("chat")
        for sdp in (offer, await bob.link().answer(offer)):
            assert sdp.count("m=application ") == 1
            assert len(sdp.split("a=ice-pwd:")[1].splitlines()[0]) >= 22
            fingerprint = sdp.split("a=fingerprint:sha-256 ")[1].splitlines()[0]
            assert len(bytes.fromhex(fingerprint.replace(":", ""))) == 32

    on_network(scenario)()


# --- channels of other kinds ---------------------------------------------------------------------------

KINDS = [(ordered, reliable) for ordered in (True, False) for reliable in (True, False)]
COUNT = 200


async def opened(network: SimulatedNetwork, *, ordered: bool, reliable: bool) -> tuple[Endpoint, ...]:
    """Two linked hosts with a channel ``bulk`` of this kind, opened by the first."""
    alice, bob, near, _ = await linked(network)
    near.open_channel("bulk", ordered=ordered, reliable=reliable)
    await asyncio.sleep(1)
    assert alice.events[1:] == bob.events[1:] == [ChannelOpened("bulk")]
    return alice, bob


@pytest.mark.parametrize(("ordered", "reliable"), KINDS)
@pytest.mark.parametrize("back", [False, True], ids=["from-the-opener", "to-the-opener"])
def test_a_channel_overtakes_and_loses_as_its_kind_says(ordered: bool, reliable: bool, back: bool) -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        ends = await opened(network, ordered=ordered, reliable=reliable)
        sender, receiver = ends[::-1] if back else ends
        for number in range(COUNT):
            sender.links[0].send("bulk", b"%d" % number)
        await asyncio.sleep(1)
        numbers = [int(data) for data in receiver.messages()]
        assert (numbers == sorted(numbers)) == ordered
        assert (len(numbers) == COUNT) == reliable
        assert len(set(numbers)) == len(numbers) > COUNT / 2
        assert sender.links[0].buffered("bulk") == 0

    on_network(scenario, conditions=Conditions(link_message_lost=0.2))()


@pytest.mark.parametrize(("ordered", "reliable"), KINDS)
@pytest.mark.parametrize("fault", ["silent", "partitioned"])
def test_a_blocked_path_keeps_what_is_reliable_and_loses_the_rest(
    ordered: bool, reliable: bool, fault: str
) -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob = await opened(network, ordered=ordered, reliable=reliable)
        silenced = network.silence_links("alice") if fault == "silent" else []
        if fault == "partitioned":
            network.partition(["alice"], ["bob"])
        for number in range(COUNT):
            alice.links[0].send("bulk", bytes([number]) * 2048)
        assert alice.links[0].buffered("bulk") == COUNT * 2048
        drained = asyncio.create_task(alice.links[0].drained("bulk"))
        await asyncio.sleep(5)
        assert bob.messages() == []
        assert drained.done() != reliable
        for link in silenced:
            link.speak_again()
        network.heal()
        await asyncio.sleep(1)
        await drained
        assert len(bob.messages()) == (COUNT if reliable else 0)
        alice.links[0].send("bulk", "after")
        await asyncio.sleep(1)
        assert bob.messages()[-1] == "after"

    on_network(scenario)()


@pytest.mark.parametrize(("ordered", "reliable"), KINDS)
def test_a_message_sent_in_the_moment_of_opening_comes_after_the_opening(
    ordered: bool, reliable: bool
) -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob, near, far = await linked(network)
        bob.on_event = lambda event: far.send("bulk", "at once") if event == ChannelOpened("bulk") else None
        alice.on_event = lambda event: near.send("bulk", "too") if event == ChannelOpened("bulk") else None
        near.open_channel("bulk", ordered=ordered, reliable=reliable)
        await asyncio.sleep(1)
        assert alice.events[1:] == [ChannelOpened("bulk"), LinkMessage("bulk", "at once")]
        assert bob.events[1:] == [ChannelOpened("bulk"), LinkMessage("bulk", "too")]

    on_network(scenario)()


@pytest.mark.parametrize(("ordered", "reliable"), KINDS)
def test_of_what_a_closed_link_had_on_its_way_only_a_part_arrives(ordered: bool, reliable: bool) -> None:
    lost = []

    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob = await opened(network, ordered=ordered, reliable=reliable)
        for number in range(COUNT):
            alice.links[0].send("bulk", b"%d" % number)
        alice.links[0].close()
        await asyncio.sleep(5)
        assert isinstance(bob.events[-1], LinkClosed)
        assert len(set(bob.messages())) == len(bob.messages())
        lost.append(COUNT - len(bob.messages()))

    on_network(scenario)()
    assert any(lost)


def test_the_same_seed_loses_and_overtakes_the_same() -> None:
    async def scenario(network: SimulatedNetwork) -> list[str | bytes]:
        alice, bob = await opened(network, ordered=False, reliable=False)
        for number in range(COUNT):
            alice.links[0].send("bulk", b"%d" % number)
        await asyncio.sleep(1)
        return bob.messages()

    conditions = Conditions(link_message_lost=0.2)
    first, again, other = (simulate(scenario, seed=seed, conditions=conditions) for seed in (1, 1, 2))
    assert first == again != other
