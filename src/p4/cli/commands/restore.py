"""`p4 restore`: a device out of a backup."""

from __future__ import annotations

import time
from pathlib import Path

import click

from p4.cli.confirming import passphrase_option, read_passphrase
from p4.cli.daemon_connection import json_option
from p4.cli.examples import examples
from p4.cli.options import state_dir_option, verbose_option
from p4.cli.output import say, say_json

__all__ = ["command"]


@click.command(
    "restore",
    short_help="Make this the device of a backup.",
    epilog=examples(
        ("p4 restore phone.age", "on a machine that has no device of its own yet"),
        ("p4 restore phone.age --state-dir ~/phone", "into another directory"),
    ),
)
@click.argument("file", type=click.Path(path_type=Path))
@passphrase_option
@state_dir_option
@json_option
@verbose_option
def command(file: Path, passphrase_file: Path | None, state_dir: Path, as_json: bool) -> int:
    """Make the device that was saved into FILE, in an empty state directory. Everything is checked before
    anything is written; contacts need not pair again.

    The device that the backup was made of must not run any more: two with one identity lose messages.
    """
    from p4.adapters.store.restore import restore

    directory = state_dir.expanduser()
    manifest = restore(file, directory, read_passphrase(passphrase_file, new=False))
    if as_json:
        say_json(
            {
                "state_dir": str(directory),
                "peer_id": manifest.peer_id,
                "made_ms": manifest.made_ms,
                "moved": manifest.moved,
                "files": len(manifest.files),
                "bytes": manifest.size,
            }
        )
        return 0
    say(f"Restored {manifest.peer_id} into {directory}.")
    if manifest.moved:
        say("It goes on where the old device ended: nothing is missing, nothing comes twice. Start it: p4 up")
    else:
        day = time.strftime("%Y-%m-%d %H:%M", time.localtime(manifest.made_ms / 1000))
        say(
            f"It is as on {day}. Messages sent or read since then may be missing here or come again; you and "
            "your contacts are told how many. The device that it was made of must not run any more."
        )
    return 0
