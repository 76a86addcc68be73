"""Our gated onion service: only clients whose keys it knows can find its entrances.

Tor's onion client authorization (rend-spec-v3, "Restricted discovery mode"; tor manual, "Client
Authorization"). The service is one of Tor's configuration, set over the control port, and not one of
ADD_ONION, for how changes behave (measured in a private network with Tor 0.4.9): files of clients that change
are published at the next SETCONF within 0.1 s, with the introduction points that there are, while a service
that is deleted and added again cannot be dialled anew for some 1.1 s, and for 3 s by who remembers its old
introduction points. The latter is what removing a client needs: otherwise he goes on with what he remembers.
"""

from __future__ import annotations

import base64
import re
import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path

from p4.adapters.tor.control import ControlConnection
from p4.adapters.tor.control_wire import quote
from p4.adapters.tor.onion_seed import onion_address, onion_key_blob
from p4.core.address import RendezvousAddress
from p4.core.gate import gate_public_key
from p4.core.limits import ONION_PORT
from p4.errors import StateError

__all__ = ["GatedService"]

_SECRET_HEADER = b"== ed25519v1-secret: type0 ==\0\0\0"
"""Before the expanded key in the file that Tor reads."""

_CLIENTS = "authorized_clients"
_OTHERS = re.compile(r"(HiddenService\w+)=(.*)", re.DOTALL)


class GatedService:
    """The gated service of this node.

    Tor wants files, so they are written anew at each start: nothing but the seed has to be kept.

    Args:
        seed: its Ed25519 private key (RFC 8032).
        directory: for Tor's files; its own, and removed with all that is in it.
    """

    def __init__(self, seed: bytes, directory: Path) -> None:
        self.address: RendezvousAddress = onion_address(seed)
        self.own_key = secrets.token_bytes(32)
        """X25519 private key by which this node is always admitted: a gate without keys would be open."""
        self.target = ""
        """Where Tor connects for each inbound stream: ``unix:/path`` or ``127.0.0.1:port``."""
        self._key = onion_key_blob(seed)
        self._directory = directory
        self._others: list[str] = []

    @property
    def service_id(self) -> str:
        """The address without ``.onion``."""
        return self.address.host.removesuffix(".onion")

    def prepare(self) -> None:
        """Write the files, with nobody but ourselves admitted. Raises StateError."""
        try:
            shutil.rmtree(self._directory, ignore_errors=True)
            (self._directory / _CLIENTS).mkdir(mode=0o700, parents=True)
            self._directory.chmod(0o700)
            _write(self._directory / "hs_ed25519_secret_key", _SECRET_HEADER + base64.b64decode(self._key))
            self._write_clients(())
        except OSError as error:
            raise self._error(error) from error

    async def publish(self, control: ControlConnection, keys: Iterable[bytes]) -> None:
        """Have a Tor publish it for these clients; one that has it already changes what is published.

        Args:
            keys: X25519 public keys.

        Raises:
            TorError: Tor refused. StateError: the files could not be written.
        """
        try:
            self._write_clients(keys)
        except OSError as error:
            raise self._error(error) from error
        port = f"HiddenServicePort={quote(f'{ONION_PORT} {self.target}')}"
        await control.command(
            "SETCONF", *self._others, f"HiddenServiceDir={quote(str(self._directory))}", port
        )

    async def withdraw(self, control: ControlConnection) -> None:
        """Have Tor give it up, with its introduction points and streams. Raises TorError."""
        await control.command("SETCONF", *(self._others or ["HiddenServiceDir"]))

    async def begin(self, control: ControlConnection) -> None:
        """A new Tor runs: services of the user's own torrc lines stay as they are. Raises TorError."""
        reply = await control.command("GETCONF", "HiddenServiceOptions")
        found = (_OTHERS.fullmatch(line.text) for line in reply.lines)
        self._others = [f"{one[1]}={quote(one[2])}" for one in found if one is not None]

    def _write_clients(self, keys: Iterable[bytes]) -> None:
        """One file each; those of clients that are admitted no more are removed."""
        clients = self._directory / _CLIENTS
        wanted = {f"{key.hex()}.auth": key for key in (gate_public_key(self.own_key), *keys)}
        present = {entry.name for entry in clients.iterdir()}
        for name in present - wanted.keys():
            (clients / name).unlink()
        for name in wanted.keys() - present:
            encoded = base64.b32encode(wanted[name]).decode("ascii").rstrip("=")
            _write(clients / name, f"descriptor:x25519:{encoded}\n".encode("ascii"))

    def _error(self, error: OSError) -> StateError:
        return StateError(
            f"P4 cannot write {self._directory} for Tor: {error.strerror}. Nobody new was admitted at the "
            "gate. Check that the disk is not full and the directory belongs to you.",
            path=str(self._directory),
            code="cannot-write",
        )


def _write(path: Path, data: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(data)
