"""`p4 backup`: the whole device in one file with a passphrase."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from p4.cli.confirming import agreed, passphrase_option, read_passphrase, yes_option
from p4.cli.daemon_connection import json_option
from p4.cli.examples import examples
from p4.cli.options import state_dir_option, verbose_option
from p4.cli.output import say, say_json
from p4.cli.signals import Outcome, run_until_signalled
from p4.errors import StateError

if TYPE_CHECKING:
    from p4.adapters.store.backup_manifest import Manifest

__all__ = ["command"]


@click.command(
    "backup",
    short_help="Save the whole device into a file.",
    epilog=examples(
        ("p4 backup phone.age", "asks for a passphrase; the device goes on"),
        ("p4 backup --move phone.age", "to a new device: this one ends for good"),
        ("age -d phone.age | tar x", "what is in it, without P4"),
    ),
)
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--move", is_flag=True, help="End this device for good: the backup goes on elsewhere.")
@click.option(
    "--undo-move", is_flag=True, help="Let a device that has moved start again. Dangerous: see above."
)
@passphrase_option
@yes_option
@state_dir_option
@json_option
@verbose_option
def command(
    file: Path | None,
    move: bool,
    undo_move: bool,
    passphrase_file: Path | None,
    yes: bool,
    state_dir: Path,
    as_json: bool,
) -> int:
    """Save identity, contacts, messages that wait, unread ones and history into FILE: an age file with a
    passphrase. The daemon may go on meanwhile.

    A backup is of one moment. If it is restored later, messages since then may be missing, and contacts are
    told. To move to a new device without losing anything use --move: the daemon ends, and this device does
    not start again. Were both to run, they would give the same numbers to different messages, and contacts
    would lose some of them without a word; --undo-move lets that happen, and is only for a backup that was
    never restored and never will be.
    """
    directory = state_dir.expanduser()
    if undo_move:
        return _undo(directory, yes=yes, as_json=as_json)
    if file is None:
        raise click.UsageError("Name the FILE to write.")
    from p4.adapters.store.backup import back_up

    if move:
        agreed("End this device for good, and go on with the backup elsewhere?", yes=yes)
    passphrase = read_passphrase(passphrase_file, new=True)
    if not move:
        _tell(file, back_up(directory, file, passphrase), as_json=as_json)
        return 0
    ended = _end_daemon(directory, file)
    if ended.value is None:
        return ended.exit_code  # whoever interrupts it does not want the device to end
    _tell(file, _move(directory, file, passphrase), as_json=as_json)
    return 0


def _end_daemon(directory: Path, file: Path) -> Outcome[int]:
    from p4.cli.daemon_end import end_daemon

    if file.exists():  # before the daemon ends for nothing
        raise StateError(f"{file} exists already. It was not replaced.", path=str(file), code="exists")
    return run_until_signalled(lambda: end_daemon(directory))


def _move(directory: Path, file: Path, passphrase: str) -> Manifest:
    from p4.adapters.store.backup import move_out
    from p4.adapters.store.state_dir import StateDirectory

    with StateDirectory(directory).lock():
        return move_out(directory, file, passphrase)


def _tell(file: Path, manifest: Manifest, *, as_json: bool) -> None:
    if as_json:
        say_json(
            {
                "file": str(file),
                "peer_id": manifest.peer_id,
                "made_ms": manifest.made_ms,
                "moved": manifest.moved,
                "files": len(manifest.files),
                "bytes": manifest.size,
            }
        )
        return
    say(f"Saved {manifest.peer_id} into {file}: {len(manifest.files)} files, {manifest.size} bytes.")
    if manifest.moved:
        say(f"This device does not start any more. On the new one: p4 restore {file.name}")
    else:
        say(
            "Whoever has the file and the passphrase has this device. Without the passphrase it is of no use."
        )


def _undo(directory: Path, *, yes: bool, as_json: bool) -> int:
    from p4.adapters.store.moved import load_moved, unseal

    moved = load_moved(directory)
    if moved is not None:
        agreed(
            f"If {moved.backup} was restored anywhere, both devices will give the same numbers to different "
            "messages, and contacts will lose some of them. Was it never restored, and will it never be?",
            yes=yes,
        )
    undone = unseal(directory)
    if as_json:
        say_json({"undone": undone})
    else:
        say("This device starts again. Delete the backup." if undone else "This device has not moved.")
    return 0
