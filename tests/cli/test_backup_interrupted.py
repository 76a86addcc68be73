"""Ctrl-C while `p4 backup --move` ends the daemon."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from p4.adapters.store.moved import load_moved
from p4.cli.commands import backup
from p4.cli.exit_codes import ExitCode
from p4.cli.offline import open_or_initialise
from p4.cli.signals import Outcome


def test_the_device_does_not_move(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state, file, passphrase = tmp_path / "state", tmp_path / "phone.age", tmp_path / "passphrase"
    open_or_initialise(state)
    passphrase.write_text("correct horse battery staple")
    monkeypatch.setattr(backup, "run_until_signalled", lambda _work: Outcome(None, ExitCode.INTERRUPTED))
    arguments = [
        "--move",
        "--yes",
        "--passphrase-file",
        str(passphrase),
        "--state-dir",
        str(state),
        str(file),
    ]
    result = CliRunner().invoke(backup.command, arguments, standalone_mode=False)
    assert result.exception is None
    assert result.return_value == ExitCode.INTERRUPTED
    assert not file.exists()
    assert load_moved(state) is None
