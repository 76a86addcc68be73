"""Random histories of operations on messages, played on stores and on the reference.

A history is made of stretches. The operations of a stretch are asked for at once, so that they share
transactions, also with one that is refused; between stretches the process ends, and the next one finds what
is on disk. Names are drawn from so few that they often meet; numbers and positions count from where the
reference stands (`Reference.aimed`).
"""

from __future__ import annotations

import asyncio
import dataclasses
import enum
import tempfile
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.adapters.store_calls import ALICE, BOB, RECEIVED_MS, SENT_MS
from tests.core.session.messages.model_disk import ModelDisk, RefusalError

from p4.adapters.store.sqlite import SqliteStore
from p4.core import limits
from p4.core.identity import PeerId
from p4.core.session.messages import stored
from p4.core.session.messages.relation import RelationState
from p4.errors import StateError
from p4.ports import PeerRecord, Store
from p4.testing.memory_store import MemoryDisk, MemoryStore

PEERS = (ALICE, BOB)
SERVICES = ("chat", "files")
EVERYTHING = 2**40


class Other(enum.Enum):
    """What is done to a contact beside the operations."""

    LOOK = enum.auto()
    """Its record is read, in the middle of what goes on."""
    FORGET = enum.auto()


@dataclass(frozen=True)
class Step:
    """What is done to a contact, with small numbers."""

    peer: PeerId
    operation: stored.Operation | Other


@dataclass(frozen=True)
class Stretch:
    """What one process does, and whether it comes to close the store."""

    steps: tuple[Step, ...]
    closes: bool


# --- what may happen --------------------------------------------------------------------------------------

our_names = st.sampled_from([bytes([letter]) * 16 for letter in b"ABCD"])
their_names = st.sampled_from([bytes([letter]) * 16 for letter in b"wxyz"])
numbers = st.integers(1, 8)
positions = st.integers(0, 12)
texts = st.sampled_from([b"", b"a", b"bb", b"ccccc"])
keys = st.sampled_from(["", "", "k", "l"])
services = st.sampled_from(SERVICES)
drafts = st.builds(
    stored.Draft, services, st.just(1), texts, keys, st.just(SENT_MS), st.sampled_from([0, 2**50])
)
arrivals = st.builds(
    stored.Received,
    numbers,
    services,
    st.just(1),
    texts,
    keys,
    st.just(SENT_MS),
    st.sampled_from([0, 0, RECEIVED_MS, RECEIVED_MS + 1]),
)


def accepted(epoch: bytes, messages: list[stored.Received], more: int, held: set[int]) -> stored.AcceptInbox:
    """In order of the numbers, some of which have no message."""
    messages.sort(key=lambda message: message.number)
    last = messages[-1].number if messages else 1
    return stored.AcceptInbox(epoch, tuple(messages), last + more, RECEIVED_MS, frozenset(held))


sending: list[st.SearchStrategy[Any]] = [
    st.builds(
        stored.AppendOutbox,
        st.lists(drafts, max_size=4).map(tuple),
        our_names,
        st.booleans(),
        st.sampled_from([stored.Quota(6, 10), stored.Quota(100, 1000), stored.Quota(100, 1000)]),
    ),
    st.builds(stored.AcknowledgeOutbox, st.integers(-1, 4) | st.sampled_from([2, 1000, 2**53])),
    st.builds(stored.DropOutbox, st.lists(numbers, max_size=4).map(tuple)),
    st.just(stored.OfferOutbox()),
    st.builds(stored.RenewOutbox, our_names, our_names | st.just(b"")),
    st.builds(stored.ReadOutbox, st.integers(0, 12), st.integers(0, 5), st.integers(0, 8)),
]
arriving: list[st.SearchStrategy[Any]] = [
    st.builds(accepted, their_names, st.lists(arrivals, max_size=4), st.integers(0, 2), st.sets(positions)),
    st.builds(stored.SkipInbox, their_names, st.sampled_from([*range(1, 9), limits.SAFE_INTEGER])),
    st.builds(
        stored.ConsumeInbox, st.lists(positions, max_size=4).map(tuple), st.frozensets(services), their_names
    ),
    st.builds(stored.ReadWaiting, their_names),
]
peers = st.sampled_from([ALICE, ALICE, ALICE, BOB])
looks = st.builds(Step, peers, st.just(Other.LOOK))
forgotten = st.builds(Step, peers, st.just(Other.FORGET))


def stretches(operations: list[st.SearchStrategy[Any]]) -> st.SearchStrategy[list[Stretch]]:
    """Histories of these operations, looks at the record among them."""
    steps = st.one_of([*(st.builds(Step, peers, one) for one in operations), looks])
    stretch = st.builds(
        lambda before, forget, after, closes: Stretch((*before, *forget, *after), closes),
        st.lists(steps, min_size=8, max_size=24),
        st.lists(forgotten, max_size=1),
        st.lists(steps, min_size=4, max_size=12),
        st.booleans(),
    )
    return st.lists(stretch, min_size=2, max_size=4)


# Those of one direction come further in it.
histories = st.one_of(stretches(sending), stretches(arriving), stretches(sending + arriving))


# --- who plays them ---------------------------------------------------------------------------------------


@dataclass
class Reference:
    """The model of one contact's messages, for several contacts that share the positions."""

    disks: dict[PeerId, ModelDisk] = field(default_factory=dict)
    position: int = 0

    def disk(self, peer: PeerId) -> ModelDisk:
        return self.disks.setdefault(peer, ModelDisk())

    def aimed(self, step: Step) -> Step:
        """The step with its numbers counted from where the contact's queues stand."""
        disk, operation = self.disk(step.peer), step.operation
        first = disk.record.out_first - 1
        match operation:
            case stored.AcknowledgeOutbox(through):
                operation = replace(operation, through=first + through)
            case stored.DropOutbox(few):
                operation = replace(operation, numbers=tuple(first + number for number in few))
            case stored.ReadOutbox(after):
                operation = replace(operation, after=max(0, first + after - 2))
            case stored.ConsumeInbox(few):
                operation = replace(operation, positions=tuple(self.position - place for place in few))
            case stored.SkipInbox(epoch, to):
                beyond = self._before(disk, epoch) + to
                operation = replace(operation, to=min(beyond, limits.SAFE_INTEGER + 1))
            case stored.AcceptInbox(epoch):
                below = min(self._before(disk, epoch), limits.SAFE_INTEGER - 20)
                operation = replace(
                    operation,
                    messages=tuple(one._replace(number=below + one.number) for one in operation.messages),
                    through=below + operation.through,
                    held=frozenset(self.position - place for place in operation.held),
                )
        return Step(step.peer, operation)

    @staticmethod
    def _before(disk: ModelDisk, epoch: bytes) -> int:
        """A number some way below the one expected."""
        return max(0, (disk.expected(epoch) or 1) - 4)

    def play(self, step: Step) -> Any:
        """Do it, and say what every store has to answer."""
        disk = self.disk(step.peer)
        if step.operation is Other.LOOK:
            return disk.load()
        if step.operation is Other.FORGET:
            del self.disks[step.peer]
            return None
        disk.positions = self.position
        try:
            return plain(disk.perform(step.operation))
        except RefusalError as refusal:
            return refusal.code
        finally:
            self.position = disk.positions

    def state(self) -> Any:
        return {
            peer: (
                self.disk(peer).load(),
                tuple(self.disk(peer).outbox.values()),
                {name: [m for m in self.disk(peer).inbox.values() if m.service == name] for name in SERVICES},
            )
            for peer in PEERS
        }


def plain(result: Any) -> Any:
    """A result, apart from what the port leaves open."""
    match result:
        case StateError(code=code):
            return code
        case stored.Appended() | stored.Kept():
            return replace(result, removed=tuple(sorted(result.removed)))
        case PeerRecord():
            fields = {one.name: getattr(result, one.name) for one in dataclasses.fields(RelationState)}
            return RelationState(**fields)
    return result


async def play_step(store: Store, step: Step) -> Any:
    """Ask a store; its refusal is a result, too."""
    try:
        if step.operation is Other.LOOK:
            return plain((await store.load_peers()).get(step.peer, PeerRecord()))
        if step.operation is Other.FORGET:
            return await store.forget_peer(step.peer)
        return plain(await store.perform(step.peer, step.operation))
    except StateError as refusal:
        return plain(refusal)


async def state_of(store: Store) -> Any:
    """All that a store knows of messages."""
    records = await store.load_peers()
    return {
        peer: (
            plain(records.get(peer, PeerRecord())),
            await store.perform(peer, stored.ReadOutbox(0, EVERYTHING, EVERYTHING)),
            {
                name: await store.read_inbox(peer, name, after=0, limit=EVERYTHING, most_bytes=EVERYTHING)
                for name in SERVICES
            },
        )
        for peer in PEERS
    }


MakeStore = Callable[[], Store]


async def play(history: list[Stretch], make_store: MakeStore) -> None:
    """Play a history on a store and on the reference. Raises AssertionError where they differ."""
    reference = Reference()
    processes: list[Store] = []
    try:
        for stretch in history:
            processes.append(make_store())
            store = processes[-1]
            await store.open()
            steps, right = [], []
            for step in stretch.steps:
                steps.append(reference.aimed(step))
                right.append(reference.play(steps[-1]))
            found = await asyncio.gather(*(play_step(store, step) for step in steps))
            for step, result, answer in zip(steps, found, right, strict=True):
                assert result == answer, step
            assert await state_of(store) == reference.state()
            if stretch.closes:
                await processes.pop().close()
            elif isinstance(store, MemoryStore):
                processes.pop()
                store.crash()
        processes.append(make_store())
        await processes[-1].open()
        assert await state_of(processes[-1]) == reference.state()
    finally:
        # A lost process of a database is one that nobody talks to any more; it must not outlive the test.
        for store in reversed(processes):
            await store.close()


def sqlite_stores(place: Path) -> MakeStore:
    return lambda: SqliteStore(place / "p4.sqlite3")


def memory_stores(_: Path) -> MakeStore:
    disk = MemoryDisk()
    return lambda: MemoryStore(disk)


def agree(
    stores: Callable[[Path], MakeStore], examples: int, phases: Collection[Phase] = tuple(Phase)
) -> None:
    """Play so many histories, the same ones each time but in `make soak`.

    Args:
        stores: makes what makes stores on the same disk, in an empty directory.
    """

    @settings(
        max_examples=examples,
        deadline=None,
        phases=phases,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    @given(histories)
    def one(history: list[Stretch]) -> None:
        with tempfile.TemporaryDirectory() as place:
            asyncio.run(play(history, stores(Path(place))))

    one()
