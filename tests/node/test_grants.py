"""Who may use which service: refused in words on both sides, also while grants change under way."""

from __future__ import annotations

import asyncio

import pytest
from tests.node.far_end import heard, in_service, over
from tests.node.harness import HIGHER, LOWER, QUICK, id_of, linked, received, start, until
from tests.sim.simulated_node import SimulatedNode

from p4.core import limits
from p4.core.session.frames import encode
from p4.core.session.messages.outbox import Outbox
from p4.core.session.session_frames import (
    Ack,
    Call,
    CallStatus,
    Datagram,
    Grants,
    Kind,
    Message,
    Refused,
    RefusedReason,
    Reply,
)
from p4.errors import CallRefusedError, DeliveryError, InputError, StateError
from p4.node.events import NodeWarning
from p4.node.receipts import Receipt, ReceiptState
from p4.node.relation import Relation
from p4.testing import SimulatedNetwork, simulate

FULL = StateError("The disk is full. Nothing was written.", path="(memory)", code="full")


async def fate(receipt: Receipt) -> str:
    """``delivered``, or why not."""
    try:
        await receipt.delivered()
    except DeliveryError as error:
        return error.code
    return "delivered"


async def grant(network: SimulatedNetwork, node: SimulatedNode, *services: str) -> None:
    await network.host(node._host.place).run(node.peers()[0].grant(*services))


async def revoke(network: SimulatedNetwork, node: SimulatedNode, *services: str) -> None:
    await network.host(node._host.place).run(node.peers()[0].revoke(*services))


def test_what_is_not_granted_is_not_sent_and_its_sender_is_told() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        lower, higher = await linked(network)
        told, peer = lower.events(), lower.peers()[0]
        host = network.host(LOWER)
        before = await host.run(peer.send("before"))
        refused = await host.run(peer.send_many(["a", "b"], service="files.read"))
        after = await host.run(peer.send("after"))
        assert [await fate(one) for one in (before, *refused, after)] == [
            "delivered",
            "refused",
            "refused",
            "delivered",
        ]
        with pytest.raises(CallRefusedError) as caught:
            await host.run(peer.call("files.list"))
        assert caught.value.code == "not-granted"
        with pytest.raises(InputError) as unsent:
            peer.send_datagram("files", b"x")
        assert unsent.value.code == "not-granted"
        assert await received(higher, 2) == ["before", "after"]
        assert not any(network.host(HIGHER).disk.inbox.values())
        assert peer.queued == 0
        for node in (lower, higher):
            await node.close()
        texts = [event.text async for event in told if isinstance(event, NodeWarning)]
        assert all("does not let you use 'files.read'" in text for text in texts)
        assert 1 <= len(texts) <= 2

    simulate(scenario, conditions=QUICK)


def test_a_grant_counts_at_once_and_after_a_restart_and_covers_what_is_below() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        lower, higher = await linked(network)
        await grant(network, higher, "files", "files", "home.light")
        assert higher.peers()[0].grants == ("chat", "ping", "files", "home.light")
        await asyncio.sleep(0.1)
        for restarts in (False, True):
            if restarts:
                await higher.close()
                network.host(HIGHER).crash()
                higher = await start(network, HIGHER, LOWER)
                assert higher.peers()[0].grants == ("chat", "ping", "files", "home.light")
                await higher.peers()[0].wait_connected()
                await lower.peers()[0].wait_connected()
            services = ["files", "files.read", "filesystem", "home.light.red", "home", "chat"]
            host, peer = network.host(LOWER), lower.peers()[0]
            receipts = [await host.run(peer.send("x", service=service)) for service in services]
            fates = [await fate(receipt) for receipt in receipts]
            assert fates == ["delivered", "delivered", "refused", "delivered", "refused", "delivered"]
        for node in (lower, higher):
            await node.close()

    simulate(scenario, conditions=QUICK)


async def changes_under_way(network: SimulatedNetwork) -> None:
    """One side grants and revokes while the other sends: every message has one fate, on both sides."""
    lower, higher = await linked(network)
    told = lower.events()
    host, peer = network.host(LOWER), lower.peers()[0]
    await grant(network, higher, "files")
    receipts: list[Receipt] = []

    async def sends() -> None:
        for number in range(300):
            service = "files" if number % 3 else "chat"
            receipts.append(await peer.send(number, service=service))

    sending = host.spawn(sends())
    for _ in range(8):
        await asyncio.sleep(network.world.random.uniform(0.5, 2.0))
        await revoke(network, higher, "files")
        await asyncio.sleep(network.world.random.uniform(0.5, 2.0))
        await grant(network, higher, "files")
    await sending
    async with asyncio.timeout(120):
        fates = [await fate(receipt) for receipt in receipts]
    assert set(fates) == {"delivered", "refused"}
    assert all(what == "delivered" for what in fates[::3]), "chat is granted all the time"
    arrived = [number for number, what in enumerate(fates) if what == "delivered"]
    chat = [number for number in arrived if number % 3 == 0]
    assert await received(higher, len(chat)) == chat
    files = [number for number in arrived if number % 3]
    assert await received(higher, len(files), service="files") == files
    assert not any(network.host(HIGHER).disk.inbox.values())
    await until(lambda: peer.queued == 0)
    assert [receipt.state is ReceiptState.DROPPED for receipt in receipts] == [
        what == "refused" for what in fates
    ]
    assert all(node.peers()[0].connected for node in (lower, higher))
    for node in (lower, higher):
        await node.close()
    assert any(
        ["does not let you use" in event.text async for event in told if isinstance(event, NodeWarning)]
    )


def test_grants_that_change_under_way_leave_no_message_without_a_fate() -> None:
    for seed in range(5):
        simulate(changes_under_way, conditions=QUICK, seed=seed)


def test_a_refusal_that_its_sender_ignores_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Outbox, "refused_by_peer", lambda self, number: None)
    with pytest.raises((AssertionError, TimeoutError)):
        test_grants_that_change_under_way_leave_no_message_without_a_fate()


# --- contacts that do not keep to it ----------------------------------------------------------------


def test_a_contact_that_sends_what_it_may_not_gets_a_refusal_and_nothing_is_kept() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node, contact = await in_service(network)
        datagrams = node.datagrams("files")
        for frame in (
            Message(1, Kind.JSON, 1, 0, "files", "", b"1"),
            Message(2, Kind.JSON, 1, 0, "chat", "", b'"may"'),
            Message(3, Kind.JSON, 1, 0, "files.read", "", b"3"),
            Call(7, 1000, Kind.JSON, "files", b"null"),
            Datagram("files", b"x"),
        ):
            contact.link.send("p4", encode(frame))
        assert await received(node, 1) == ["may"]
        await until(lambda: Ack(3) in heard(contact))
        refused = [frame for frame in heard(contact) if isinstance(frame, Refused)]
        assert refused == [Refused(number, RefusedReason.NOT_GRANTED) for number in (1, 3)]
        assert [f.status for f in heard(contact) if isinstance(f, Reply)] == [CallStatus.NOT_GRANTED]
        assert not any(network.host(HIGHER).disk.inbox.values())
        datagrams.close()
        assert [one async for one in datagrams] == []
        assert not over(contact)
        await node.close()

    simulate(scenario, conditions=QUICK)


def test_refusals_of_what_was_never_sent_change_nothing() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node, contact = await in_service(network)
        host, peer = network.host(HIGHER), node.peers()[0]
        one = await host.run(peer.send("one"))
        two = await host.run(peer.send("two"))
        await until(lambda: len([f for f in heard(contact) if isinstance(f, Message)]) == 2)
        for number in (2, 2, 9, 2**53 - 1):
            contact.link.send("p4", encode(Refused(number, RefusedReason.NOT_GRANTED)))
        contact.link.send("p4", encode(Ack(2)))
        assert [await fate(one), await fate(two)] == ["delivered", "refused"]
        await until(lambda: peer.queued == 0)
        assert not over(contact)
        await node.close()

    simulate(scenario, conditions=QUICK)


def test_a_contact_that_takes_its_grant_back_is_sent_nothing_more() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node, contact = await in_service(network)
        host, peer = network.host(HIGHER), node.peers()[0]
        contact.link.send("p4", encode(Grants(())))
        await asyncio.sleep(0.1)
        assert await fate(await host.run(peer.send("no more"))) == "refused"
        assert not [frame for frame in heard(contact) if isinstance(frame, Message)]
        await node.close()

    simulate(scenario, conditions=QUICK)


# --- changing them ----------------------------------------------------------------------------------


async def changed_at_once(network: SimulatedNetwork) -> None:
    node = await start(network, LOWER, HIGHER)
    host, peer = network.host(LOWER), node.peers()[0]
    impatient = host.spawn(peer.grant("z"))
    await asyncio.sleep(0.01)
    impatient.cancel()
    await asyncio.gather(
        *(grant(network, node, f"s{number}") for number in range(10)), revoke(network, node, "ping", "z")
    )
    assert set(peer.grants) == {"chat", *(f"s{number}" for number in range(10))}
    assert host.disk.peers[id_of(HIGHER)].grants == peer.grants
    await node.close()


def test_changes_at_one_moment_are_all_made() -> None:
    simulate(changed_at_once, conditions=QUICK)


def test_changes_that_do_not_wait_for_each_other_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Relation._change_grants

    async def hasty(self: Relation, change: object, before: object) -> None:
        wanted = change(self.grants)  # type: ignore[operator]
        await honest(self, lambda _: wanted, None)

    monkeypatch.setattr(Relation, "_change_grants", hasty)
    with pytest.raises(AssertionError):
        simulate(changed_at_once, conditions=QUICK)


def test_what_cannot_be_granted_changes_nothing() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node = await start(network, LOWER, HIGHER)
        host, peer = network.host(LOWER), node.peers()[0]
        many = [f"s{number}" for number in range(limits.GRANTS - 1)]
        for services, code in (
            (["good", "Bad"], "bad-service"),
            (["a.*"], "bad-service"),
            (many, "too-many"),
        ):
            with pytest.raises(InputError) as caught:
                await host.run(peer.grant(*services))
            assert caught.value.code == code
        host.disk.failure = FULL
        with pytest.raises(StateError):
            await host.run(peer.grant("files"))
        host.disk.failure = None
        assert peer.grants == ("chat", "ping")
        await host.run(peer.grant(*many[:-1]))
        assert len(peer.grants) == limits.GRANTS
        await host.run(peer.revoke("never granted", *many))
        assert peer.grants == ("chat", "ping")
        await host.run(peer.grant("*"))
        assert peer.relation.allows("whatever.there.is")
        await host.run(peer.revoke("*", "chat", "ping"))
        assert not peer.relation.allows("chat")
        await node.close()

    simulate(scenario, conditions=QUICK)
