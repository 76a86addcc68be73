"""What a person is told about a contact and about the node."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from tests.node.harness import HIGHER, LOWER, QUICK, id_of, linked, start, until
from tests.sim.simulated_node import identity_of

from p4.core.address import RendezvousAddress, Transport
from p4.core.invite import Invite
from p4.core.policy import Policy
from p4.core.session.lanes import LaneKind
from p4.node.peer import Peer
from p4.node.presence import Presence
from p4.node.status import LinkGauge, as_sentence, lane_words, node_status
from p4.ports import LinkPath, PathKind, RendezvousPhase, RendezvousStatus, SignalStream
from p4.testing import SimulatedNetwork, simulate
from p4.testing.simulated_mapper import SimulatedPortMapper
from p4.testing.simulated_monitor import SimulatedMonitor

PATH = LinkPath(
    kind=PathKind.LAN,
    local="host",
    remote="host",
    local_address="192.168.1.2:4000",
    remote_address="192.168.1.3:4000",
    protocol="udp",
    round_trip=0.001,
    bytes_sent=0,
    bytes_received=0,
)


def counted(sent: int, received: int = 0) -> LinkPath:
    return replace(PATH, bytes_sent=sent, bytes_received=received)


def test_a_steady_flow_is_measured_exactly_and_a_change_approached() -> None:
    gauge = LinkGauge()
    for second in range(5):
        gauge.measured(counted(1000 * second, 50 * second), float(second))
        expected = pytest.approx(1000) if second else None
        assert gauge.sending == expected
    assert gauge.receiving == pytest.approx(50)
    for second in range(5, 20):
        gauge.measured(counted(4000, 200), float(second))
    assert gauge.sending is not None
    assert 0 < gauge.sending < 10


@pytest.mark.parametrize(
    "after",
    [counted(10), replace(counted(9000), local_address="10.0.0.1:5"), None],
    ids=["counts from anew", "another address", "no link"],
)
def test_bytes_of_another_path_are_not_taken_for_a_flow(after: LinkPath | None) -> None:
    gauge = LinkGauge()
    for second, path in enumerate([counted(0), counted(5000), after]):
        gauge.measured(path, float(second))
    assert gauge.sending is None
    assert gauge.receiving is None
    assert gauge.path == after


def test_two_who_ask_at_once_do_not_spoil_the_measurement() -> None:
    gauge = LinkGauge()
    gauge.measured(counted(0), 0.0)
    gauge.measured(counted(1000), 1.0)
    gauge.measured(counted(9000), 1.000001)
    assert gauge.sending == pytest.approx(1000)


def test_reasons_become_sentences() -> None:
    assert as_sentence("the contact ended it (dropped)") == "The contact ended it (dropped)."
    assert as_sentence("Whole.") == "Whole."
    assert as_sentence("") == ""


def test_a_contact_with_a_link_and_one_without() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        lower, higher = await linked(network)
        peer = lower.peers()[0]
        first = await peer.status()
        assert (first.peer_id, first.name, first.connected) == (id_of(HIGHER), peer.name, True)
        assert first.path is not None
        assert first.path.kind is PathKind.DIRECT
        assert first.protocol == 2
        assert first.why_not == ""
        assert first.next_attempt_ms is None
        now = network.host(LOWER).clock.wall_ms()
        assert first.last_seen_ms == now

        receipt = await peer.send("x" * 50_000)
        await receipt.delivered()
        await asyncio.sleep(1)
        busy = await peer.status()
        assert busy.sending is not None
        assert busy.receiving is not None
        assert busy.sending > 40_000 / 2
        assert busy.receiving < busy.sending / 10
        assert busy.round_trip is not None

        await higher.peers()[0].grant("files")
        await asyncio.sleep(1)
        stream = await peer.stream("files", "film")
        assert (await peer.status()).open_streams == 1
        await stream.reset()

        closed_ms = network.host(LOWER).clock.wall_ms()
        await higher.close()
        await until(lambda: not peer.connected)
        lost_ms = network.host(LOWER).clock.wall_ms()
        await peer.send("waits")
        await asyncio.sleep(30)
        away = await peer.status()
        assert (away.connected, away.path, away.round_trip, away.sending) == (False, None, None, None)
        assert (away.queued_messages, away.queued_bytes) == (1, len('"waits"'))
        assert closed_ms <= away.last_seen_ms <= lost_ms
        assert away.why_not.endswith(".")
        await until(lambda: peer.state.startswith("retry in"), seconds=120)
        planned = (await peer.status()).next_attempt_ms
        assert planned is not None
        assert planned >= network.host(LOWER).clock.wall_ms()
        await lower.close()

    simulate(scenario, conditions=QUICK)


def test_the_whole_node() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node = await start(network, LOWER, HIGHER)
        await until(lambda: node.status.phase is RendezvousPhase.READY)
        status = await node_status(node, started_ms=1, now_ms=1000, now=5.0)
        assert status.peer_id == identity_of(LOWER).peer_id
        assert status.reachable
        assert status.reachability == node.status.text
        assert status.addresses == (str(node.invite().rendezvous),)
        assert [peer.peer_id for peer in status.peers] == [id_of(HIGHER)]
        assert {"p4", "python"} <= set(status.versions)
        assert status.peers[0].last_seen_ms == 0
        assert status.peers[0].policy is Policy.DIRECT
        await node.peers()[0].set_policy("lan-only")
        assert (await node.peers()[0].status()).policy is Policy.LAN_ONLY
        await node.close()

    simulate(scenario, conditions=QUICK)


class Checked:
    """A node whose reachability was tried out."""

    peer_id = id_of(LOWER)
    presence = Presence()
    status = RendezvousStatus(RendezvousPhase.READY, 100, "Others can reach us.", checked_at=60.0)

    def invite(self) -> Invite:
        return Invite(identity_of(LOWER).public_key, RendezvousAddress(Transport.DIRECT, "192.0.2.1", 4000))

    def peers(self) -> list[Peer]:
        return []


async def test_when_reachability_was_tried_out_is_told_by_the_clock_on_the_wall() -> None:
    status = await node_status(Checked(), started_ms=0, now_ms=1_000_000, now=100.0)
    assert status.checked_ms == 960_000


class DoorwayAt50000:
    """A doorway that nobody comes to."""

    async def start(self, accept: Callable[[SignalStream], Awaitable[None]]) -> int:
        return 50_000

    async def close(self) -> None:
        pass


async def _accept(stream: SignalStream) -> None:
    stream.close()


async def test_where_else_this_machine_is_reached_is_told() -> None:
    node, mapper = Checked(), SimulatedPortMapper()
    node.presence = Presence(DoorwayAt50000(), SimulatedMonitor({"192.168.1.7", "10.0.0.7"}), mapper)
    told = await node_status(node, started_ms=0, now_ms=0, now=0.0)
    assert (told.port, told.mappings, told.lan) == (0, (), False)
    await node.presence.start(_accept, changed=lambda change: None, announce=lambda: None)
    mapper.grant("2001:db8::7", offset=1)
    told = await node_status(node, started_ms=0, now_ms=0, now=0.0)
    assert (told.port, told.local_addresses) == (50_000, ("10.0.0.7", "192.168.1.7"))
    assert told.mappings == ("[2001:db8::7]:50001 (pcp)",)
    mapper.grant(None)
    told = await node_status(node, started_ms=0, now_ms=0, now=0.0)
    assert told.mappings == ("(a router behind another):50000 (pcp)",)
    await node.presence.close()


def test_lanes_are_told_in_words() -> None:
    assert lane_words({LaneKind.PEER: 0, LaneKind.STREAM: 0}) == ""
    assert lane_words({LaneKind.PEER: 0, LaneKind.STREAM: 1}) == "tls lane"
    assert lane_words({LaneKind.PEER: 3, LaneKind.STREAM: 1}) == "tls lane, 3 peer lanes"
