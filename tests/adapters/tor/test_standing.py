"""What Tor is told of the gate when it, or the disk, refuses in between (spec/gate.md)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from p4.adapters.tor.control import ControlConnection
from p4.adapters.tor.control_wire import Reply, ReplyLine
from p4.adapters.tor.gate import GatedService
from p4.adapters.tor.onion import OnionService
from p4.adapters.tor.standing import StandingServices
from p4.core.gate import gate_public_key
from p4.errors import TorError

ANN, BOB = gate_public_key(b"a" * 32), gate_public_key(b"b" * 32)


class Tor:
    """Notes what it was told; refuses a command once."""

    def __init__(self, clients: Path) -> None:
        self.clients = clients
        self.told: list[str] = []
        self.admitted: set[str] = set()
        self.refuses = ""

    async def command(self, keyword: str, *arguments: str) -> Any:
        doing = "publish" if any("Port=" in one for one in arguments) else "withdraw"
        if keyword == "GETCONF":
            return Reply(250, (ReplyLine("HiddenServiceOptions"),))
        if doing == self.refuses:
            self.refuses = ""
            raise TorError("refused", code="command-failed")
        self.told.append(doing)
        self.admitted = {path.stem for path in self.clients.iterdir()} if doing == "publish" else set()
        return None


@pytest.mark.parametrize("refused", ["withdraw", "publish"])
async def test_whoever_was_removed_is_out_after_the_next_opportunity(tmp_path: Path, refused: str) -> None:
    gate = GatedService(bytes(range(32)), tmp_path / "gate")
    services = StandingServices(cast("OnionService", _Onion()), gated=True)
    services.prepare(gate)
    tor = Tor(tmp_path / "gate" / "authorized_clients")
    control = cast("ControlConnection", tor)
    await services.up(control)
    await services.admit({ANN, BOB}, open_too=False)
    assert {ANN.hex(), BOB.hex()} <= tor.admitted

    tor.refuses = refused
    with pytest.raises(TorError):
        await services.admit({ANN}, open_too=False)
    tor.told.clear()
    await services.admit({ANN}, open_too=False)
    assert tor.told == ["withdraw", "publish"], "it gives up the entrances that Bob knows"
    assert BOB.hex() not in tor.admitted


async def test_what_is_published_anew_is_for_those_who_are_admitted_now(tmp_path: Path) -> None:
    gate = GatedService(bytes(range(32)), tmp_path / "gate")
    services = StandingServices(cast("OnionService", _Onion()), gated=True)
    services.prepare(gate)
    tor = Tor(tmp_path / "gate" / "authorized_clients")
    control = cast("ControlConnection", tor)
    await services.up(control)
    await services.admit({ANN, BOB}, open_too=False)
    tor.refuses = "withdraw"
    with pytest.raises(TorError):
        await services.admit({ANN}, open_too=False)
    await services.again(control)
    assert BOB.hex() not in tor.admitted
    assert ANN.hex() in tor.admitted


class _Onion:
    """The open address, which these tests do not need."""

    identified = True

    def identify(self) -> None:
        pass
