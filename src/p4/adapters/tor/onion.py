"""Our onion service: its key, its address, and ADD_ONION (control-spec section 3.27)."""

from __future__ import annotations

import contextlib
import re
import secrets
from collections.abc import Callable
from pathlib import Path

from p4.adapters.tor.control import ControlConnection
from p4.adapters.tor.onion_seed import onion_address, onion_key_blob
from p4.core.address import RendezvousAddress, Transport
from p4.core.limits import ONION_PORT
from p4.errors import InviteError, StateError, TorError

__all__ = ["OnionService"]

_KEY_KIND = "ED25519-V3"
_BLOB = re.compile(r"[A-Za-z0-9+/]{86}==")
"""Base64 of the 64 bytes of an expanded Ed25519 key."""


class OnionService:
    """The onion service of this node.

    Args:
        load_key: gives (base64 blob, service id or empty), or None if there is no key yet.
        save_key: keeps a new key; returns when it is on disk.
        directory: named in errors about the key.
    """

    def __init__(
        self,
        load_key: Callable[[], tuple[str, str] | None],
        save_key: Callable[[str, str], None],
        directory: Path,
    ) -> None:
        self._load_key = load_key
        self._save_key = save_key
        self._directory = directory
        self._address: RendezvousAddress | None = None
        self._kept: tuple[str, str] | None = None
        self.target = ""
        """Where Tor connects for each inbound stream: ``unix:/path`` or ``127.0.0.1:port``."""

    @property
    def address(self) -> RendezvousAddress:
        """Our address. Known once `publish` has returned."""
        if self._address is None:
            raise TorError("The onion address is not known before Tor has started.", code="no-address")
        return self._address

    @property
    def identified(self) -> bool:
        """Whether our address is known."""
        return self._address is not None

    @property
    def service_id(self) -> str:
        """The address without ``.onion``."""
        return self.address.host.removesuffix(".onion")

    def identify(self) -> None:
        """Know our address without Tor, with a new key if there is none, which is kept before use.

        It stays unknown if the key is there and its address is not: only Tor can tell that.

        Raises:
            StateError: the key could not be read or kept.
        """
        self._kept = self._load_key()
        if self._kept is None:
            seed = secrets.token_bytes(32)
            made = onion_address(seed)
            self._kept = (onion_key_blob(seed), made.host.removesuffix(".onion"))
            self._save_key(*self._kept)
        if service_id := self._kept[1].strip().removesuffix(".onion"):
            with contextlib.suppress(InviteError):
                self._address = RendezvousAddress(Transport.ONION, f"{service_id}.onion", ONION_PORT)

    async def publish(self, control: ControlConnection) -> None:
        """Have Tor publish the service; with a new key, if there is none, which is kept before use.

        The service lives as long as this control connection.

        Raises:
            StateError: ``bad-onion-key`` or ``onion-key-mismatch``; nothing was changed.
            TorError: Tor refused.
        """
        saved = self._kept or self._load_key()
        if saved is None:
            key = f"NEW:{_KEY_KIND}"
        else:
            blob = saved[0].strip().removeprefix(f"{_KEY_KIND}:")
            if not _BLOB.fullmatch(blob):
                raise self._error("The key of the onion address is damaged.", "bad-onion-key")
            key = f"{_KEY_KIND}:{blob}"
        reply = await control.command("ADD_ONION", key, f"Port={ONION_PORT},{self.target}")
        service_id = reply.value("ServiceID") or ""
        try:
            address = RendezvousAddress(Transport.ONION, f"{service_id}.onion", ONION_PORT)
        except InviteError as error:
            raise TorError(
                "Tor gave an onion address that is not valid.", code="bad-control-reply"
            ) from error
        if saved is None:
            _, _, new_blob = (reply.value("PrivateKey") or "").partition(":")
            if not _BLOB.fullmatch(new_blob):
                raise TorError("Tor gave no key for the new onion address.", code="bad-control-reply")
            self._save_key(new_blob, service_id)
            self._kept = (new_blob, service_id)
        elif not saved[1]:
            self._save_key(saved[0], service_id)
        elif saved[1].strip().removesuffix(".onion") != service_id:
            raise self._error(
                f"The key of the onion address gives {service_id[:8]}…, but contacts were told "
                f"{saved[1][:8]}….",
                "onion-key-mismatch",
            )
        self._address = address

    async def republish(self, control: ControlConnection) -> None:
        """Take the service away and add it again: Tor makes new introduction points and a new descriptor.

        Raises:
            TorError, StateError: as `publish`.
        """
        await self.withdraw(control)
        await self.publish(control)

    async def withdraw(self, control: ControlConnection) -> None:
        """Take the service away; its streams go on. Raises TorError."""
        try:
            await control.command("DEL_ONION", self.service_id)
        except TorError as error:
            if error.code != "command-failed":  # this Tor has it no more: so much the better
                raise

    def _error(self, sentence: str, code: str) -> StateError:
        return StateError(
            f"{sentence} Put back the key and id files in {self._directory} from a backup, or move both "
            "away: P4 then makes a new address, and contacts need a new invite.",
            path=str(self._directory),
            code=code,
        )
