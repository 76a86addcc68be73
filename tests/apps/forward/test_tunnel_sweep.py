"""A tunnel that is removed while it is looked after."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from p4.apps.forward import app as forward_app
from p4.apps.forward.app import ForwardApp
from p4.apps.store import AppStore
from p4.errors import LocalError
from p4.node.node import BaseNode


class Nobody:
    """A node without contacts."""

    def peers(self) -> list[Any]:
        return []


class Removed:
    """A tunnel whose port was taken, and which a person removes just when it is looked after."""

    class tunnel:  # noqa: N801 - as far as the sweep looks at it
        id = "1"

    trouble = LocalError("taken", code="port-in-use")
    opened = False

    def __init__(self, tunnels: dict[str, Any]) -> None:
        self._tunnels = tunnels
        self.swept = asyncio.Event()

    async def sweep(self, _gone: set[str]) -> None:
        self._tunnels.clear()
        self.swept.set()

    async def open(self) -> None:
        self.opened = True


async def test_it_does_not_listen_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forward_app, "_SWEEP_SECONDS", 0.0)
    forwards = ForwardApp(AppStore(None))
    forwards._node = cast("BaseNode", Nobody())
    running = Removed(forwards._tunnels)
    forwards._tunnels["1"] = cast("Any", running)
    sweeping = asyncio.create_task(forwards._sweep())
    await running.swept.wait()
    for _ in range(5):
        await asyncio.sleep(0)
    sweeping.cancel()
    await asyncio.gather(sweeping, return_exceptions=True)
    assert not running.opened
