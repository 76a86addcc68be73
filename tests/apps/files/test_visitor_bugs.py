"""A mistake of ours while a contact's transfer is received."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.apps.files.simulated_devices import Device

from p4.apps.files.receiving import Receiving
from p4.apps.files.transfer import TransferState
from p4.testing import SimulatedNetwork, simulate


def test_it_ends_on_both_devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_self: Any) -> None:
        raise ValueError("a bug")

    async def scenario(network: SimulatedNetwork) -> None:
        laptop = Device(network, "laptop", "phone", tmp_path)
        phone = Device(network, "phone", "laptop", tmp_path)
        await laptop.start()
        await phone.start("files")
        await laptop.node.peer("phone").wait_connected()
        (laptop.home / "notes.txt").write_bytes(b"notes")
        with monkeypatch.context() as patched:
            patched.setattr(Receiving, "work", broken)
            sent = await laptop.send(laptop.home / "notes.txt")
            await laptop.app.wait_ended(sent)
        assert sent.state is TransferState.FAILED
        assert sent.code == "unreachable"
        assert not [found for found in phone.app.transfers() if found.state is TransferState.RUNNING]

    simulate(scenario)
