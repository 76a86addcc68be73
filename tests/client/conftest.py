"""Clients of real daemons in this process, on real nodes in direct mode."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from tests.daemon.conftest import RunningDaemon, daemon, pair, start_daemon

import p4.client

__all__ = ["daemon", "pair", "start_daemon"]  # fixtures


@pytest.fixture
async def clients(
    pair: tuple[RunningDaemon, RunningDaemon],
) -> AsyncIterator[tuple[p4.client.Client, p4.client.Client]]:
    """Those of the laptop and the phone, which know each other by these names."""
    laptop, phone = pair
    async with AsyncExitStack() as stack:
        yield (
            await stack.enter_async_context(p4.client.connect(laptop.directory)),
            await stack.enter_async_context(p4.client.connect(phone.directory)),
        )
