"""Tokens of apps: made once, shown once, and only their hashes kept (spec/daemon-api/README.md, "Tokens")."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from p4.adapters.store import files
from p4.core import limits
from p4.core.identity import PeerId
from p4.daemon.access.authority import Authority, AuthorityKind
from p4.daemon.access.ending import Ending
from p4.errors import InputError

__all__ = ["AppToken", "TokenBook"]

_FORMAT = 1
_FILE_BYTES = 4 * 1024 * 1024
_PREFIX = "p4app_"
"""Lets a person, and programs that search for leaked secrets, see what it is."""


@dataclass(frozen=True, slots=True)
class AppToken:
    """What is kept of a token.

    Args:
        digest: SHA-256 of the token, hex. No salt and no slow hash: 256 random bits cannot be guessed, nor
            found in a table.
        services: each covering all below it; None for all.
        contacts: ids; None for all.
        expires_ms: Unix milliseconds; None for never.
    """

    id: str
    app: str
    digest: str
    services: tuple[str, ...] | None
    contacts: tuple[PeerId, ...] | None
    created_ms: int
    expires_ms: int | None


class TokenBook:
    """The tokens of a daemon, on disk.

    Args:
        path: of ``tokens.json``, in a private directory.
        now_ms: Unix milliseconds.
    """

    def __init__(self, path: Path, *, now_ms: Callable[[], int] = lambda: int(time.time() * 1000)) -> None:
        self._path = path
        self.now_ms = now_ms
        """Unix milliseconds, by the clock that decides whether a token has expired."""
        self._tokens: dict[str, AppToken] = {}
        self._ended: dict[str, Ending] = {}

    def load(self) -> None:
        """Read the file.

        Raises:
            CorruptFileError: it is damaged and was set aside. StateError: it cannot be read.
        """
        data = files.read_bytes(self._path, at_most=_FILE_BYTES)
        if data is None:
            return
        files.check_private([self._path])
        try:
            found = json.loads(data)
            if found["format"] != _FORMAT:
                raise ValueError("is of another version of P4")  # noqa: TRY301 - told as all other damage
            tokens = [_parsed(entry) for entry in found["tokens"]]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise files.set_aside(
                self._path,
                f"is no list of tokens ({error})",
                consequence="Apps need new tokens (p4 token new). Nothing else is lost.",
            ) from error
        self._tokens = {token.id: token for token in tokens}

    def all(self) -> list[AppToken]:
        """Every token that was not revoked, the oldest first; also those that have expired."""
        return list(self._tokens.values())

    def create(
        self,
        app: str,
        *,
        services: tuple[str, ...] | None,
        contacts: tuple[PeerId, ...] | None,
        expires_ms: int | None,
    ) -> tuple[AppToken, str]:
        """Make a token; on disk when this returns. The text is shown now and never again.

        Raises:
            InputError: ``too-many``. StateError: not written; there is no such token.
        """
        if len(self._tokens) >= limits.TOKENS:
            raise InputError(
                f"There are {limits.TOKENS} tokens already. Revoke one that is not used: p4 token ls",
                code="too-many",
            )
        text = _PREFIX + secrets.token_urlsafe(limits.TOKEN_BYTES)
        token = AppToken(
            secrets.token_hex(8), app, _digest(text), services, contacts, self.now_ms(), expires_ms
        )
        self._save({**self._tokens, token.id: token})
        return token, text

    def revoke(self, token_id: str) -> AppToken:
        """End a token; what it does at the moment ends at once. On disk when this returns.

        Raises:
            InputError: ``unknown``. StateError: not written; the token is still valid.
        """
        token = self._tokens.get(token_id)
        if token is None:
            raise InputError("There is no such token. Nothing was changed.", code="unknown")
        self._save({other: kept for other, kept in self._tokens.items() if other != token_id})
        if ended := self._ended.pop(token_id, None):
            ended.set()
        return token

    def authority(self, text: str) -> tuple[Authority, int | None] | None:
        """Whose token this is, and when it expires (Unix milliseconds); None if it is nobody's now."""
        digest = _digest(text)
        found: AppToken | None = None
        for token in self._tokens.values():
            # All are compared, each in constant time: how long it takes tells nothing.
            if hmac.compare_digest(token.digest, digest):
                found = token
        if found is None or (found.expires_ms is not None and found.expires_ms <= self.now_ms()):
            return None
        contacts = None if found.contacts is None else frozenset(found.contacts)
        ended = self._ended.setdefault(found.id, Ending())
        return Authority(AuthorityKind.APP, found.app, found.services, contacts, ended), found.expires_ms

    def _save(self, tokens: dict[str, AppToken]) -> None:
        entries = [_entry(token) for token in tokens.values()]
        text = json.dumps({"format": _FORMAT, "tokens": entries}, indent=2)
        files.write_atomically(self._path, text.encode())
        self._tokens = tokens


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _entry(token: AppToken) -> dict[str, Any]:
    return {
        "id": token.id,
        "app": token.app,
        "sha256": token.digest,
        "services": None if token.services is None else list(token.services),
        "contacts": None if token.contacts is None else list(token.contacts),
        "created_ms": token.created_ms,
        "expires_ms": token.expires_ms,
    }


def _parsed(entry: dict[str, Any]) -> AppToken:
    services, contacts, expires_ms = entry["services"], entry["contacts"], entry["expires_ms"]
    if not (services is None or isinstance(services, list)) or not (
        contacts is None or isinstance(contacts, list)
    ):
        raise TypeError("a token without its limits")
    return AppToken(
        str(entry["id"]),
        str(entry["app"]),
        str(entry["sha256"]),
        None if services is None else tuple(map(str, services)),
        None if contacts is None else tuple(PeerId(str(contact)) for contact in contacts),
        int(entry["created_ms"]),
        None if expires_ms is None else int(expires_ms),
    )
