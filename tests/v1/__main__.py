"""The v1 peer as a process: ``python -m tests.v1 --state DIR [--listen …] [--contact INVITE-FILE]…``.

Its stdin takes ``send PEER TEXT``, ``drop PEER`` and ``quit``; its stdout has v1's lines.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from tests.v1.dialling import dial_by_socks, dial_direct
from tests.v1.identities import new_identity
from tests.v1.peer import V1Peer


def load_state(directory: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Identity and contacts of a v1 state directory; an identity is made where there is none."""
    directory.mkdir(parents=True, exist_ok=True)
    identity_path, contacts_path = directory / "identity_ed25519.json", directory / "contacts.json"
    if not identity_path.exists():
        identity_path.write_text(json.dumps(new_identity()))
    contacts = json.loads(contacts_path.read_text()) if contacts_path.exists() else []
    return json.loads(identity_path.read_text()), contacts


def parse_arguments() -> argparse.Namespace:
    """Of the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.v1")
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--listen", default="127.0.0.1:0", help="HOST:PORT or unix:PATH")
    parser.add_argument("--contact", type=Path, action="append", default=[], help="an invite file")
    parser.add_argument("--socks", help="dial through this SOCKS proxy: HOST:PORT or unix:PATH")
    parser.add_argument("--retry-seconds", type=float, default=5.0)
    return parser.parse_args()


async def main() -> None:
    """Run until stdin ends or says ``quit``."""
    options = parse_arguments()
    identity, contacts = load_state(options.state)
    peer = V1Peer(
        identity,
        listen=options.listen,
        dial=dial_by_socks(options.socks) if options.socks else dial_direct,
        retry_seconds=options.retry_seconds,
        say=lambda line: print(time.strftime("[%Y-%m-%d %H:%M:%S]"), line, flush=True),
    )
    for invite in [*contacts, *(json.loads(path.read_text()) for path in options.contact)]:
        peer.add_contact(invite)
    stdin = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)
    async with peer:
        peer.say("Invite: " + json.dumps(peer.invite()))
        while (line := (await stdin.readline()).decode().rstrip("\n")) not in ("", "quit"):
            command, peer_id, *text = line.split(" ", 2)
            if command == "send":
                peer.send(peer_id, " ".join(text))
            elif command == "drop":
                peer.drop(peer_id)


if __name__ == "__main__":
    asyncio.run(main())
