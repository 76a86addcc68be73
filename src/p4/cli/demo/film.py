"""Send a film of any size, whatever happens on the way: an example of a program that uses P4.

    python -m p4.cli.demo.film [OPTIONS] STATE_DIR receive DIRECTORY
    python -m p4.cli.demo.film [OPTIONS] STATE_DIR send PEER FILE

The receiver must let the sender use the service ``film``: ``/grant PEER film`` at the prompt of `p4 run`.
Either side may be killed at any moment; started again with the same words it goes on where it was. Both end
when the film is complete and the sender has heard its SHA-256 from the receiver.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import p4

__all__ = ["STEP_BYTES", "main", "receive", "send"]

STEP_BYTES = 1024 * 1024
"""Read from the sender's disk, and made safe on the receiver's, at a time."""

SAFE_NAME = re.compile(r"\w[\w .-]{0,200}")
"""The contact chooses the name: it must not lead out of the directory."""


async def send(node: p4.Node, peer: str, path: Path) -> None:
    """Send a file, or the rest of one.

    Raises p4.P4Error if the contact is unknown, takes no films, or got another one; OSError without a file.
    """
    with path.open("rb") as film:
        # Not `async with`: that would cancel the stream when we are interrupted, and it shall go on later.
        stream = await node.peer(peer).stream("film", path.name)
        _tell(f"Sending {path.name} from byte {stream.written}")
        film.seek(stream.written)
        while piece := film.read(STEP_BYTES):
            await stream.write(piece)  # on our disk when it returns; waits while 64 MiB are on their way
            _tell(f"Written {stream.written} bytes, {stream.confirmed} confirmed")
    await stream.close_writing()
    theirs = await stream.readexactly(hashlib.sha256().digest_size)
    if theirs != await asyncio.to_thread(_sha256, path):
        await stream.reset("The film was changed while it was sent.")
        raise p4.LocalError("The film was changed while it was sent. Send it again.")
    _tell(f"Complete at both ends: sha256 {theirs.hex()}")
    await stream.aclose()
    await stream.wait_done()


async def receive(node: p4.Node, directory: Path) -> None:
    """Receive one film, or the rest of one. An older film of the same name in the directory is replaced.

    Raises p4.P4Error if the sender gives up, OSError if the file cannot be written.
    """
    async for stream in node.streams("film"):  # an unfinished one of an earlier run comes again
        if not SAFE_NAME.fullmatch(stream.name):
            await stream.reset("The name of a film has letters, digits, spaces, dots, - and _ only.")
            continue
        path = directory / stream.name
        await _fill(path, stream)
        digest = await asyncio.to_thread(_sha256, path)
        await stream.write(digest[stream.written :])  # an earlier run may have answered already
        await stream.aclose()
        await stream.wait_done()
        _tell(f"Complete: sha256 {digest.hex()}")
        return


async def _fill(path: Path, stream: p4.Stream) -> None:
    """Bring what the stream still has into the file."""
    # What was consumed never comes again. So we say it ourselves, when the bytes are safe on our disk.
    stream.consume_explicitly = True
    _tell(f"Receiving {stream.name} from byte {stream.position}")
    with path.open("r+b" if stream.position else "wb") as film:
        film.truncate(film.seek(stream.position))
        safe = stream.position
        while piece := await stream.read():
            film.write(piece)
            if stream.position - safe >= STEP_BYTES:
                safe = await _keep(film, stream)
        await _keep(film, stream)


async def _keep(film: IO[bytes], stream: p4.Stream) -> int:
    """Make what was read safe, and tell the sender so; gives the offset up to which it is."""
    film.flush()
    await asyncio.to_thread(os.fsync, film.fileno())
    await stream.consumed()
    _tell(f"Received {stream.position} bytes")
    return stream.position


def _sha256(path: Path) -> bytes:
    with path.open("rb") as film:
        return hashlib.file_digest(film, "sha256").digest()


def _tell(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - whoever started us reads it


def main(words: Sequence[str] | None = None) -> None:
    """Run the program; ends the process with 1 and a sentence if it did not work."""
    parser = argparse.ArgumentParser(prog="film", description="Send or receive a film through P4.")
    like = "as of p4 run"
    parser.add_argument("--mode", choices=["onion", "direct"], default="onion", help=like)
    parser.add_argument("--signal-port", type=int, default=0, metavar="N", help=like)
    parser.add_argument("--stun-server", action="append", metavar="URL", help=like)
    parser.add_argument("--no-lan", action="store_true", help=like)
    parser.add_argument("--no-direct-signaling", action="store_true", help=like)
    parser.add_argument("--torrc-line", action="append", default=[], metavar="LINE", help=like)
    parser.add_argument("--onionrelay-bin", type=Path, metavar="BIN", help=like)
    parser.add_argument("state_dir", type=Path)
    actions = parser.add_subparsers(dest="action", required=True)
    (sending := actions.add_parser("send")).add_argument("peer")
    sending.add_argument("file", type=Path)
    actions.add_parser("receive").add_argument("directory", type=Path)
    given = parser.parse_args(words)
    options = p4.NodeOptions(
        transport=p4.Transport(given.mode),
        signal_port=given.signal_port,
        ice=p4.IceSettings(tuple(given.stun_server)) if given.stun_server else p4.IceSettings(),
        lan=not given.no_lan,
        direct_signaling=not given.no_direct_signaling,
        torrc_lines=tuple(given.torrc_line),
        onionrelay_bin=given.onionrelay_bin,
    )

    async def work() -> None:
        async with p4.Node(given.state_dir, options) as node:
            if given.action == "send":
                await send(node, given.peer, given.file)
            else:
                await receive(node, given.directory)

    try:
        asyncio.run(work())
    except (p4.P4Error, OSError) as error:
        sys.exit(f"film: {error}")
    except KeyboardInterrupt:
        sys.exit("film: interrupted; start it again, and it goes on")


if __name__ == "__main__":
    main()
