"""Who has no right to pair does not, whatever it does; who has it does, whatever happens in between."""

from __future__ import annotations

import asyncio
import json
from functools import partial

import pytest
from spake2 import ed25519_basic
from tests.node.pairing.visitor import Visitor, secret_of

from p4.core import limits
from p4.core.address import RendezvousAddress, Transport
from p4.core.invite import Invite
from p4.core.pairing import exchange as exchange_module
from p4.core.pairing.card import Card
from p4.core.pairing.exchange import GuestExchange, HostExchange, read_hello
from p4.core.pairing.secrets import PairingSecret
from p4.errors import PairingError, SignalingError
from p4.node.events import InviteEnded
from p4.node.pairing.parts import english_words
from p4.ports.pairing import MeetingKind
from p4.testing import SimulatedNetwork, SimulatedNode, simulate, simulated_identity, start_node

GUESSES = 10_000


def refused(line: bytes) -> str:
    return str(json.loads(line).get("refused", ""))


def count_pakes(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Each completion of a PAKE, by the side whose element it took."""
    honest, completed = exchange_module._finish, []

    def counted(pake: object, far_side: bytes, element: bytes) -> bytes:
        completed.append(far_side)
        return honest(pake, far_side, element)

    monkeypatch.setattr(exchange_module, "_finish", counted)
    return completed


def other_words(text: str, count: int) -> list[PairingSecret]:
    """Codes on the same shelf that are not the right one."""
    shelf, number = PairingSecret.of_words(text.split()).place, 0
    found: list[PairingSecret] = []
    while len(found) < count:
        number += 1
        words = english_words().choose(2, number.to_bytes(4, "big"))
        secret = PairingSecret.of_words(words)
        if secret.place == shelf and " ".join(words) != text:
            found.append(secret)
    return found


async def nearby(network: SimulatedNetwork, *names: str) -> list[SimulatedNode]:
    for number, name in enumerate((*names, "eve"), start=1):
        network.move(name, f"192.168.1.{number}")
    return [await start_node(network, name) for name in names]


def test_of_guesses_at_one_moment_one_is_compared_and_the_host_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        [alice] = await nearby(network, "alice")
        invite = await alice.invites.create(kind="local-words")
        await invite.wait_findable()
        eve = Visitor(network, "eve", secret_of(invite.text))
        completed = count_pakes(monkeypatch)
        events = alice.events()

        # As many as may be in the place at a time, all of them answered before the first shows its proof.
        guesses = other_words(invite.text, limits.MEETING_VISITORS)
        streams = [await eve.enter(MeetingKind.LAN) for _ in guesses]
        exchanges = [eve.exchange(guess) for guess in guesses]
        for stream, exchange in zip(streams, exchanges, strict=True):
            await stream.send_line(exchange.hello())
            exchange.take_pake(await stream.receive_line() or b"")
        assert completed.count(b"B") == 0, "the host compared before it was shown anything"
        for stream, exchange in zip(streams, exchanges, strict=True):
            await stream.send_line(exchange.proof())
        answers = [refused(await stream.receive_line() or b"") for stream in streams]
        assert sorted(answers) == ["ended"] * (len(guesses) - 1) + ["wrong"]

        assert completed.count(b"B") == 1
        assert completed.count(b"A") == len(guesses), "those are the attacker's own"
        [place] = network.switch.meetings[MeetingKind.LAN, eve.secret.place_seed("lan")]
        assert place.closed
        with pytest.raises(PairingError) as ended:
            await invite.wait()
        assert ended.value.code == "ended"
        async for event in events:
            if isinstance(event, InviteEnded):
                assert event.code == "ended"
                break
        assert alice.peers() == []

    simulate(scenario, seed=1)


def test_ten_thousand_guesses_in_a_row_reach_the_pake_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against the desk itself, without the place that closes: what each visitor would be told."""

    async def scenario(network: SimulatedNetwork) -> None:
        [alice] = await nearby(network, "alice")
        invite = await alice.invites.create(kind="local-words", lifetime=86_400)
        await invite.wait_findable()
        eve = Visitor(network, "eve", secret_of(invite.text))
        completed = count_pakes(monkeypatch)
        [guess] = other_words(invite.text, 1)
        [place] = network.switch.meetings[MeetingKind.LAN, eve.secret.place_seed("lan")]
        assert refused(await eve.try_once(guess, MeetingKind.LAN)) == "wrong"
        place.closed = False  # as if its closing took for ever
        hello = eve.exchange(guess).hello()
        told = set()
        for _ in range(GUESSES - 1):
            stream = await eve.enter(MeetingKind.LAN)
            await stream.send_line(hello)
            told.add(refused(await stream.receive_line() or b""))
            stream.close()
        assert told == {"ended"}
        assert completed.count(b"B") == 1
        assert alice.peers() == []

    simulate(scenario, seed=2, limit=1e6)


def test_a_guess_is_on_disk_before_it_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever can make the host crash has still only one."""

    async def scenario(network: SimulatedNetwork) -> None:
        [alice] = await nearby(network, "alice")
        invite = await alice.invites.create(kind="local-words")
        await invite.wait_findable()
        eve = Visitor(network, "eve", secret_of(invite.text))

        def crash(*_: object) -> bytes:
            network.host("alice").crash()
            raise asyncio.CancelledError

        with monkeypatch.context() as patch:
            stream, exchange = await eve.enter(MeetingKind.LAN), eve.exchange(other_words(invite.text, 1)[0])
            await stream.send_line(exchange.hello())
            exchange.take_pake(await stream.receive_line() or b"")
            patch.setattr(exchange_module, "_finish", crash)
            await stream.send_line(exchange.proof())
            await asyncio.sleep(1)
        assert not network.is_alive("alice")
        alice = await start_node(network, "alice")
        assert list(alice.invites.list()) == []

    simulate(scenario, seed=3)


def test_a_wrong_secret_does_not_end_a_link_and_is_never_enough() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob = await start_node(network, "alice"), await start_node(network, "bob")
        invite = await alice.invites.create()
        await invite.wait_findable()
        right = secret_of(invite.text)
        eve = Visitor(network, "eve", right)
        for number in range(20):
            wrong = PairingSecret(right.place, bytes([number]) * 16, right.host_key, guessable=False)
            assert refused(await eve.try_once(wrong)) == "wrong"
        assert (await bob.pair(invite.text)).peer_id == alice.peer_id
        assert [peer.peer_id for peer in alice.peers()] == [bob.peer_id]

    simulate(scenario, seed=4)


def test_what_was_recorded_cannot_be_used_again() -> None:
    """Lines 1 and 3 of a guest that was interrupted, said once more by somebody else."""

    async def scenario(network: SimulatedNetwork) -> None:
        alice = await start_node(network, "alice")
        invite = await alice.invites.create()
        await invite.wait_findable()
        bob = Visitor(network, "bob", secret_of(invite.text))
        stream, exchange = await bob.enter(), bob.exchange()
        lines = [exchange.hello()]
        await stream.send_line(lines[0])
        exchange.take_pake(await stream.receive_line() or b"")
        lines.append(exchange.proof())
        stream.close()

        eve = Visitor(network, "eve", secret_of(invite.text))
        stream = await eve.enter()
        await stream.send_line(lines[0])
        assert b"pake" in (await stream.receive_line() or b"")
        await stream.send_line(lines[1])
        assert refused(await stream.receive_line() or b"") == "wrong"
        assert alice.peers() == []

    simulate(scenario, seed=5)


def test_a_thief_of_the_link_cannot_take_over_a_claimed_invite() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice = await start_node(network, "alice")
        invite = await alice.invites.create()
        await invite.wait_findable()
        secret = secret_of(invite.text)
        bob, eve = Visitor(network, "bob", secret), Visitor(network, "eve", secret)
        assert b"proof" in await bob.try_once(secret)  # and is gone before line 5
        assert refused(await eve.try_once(secret)) == "used"
        assert b"proof" in await bob.try_once(secret)
        assert [peer.peer_id for peer in alice.peers()] == [bob.identity.peer_id]
        await asyncio.sleep(limits.PAIRING_SECONDS + 1)
        with pytest.raises(PairingError) as ended:
            await invite.wait()
        assert ended.value.code == "unconfirmed"

    simulate(scenario, seed=6)


def test_a_guest_that_is_silent_is_let_go_and_keeps_nobody_out() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob = await start_node(network, "alice"), await start_node(network, "bob")
        invite = await alice.invites.create()
        await invite.wait_findable()
        eve = Visitor(network, "eve", secret_of(invite.text))
        silent = [await eve.enter() for _ in range(3 * limits.MEETING_VISITORS)]
        assert (await bob.pair(invite.text)).peer_id == alice.peer_id
        await asyncio.sleep(limits.FIRST_BYTE_SECONDS + 1)
        for stream in silent:
            assert await stream.receive_line() is None

    simulate(scenario, seed=7)


def test_whoever_is_in_between_and_changes_anything_pairs_nobody() -> None:
    """A bit of any of the five lines is flipped on its way; the rest is passed on faithfully."""

    async def scenario(network: SimulatedNetwork, changed: int) -> None:
        alice = await start_node(network, "alice")
        invite = await alice.invites.create()
        await invite.wait_findable()
        bob = Visitor(network, "bob", secret_of(invite.text))
        stream, exchange = await bob.enter(), bob.exchange()

        def passed(line: bytes, number: int) -> bytes:
            if number != changed:
                return line
            fields = json.loads(line)
            key = list(fields)[-1]
            text = fields[key]
            fields[key] = ("B" if text[0] == "A" else "A") + text[1:]
            return json.dumps(fields).encode()

        async def talk() -> None:
            await stream.send_line(passed(exchange.hello(), 1))
            exchange.take_pake(passed(await stream.receive_line() or b"", 2))
            await stream.send_line(passed(exchange.proof(), 3))
            exchange.take_proof(passed(await stream.receive_line() or b"", 4))
            await stream.send_line(passed(exchange.done(), 5))

        if changed < 5:
            with pytest.raises((PairingError, SignalingError)):
                await talk()
        else:
            await talk()
        await asyncio.sleep(1)
        # After line 3 the host has stored the guest, and says so only when it is confirmed.
        assert len(alice.peers()) == (changed >= 4)
        assert invite.code == ("claimed" if changed >= 4 else "open")

    for changed in range(1, 6):
        simulate(partial(scenario, changed=changed), seed=changed)


def test_the_time_of_the_answer_says_nothing_about_the_words() -> None:
    """Multiplying by the password takes a time that depends on it: it is done once, not for each visitor."""
    secret = PairingSecret.of_words(("tiger", "wolf"))
    eve = simulated_identity("eve")
    card = Card(Invite(eve.public_key, RendezvousAddress(Transport.DIRECT, "192.0.2.1", 1)))
    factors: list[int] = []
    honest = ed25519_basic.Element.scalarmult

    def counted(self: object, factor: int) -> object:
        factors.append(factor)
        return honest(self, factor)

    hello = GuestExchange(secret, eve, card, bytes).hello()
    HostExchange(secret, eve, card, read_hello(hello), bytes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ed25519_basic.Element, "scalarmult", counted)
        HostExchange(secret, eve, card, read_hello(hello), lambda count: bytes([7]) * count)
    assert len(factors) == 1, "of its own random number"
    assert factors[0] == int.from_bytes(bytes([7]) * 64, "big") % ed25519_basic.L
