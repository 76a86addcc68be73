"""Two simulated devices with the files app: a network and a clock that are made up, disks that are real."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from p4.apps.files.app import FilesApp
from p4.apps.files.transfer import Transfer, TransferState
from p4.apps.store import AppStore
from p4.testing import SimulatedNetwork, start_node
from p4.testing.simulated_node import SimulatedNode

T = TypeVar("T")


async def at_once(function: Callable[..., T], /, *arguments: Any) -> T:
    """What blocks takes no time, and no thread: there are none on virtual time."""
    return function(*arguments)


class Device:
    """A device over all its lives: its app's store is in memory and outlives a crash."""

    def __init__(self, network: SimulatedNetwork, name: str, contact: str, directory: Path) -> None:
        self.network = network
        self.name = name
        self.contact = contact
        self.share = directory / name / "share"
        self.home = directory / name / "home"
        self.home.mkdir(parents=True)
        self.store = AppStore(None)
        self.opened = False
        self.node: SimulatedNode
        self.app: FilesApp

    async def start(self, *grants: str) -> None:
        """A new life."""
        if not self.opened:
            await self.store.open()
            self.opened = True
        self.node = await start_node(self.network, self.name, self.contact)
        host = self.network.host(self.name)
        self.app = FilesApp(self.store, host.clock, share=self.share, run=at_once)
        await host.run(self._begin(grants))

    async def _begin(self, grants: tuple[str, ...]) -> None:
        if grants:
            await self.node.peer(self.contact).grant(*grants)
        await self.app.start(self.node)

    async def crash(self, *, power: bool = False) -> None:
        """Die at this moment."""
        host = self.network.host(self.name)
        if power:
            host.lose_power()
        else:
            host.crash()

    async def send(self, *sources: Path, target: str = "", **options: Any) -> Transfer:
        """Begin to send."""
        names = [str(source) for source in sources]
        host = self.network.host(self.name)
        return await host.run(self.app.send(self.contact, names, target, **options))

    async def fetch(self, *sources: str, target: str, **options: Any) -> Transfer:
        """Begin to fetch."""
        host = self.network.host(self.name)
        return await host.run(self.app.fetch(self.contact, sources, target, **options))


async def done(device: Device, transfer: Transfer) -> Transfer:
    """Wait for it; it has gone well."""
    await device.app.wait_ended(transfer)
    assert transfer.state is TransferState.DONE, (transfer.code, transfer.text)
    return transfer


def content_of(folder: Path) -> dict[str, bytes | str | None]:
    """Everything below a folder: bytes of files, targets of links, None for folders."""
    found: dict[str, bytes | str | None] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = str(path.readlink())
        elif path.is_fifo():
            found[name] = "pipe"
        else:
            found[name] = None if path.is_dir() else path.read_bytes()
    return found
