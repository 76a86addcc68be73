"""A thousand strangers on the signaling port: what they cost, what they learn, whom they delay."""

from __future__ import annotations

import asyncio
import secrets
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
from tests.integration.direct.node_program import NodeProcess, direct

import p4
from p4.assemble import open_state
from p4.core import envelope, limits
from p4.core.identity import Identity
from p4.core.signaling import FAILURE_LINE, Ping

STRANGERS = 1000
SPARE_DESCRIPTORS = 60
"""Beside the strangers' own: links, the store, streams of contacts."""
AT_ONCE = 128
"""Connections that one turn of the loop accepts (the listener's backlog) before the oldest are closed."""
GROWTH_BYTES = 16 * 1024 * 1024
"""Most that the process may grow by strangers: 64 of them with a whole line each, and slack."""

Address = tuple[str, int]


class Scene:
    """A real node in a process of its own, and a contact that only ever dials it."""

    def __init__(self, process: NodeProcess, node: p4.Invite, contact: Identity, state: Path) -> None:
        self.process = process
        self.node = node
        self.contact = contact
        self.state = state
        self.weight = psutil.Process(process.pid)

    @property
    def address(self) -> Address:
        return self.node.rendezvous.host, self.node.rendezvous.port

    def line(self, identity: Identity, *, claim: str | None = None, padding: int = 0) -> bytes:
        """A signed ping; ``claim`` puts another sender's id on it afterwards."""
        payload = {**Ping("p1").to_payload(), "padding": "x" * padding}
        line = envelope.seal(
            identity,
            self.node.peer_id,
            payload,
            timestamp_ms=time.time_ns() // 1_000_000,
            nonce=secrets.token_bytes(limits.NONCE_BYTES),
        )
        return line if claim is None else line.replace(identity.peer_id.encode(), claim.encode())

    async def connect_seconds(self) -> float:
        """From the start of the contact's node to its link."""
        began = time.monotonic()
        async with p4.Node(self.state, direct()) as contact:
            await asyncio.wait_for(contact.peers()[0].wait_connected(), 60)
            return time.monotonic() - began


@asynccontextmanager
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    process = NodeProcess(tmp_path / "node")
    try:
        invite = await process.start()
        # The lower id, so that it dials at once; the node itself has no address where it could dial it.
        while (contact := Identity(seed := secrets.token_bytes(32))).peer_id > invite.peer_id:
            pass
        state = open_state(tmp_path / "contact", lambda text: None)
        state.prepare()
        state.create_identity(seed)
        state.save_contacts(state.load_contacts().add(invite, "node", me=contact.peer_id))
        nowhere = p4.Invite(contact.public_key, p4.RendezvousAddress(p4.Transport.DIRECT, "127.0.0.1", 9))
        process.tell(add=nowhere.to_text())
        await process.says("added")
        yield Scene(process, invite, contact, tmp_path / "contact")
    finally:
        await process.kill()


async def ask(address: Address, line: bytes) -> bytes:
    """Everything that a stranger gets for a line, until the end of the stream."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        writer.write(line + b"\n")
        async with asyncio.timeout(10):  # wait_for of Python 3.11 may swallow a cancellation
            return await reader.read()
    except ConnectionError:
        return b""  # closed for a newer stranger
    finally:
        writer.close()


async def first_line(address: Address, line: bytes) -> bytes:
    """The reply to a contact's line, whose stream may stay open."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        writer.write(line + b"\n")
        return await asyncio.wait_for(reader.readline(), 60)
    finally:
        writer.close()


async def connect_seconds(scene: Scene, times: int) -> float:
    return statistics.median([await scene.connect_seconds() for _ in range(times)])


async def test_a_thousand_idle_strangers_cost_little_and_delay_nobody(tmp_path: Path) -> None:
    async with scene(tmp_path) as the:
        await the.connect_seconds()  # everything is loaded and known
        alone = await connect_seconds(the, 5)
        before, most_descriptors = the.weight.memory_info().rss, 0
        strangers = []
        for _ in range(STRANGERS):
            strangers.append(await asyncio.open_connection(*the.address))
            most_descriptors = max(most_descriptors, the.weight.num_fds())
        among_them = await connect_seconds(the, 5)
        grown = the.weight.memory_info().rss - before
        print(
            f"\n{STRANGERS} idle strangers: contact connects in {among_them:.3f} s (alone {alone:.3f} s), "
            f"memory grew by {grown / 1e6:.1f} MB, at most {most_descriptors} descriptors"
        )
        assert most_descriptors <= limits.STRANGER_STREAMS + AT_ONCE + SPARE_DESCRIPTORS
        assert grown < GROWTH_BYTES
        assert among_them < 3 * alone + 0.5
        heard = await asyncio.gather(*(read_all(reader) for reader, _ in strangers))
        assert set(heard) == {b""}, "whoever says nothing hears nothing"
        for _, writer in strangers:
            writer.close()
        assert the.weight.num_fds() <= SPARE_DESCRIPTORS


async def read_all(reader: asyncio.StreamReader) -> bytes:
    try:
        return await asyncio.wait_for(reader.read(), limits.FIRST_BYTE_SECONDS + 5)
    except ConnectionError:
        return b""


async def test_strangers_that_talk_learn_one_line_and_delay_nobody(tmp_path: Path) -> None:
    async with scene(tmp_path) as the:
        await the.connect_seconds()
        alone = await connect_seconds(the, 3)
        stranger = Identity(secrets.token_bytes(32))
        genuine = the.line(the.contact)
        assert b'"pong"' in await first_line(the.address, genuine)
        kinds = {
            "garbage": lambda: secrets.token_bytes(200).replace(b"\n", b""),
            "a stranger's": lambda: the.line(stranger),
            "in the contact's name": lambda: the.line(stranger, claim=the.contact.peer_id),
            "in the contact's name, long": lambda: the.line(
                stranger, claim=the.contact.peer_id, padding=60_000
            ),
            "replayed": lambda: genuine,
            "endless": lambda: b"x" * (2 * limits.SIGNALING_LINE_BYTES),
        }
        before = the.weight.memory_info().rss
        heard: dict[str, set[bytes]] = {kind: set() for kind in kinds}
        asked, over = 0, False

        async def storm(kind: str) -> None:
            nonlocal asked
            while not over:
                heard[kind].add(await ask(the.address, kinds[kind]()))
                asked += 1

        began = time.monotonic()
        storms = [asyncio.create_task(storm(kind)) for kind in kinds for _ in range(3)]
        among_them = await connect_seconds(the, 3)
        while asked < STRANGERS and time.monotonic() < began + 20:  # noqa: ASYNC110 - a count, no event
            await asyncio.sleep(0.05)
        rate = asked / (time.monotonic() - began)
        over = True
        await asyncio.gather(*storms)
        grown = the.weight.memory_info().rss - before
        print(
            f"\n{asked} strangers that talk ({rate:.0f} a second): contact connects in {among_them:.3f} s "
            f"(alone {alone:.3f} s), memory grew by {grown / 1e6:.1f} MB"
        )
        for kind, answers in heard.items():
            assert answers <= {b"", FAILURE_LINE + b"\n"}, kind
        assert heard["replayed"] == heard["a stranger's"] == {FAILURE_LINE + b"\n"}
        assert b"".join(heard["endless"]) == b""
        assert grown < GROWTH_BYTES
        assert among_them < 10 * alone + 1.0, "one of two cores is the strangers'"


@pytest.mark.parametrize("padding", [0, 60_000])
async def test_what_a_stranger_can_learn_from_the_time_of_a_refusal(tmp_path: Path, padding: int) -> None:
    """The same bytes for an id that is a contact's and one that is nobody's; the times are printed.

    They differ by one verification of a signature over the line, which only a contact's id costs: whoever
    already knows an id can test whether it is a contact. That is not hidden (spec/signaling.md, Failure).
    """
    async with scene(tmp_path) as the:
        stranger = Identity(secrets.token_bytes(32))
        lines = {
            "a contact's": the.line(stranger, claim=the.contact.peer_id, padding=padding),
            "nobody's": the.line(stranger, claim="0" * 24, padding=padding),
        }
        times: dict[str, list[float]] = {kind: [] for kind in lines}
        for _ in range(60):
            for kind, line in lines.items():
                began = time.perf_counter()
                assert await ask(the.address, line) == FAILURE_LINE + b"\n"
                times[kind].append(time.perf_counter() - began)
        known, unknown = (statistics.median(times[kind]) * 1e6 for kind in lines)
        print(f"\nrefused after {known:.0f} us as a contact, {unknown:.0f} us as nobody ({padding=})")
        assert abs(known - unknown) < 20_000
