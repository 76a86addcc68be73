"""The commands of the `p4>` prompt, independent of where the lines come from."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from p4.cli.arguments import only_argument, split_first
from p4.cli.input_files import LARGEST_INVITE_BYTES, read_bytes
from p4.cli.output import complain, say, visible
from p4.cli.policies import policy_line
from p4.cli.status.words import now_ms
from p4.errors import InputError, P4Error

if TYPE_CHECKING:
    from p4.core.contacts import Contact
    from p4.core.identity import PeerId
    from p4.core.invite import Invite
    from p4.core.policy import Policy
    from p4.node.status import PeerStatus, PresenceView
    from p4.ports import RendezvousStatus

__all__ = ["COMMANDS", "CommandPrompt", "PromptNode", "PromptPeer", "PromptReceipt"]

COMMANDS = {
    "/help": ("", "show this"),
    "/peers": ("", "every contact and how it is"),
    "/ls": ("", "the same as a table: path, round trip, throughput, queue"),
    "/status": ("[PEER]", "how this node is, or everything about one contact"),
    "/invite": ("", "print the invite that others need to add you"),
    "/add-file": ("F", "add a contact from a file with its invite"),
    "/add-json": ("J", "add a contact from its invite on one line"),
    "/add-invite": ("", "paste an invite of several lines; a single . ends it"),
    "/send": ("PEER TEXT", "send a text; it waits on disk while the peer is away"),
    "/grants": ("PEER", "which services of this device a contact may use"),
    "/grant": ("PEER SERVICE…", "let a contact use services; * is all of them"),
    "/revoke": ("PEER SERVICE…", "let a contact use these no more"),
    "/policy": ("PEER [POLICY]", "which paths to a contact may be used: direct, relay-only or lan-only"),
    "/drop": ("PEER", "cut the link; it comes back by itself"),
    "/rename": ("PEER NAME", "call a contact NAME"),
    "/remove": ("PEER", "forget a contact and what waits for it"),
    "/quit": ("", "end"),
}
"""Each command's arguments and what it does, in the order of /help."""


class PromptReceipt(Protocol):
    """What the prompt needs of `p4.Receipt`."""

    @property
    def number(self) -> int:
        """Its number in the queue."""

    async def delivered(self) -> None:
        """Wait until the contact has it. Raises P4Error if it never will."""


class PromptPeer(Protocol):
    """What the prompt needs of `p4.Peer`."""

    @property
    def peer_id(self) -> PeerId:
        """Of the contact."""

    @property
    def name(self) -> str:
        """As our user calls it, or empty."""

    @property
    def role(self) -> str:
        """``initiator`` or ``responder``."""

    @property
    def connected(self) -> bool:
        """Whether there is a link."""

    @property
    def state(self) -> str:
        """A word or short phrase."""

    async def status(self) -> PeerStatus:
        """How it is, in figures."""

    async def send(self, value: object) -> PromptReceipt:
        """Accept a message; it is on disk when this returns."""

    def drop(self) -> bool:
        """Cut the link, if there is one."""

    @property
    def grants(self) -> tuple[str, ...]:
        """What it may use here."""

    async def grant(self, *services: str) -> None:
        """Let it use these too; on disk when this returns."""

    async def revoke(self, *services: str) -> None:
        """Let it use these no more; on disk when this returns."""

    @property
    def policy(self) -> Policy:
        """Which paths to it may be used."""

    async def set_policy(self, policy: Policy | str) -> None:
        """Use only these paths from now on; on disk when this returns."""


class PromptNode(Protocol):
    """What the prompt needs of `p4.Node`."""

    @property
    def peer_id(self) -> PeerId:
        """Our own id."""

    @property
    def status(self) -> RendezvousStatus:
        """How reachable we are."""

    @property
    def presence(self) -> PresenceView:
        """Where else we can be reached."""

    def invite(self) -> Invite:
        """Our own."""

    def peers(self) -> Sequence[PromptPeer]:
        """One per contact."""

    def peer(self, reference: str) -> PromptPeer:
        """By id, unique beginning of an id, or name."""

    def add_contact(self, invite: Invite, name: str = "") -> PromptPeer:
        """Written to disk when it returns."""

    async def remove_contact(self, reference: str) -> Contact:
        """Forget it."""

    def rename_contact(self, reference: str, name: str) -> Contact:
        """Give it another name."""


class CommandPrompt:
    """Carries out one line after the other.

    Args:
        node: a started node.
        queued: told peer and receipt of each message that waits because the peer is away.
    """

    def __init__(
        self,
        node: PromptNode,
        *,
        queued: Callable[[PeerId, PromptReceipt], None] = lambda _peer, _receipt: None,
    ) -> None:
        self._node = node
        self._queued = queued
        self._started_ms = now_ms()
        self._pasted: list[str] | None = None
        self._handlers: dict[str, Callable[[str], Awaitable[None]]] = {
            "/help": self._help,
            "/peers": self._peers,
            "/ls": self._ls,
            "/status": self._status,
            "/invite": self._invite,
            "/add-file": self._add_file,
            "/add-json": self._add_json,
            "/add-invite": self._add_invite,
            "/send": self._send,
            "/grants": self._grants,
            "/grant": self._grant,
            "/revoke": self._revoke,
            "/policy": self._policy,
            "/drop": self._drop,
            "/rename": self._rename,
            "/remove": self._remove,
        }

    @property
    def text(self) -> str:
        """What to show before the next line."""
        return "p4> " if self._pasted is None else "... "

    async def handle(self, line: str) -> bool:
        """Carry out one line (without its line end). A refused line is reported and changes nothing.

        Returns:
            False if it asked to quit.
        """
        try:
            if self._pasted is not None:
                self._take_pasted(line)
                return True
            return await self._command(line)
        except P4Error as error:
            complain(error.message)
        except OSError as error:
            complain(f"That did not work: {error.strerror or error}. Nothing was changed.")
        return True

    def end(self) -> None:
        """No line follows; an unfinished /add-invite is given up."""
        if self._pasted is not None:
            self._pasted = None
            complain("The pasted invite was not ended by a single . and was not added.")

    async def _command(self, line: str) -> bool:
        command, rest = split_first(line) if not line.lstrip().startswith('"') else (line.strip(), "")
        if not command:
            return True
        if command not in COMMANDS:
            shown = command if len(command) <= 40 else command[:40] + "…"
            raise InputError(f"{shown!r} is not a command. /help lists them.")
        if not COMMANDS[command][0] and rest.strip():
            raise InputError(f"{command} takes nothing after it.")
        if command == "/quit":
            return False
        await self._handlers[command](rest)
        return True

    async def _help(self, _rest: str) -> None:
        width = max(len(f"{command} {arguments}") for command, (arguments, _) in COMMANDS.items())
        for command, (arguments, meaning) in COMMANDS.items():
            say(f"{f'{command} {arguments}':<{width}}  {meaning}")
        say('PEER is a name, an id or its first digits (6 at least). Quote spaces: "my laptop".')

    async def _peers(self, _rest: str) -> None:
        peers = self._node.peers()
        for peer in peers:
            name = f" name={visible(peer.name)}" if peer.name else ""
            say(f"{peer.peer_id} role={peer.role} connected={peer.connected} state={peer.state}{name}")
        if not peers:
            say("No contacts yet. Give another device your /invite, and add its invite with /add-invite.")

    async def _ls(self, _rest: str) -> None:
        from p4.cli.status.view import contacts_table, show

        peers = await asyncio.gather(*(peer.status() for peer in self._node.peers()))
        show(contacts_table(peers, now_ms()), colours=False)

    async def _status(self, rest: str) -> None:
        from p4.cli.status.view import node_table, peer_table, show
        from p4.node.status import node_status

        if reference := only_argument(rest):
            table = peer_table(await self._node.peer(reference).status(), now_ms())
        else:
            now = asyncio.get_running_loop().time()
            node = await node_status(self._node, started_ms=self._started_ms, now_ms=now_ms(), now=now)
            table = node_table(node, now_ms())
        show(table, colours=False)

    async def _invite(self, _rest: str) -> None:
        say(self._node.invite().to_text())

    async def _add_file(self, rest: str) -> None:
        path = _required(only_argument(rest), "/add-file")
        self._add(read_bytes(Path(path), largest_bytes=LARGEST_INVITE_BYTES))

    async def _add_json(self, rest: str) -> None:
        self._add(_required(rest.strip(), "/add-json"))

    async def _add_invite(self, _rest: str) -> None:
        self._pasted = []
        say("Paste the invite, then a line with a single . (a . alone gives up).")

    def _take_pasted(self, line: str) -> None:
        assert self._pasted is not None  # noqa: S101 - the caller has looked
        if line.strip() != ".":
            # Once there is more than any invite has, the rest cannot mend it and is not kept.
            if sum(map(len, self._pasted)) <= LARGEST_INVITE_BYTES:
                self._pasted.append(line[: LARGEST_INVITE_BYTES + 1])
            return
        pasted, self._pasted = "\n".join(self._pasted), None
        if pasted.strip():
            self._add(pasted)

    def _add(self, data: bytes | str) -> None:
        from p4.core.invite import Invite

        peer = self._node.add_contact(Invite.parse(data))
        say(f"Added {peer.peer_id}")

    async def _send(self, rest: str) -> None:
        reference, text = split_first(rest)
        if not text:
            raise _usage("/send")
        peer = self._node.peer(reference)
        connected = peer.connected
        receipt = await peer.send(text)
        if not connected:
            self._queued(peer.peer_id, receipt)
            say(
                f"Peer {peer.peer_id} is not connected; message {receipt.number} is saved and will be sent "
                "when it is back"
            )

    async def _grants(self, rest: str) -> None:
        _say_grants(self._node.peer(_required(only_argument(rest), "/grants")))

    async def _grant(self, rest: str) -> None:
        peer, services = self._peer_and_services(rest, "/grant")
        await peer.grant(*services)
        _say_grants(peer)

    async def _revoke(self, rest: str) -> None:
        peer, services = self._peer_and_services(rest, "/revoke")
        # Only a grant itself can be taken back. Passing over the others in silence would leave a person
        # who revokes home.light in the belief that a grant of home does not cover it any more.
        if unknown := [service for service in services if service not in peer.grants]:
            raise InputError(
                f"There is no grant {', '.join(map(repr, unknown))}. Nothing was changed. /grants PEER shows "
                "what can be revoked."
            )
        await peer.revoke(*services)
        _say_grants(peer)

    def _peer_and_services(self, rest: str, command: str) -> tuple[PromptPeer, list[str]]:
        reference, services = split_first(rest)
        if not services.strip():
            raise _usage(command)
        return self._node.peer(reference), services.split()

    async def _policy(self, rest: str) -> None:
        reference, policy = split_first(rest)
        peer = self._node.peer(_required(reference, "/policy"))
        if policy.strip():
            await peer.set_policy(only_argument(policy).lower())
        say(policy_line(peer.peer_id, peer.policy))

    async def _drop(self, rest: str) -> None:
        peer = self._node.peer(_required(only_argument(rest), "/drop"))
        if peer.drop():
            say(f"Dropped session with {peer.peer_id}")
        else:
            say(f"Peer {peer.peer_id} is not connected")

    async def _rename(self, rest: str) -> None:
        reference, name = split_first(rest)
        contact = self._node.rename_contact(
            _required(reference, "/rename"), _required(only_argument(name), "/rename")
        )
        say(f"Renamed {contact.peer_id} to {visible(contact.name)}")

    async def _remove(self, rest: str) -> None:
        contact = await self._node.remove_contact(_required(only_argument(rest), "/remove"))
        say(f"Removed {contact.peer_id}")


def _say_grants(peer: PromptPeer) -> None:
    say(f"{peer.peer_id} may use: {' '.join(peer.grants) or 'nothing'}")


def _required(argument: str, command: str) -> str:
    if not argument:
        raise _usage(command)
    return argument


def _usage(command: str) -> InputError:
    return InputError(f"Use it like this: {command} {COMMANDS[command][0]}")
