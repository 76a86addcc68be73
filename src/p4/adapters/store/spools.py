"""The directories of all spools, one for each stream, and the order of work on one."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

from p4.core.identity import PeerId

__all__ = ["in_turn", "remove_spools", "remove_strays", "spool_name"]


def spool_name(peer_id: PeerId, stream_id: int) -> str:
    """What the directory of a stream's spool is called."""
    return f"{peer_id}-{stream_id:016x}"


def remove_spools(directory: Path, peer_id: PeerId) -> None:
    """Remove all spools of a contact. Raises OSError."""
    for path in directory.glob(f"{peer_id}-*"):
        shutil.rmtree(path)


def remove_strays(directory: Path, wanted: set[tuple[PeerId, int]]) -> None:
    """Remove spools of streams that nobody remembers. Raises OSError."""
    names = {spool_name(peer_id, stream_id) for peer_id, stream_id in wanted}
    try:
        strays = [path for path in directory.iterdir() if path.name not in names]
    except FileNotFoundError:
        return
    for path in strays:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


async def in_turn(lock: asyncio.Lock, work: Callable[[], Awaitable[None]]) -> None:
    """Do one thing after the other, and to its end even if the caller is cancelled."""

    async def carry_out() -> None:
        async with lock:
            await work()

    await asyncio.shield(asyncio.ensure_future(carry_out()))
