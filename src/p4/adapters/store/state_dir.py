"""The state directory: everything a node is, in v1's files and in the database.

v1's directory is opened as it is and stays readable by v1: the JSON identity, ``contacts.json`` and the
onion files keep their names and forms, and what is new has names v1 does not know.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from p4.adapters.store import files, filesystem, identity_file, lock, onion_key
from p4.adapters.store.onion_key import OnionKey
from p4.core.contacts import ContactBook
from p4.core.identity import Identity
from p4.errors import ContactError, PermissionsError, StateError

__all__ = ["STATUS_FILE", "OnionKey", "StateDirectory"]

_IDENTITY_JSON: Final = "identity_ed25519.json"
_IDENTITY_PEM: Final = "identity_ed25519.pem"
_CONTACTS: Final = "contacts.json"
_DATABASE: Final = "p4.sqlite3"
_LOCK: Final = "p4.lock"
_PID: Final = "p4.pid"
STATUS_FILE: Final = "status.json"
"""What a running `p4 run` tells of itself to other processes of this user."""
_ONION_DIRECTORY: Final = "onionrelay"
_ONION_KEY: Final = "onion_v3_key_blob.txt"
_ONION_ID: Final = "onion_service_id.txt"

_OWN_NAMES = (
    *(_IDENTITY_JSON, _IDENTITY_PEM, _CONTACTS, _DATABASE, _LOCK, _PID, STATUS_FILE, _ONION_DIRECTORY),
    *("keys.json", "moved.json", "invites.json", "device_name.txt"),
)
_IDENTITY_LOST: Final = (
    "Contacts know you by this identity, so no new one was made. Put a backup in its place and start P4 "
    "again; without one, use a new state directory and pair again."
)
_KEY_BYTES = 64 * 1024
"""Far above any key or id file."""
_CONTACTS_BYTES = 64 * 1024 * 1024
"""Far above any contact list."""
_LEFTOVER_SECONDS = 3600
"""A half-written temporary file of this age belongs to a process that is gone."""


def _log_warning(message: str) -> None:
    logging.getLogger("p4.state").warning("%s", message)


class StateDirectory:
    """A node's files. Nothing is touched before `prepare`.

    Args:
        path: the directory; ``~`` is expanded. A symbolic link to a directory is followed.
        warn: told, in sentences, of what the user should know although work goes on.

    Raises:
        StateError: code ``no-home``.
    """

    def __init__(self, path: Path, *, warn: Callable[[str], None] = _log_warning) -> None:
        try:
            self.path = Path(path).expanduser()
        except RuntimeError as error:
            raise StateError(
                f"There is no home directory for {path}. Nothing was changed. Give the whole path of the "
                "state directory.",
                path=str(path),
                code="no-home",
            ) from error
        self._warn = warn

    # --- where things are -------------------------------------------------------------------------------

    @property
    def tor_directory(self) -> Path:
        """``onionrelay``: v1's onion files and Tor's own data."""
        return self.path / _ONION_DIRECTORY

    @property
    def onion_key_path(self) -> Path:
        """Secret key of the onion service."""
        return self.tor_directory / _ONION_KEY

    @property
    def onion_id_path(self) -> Path:
        """Address of the onion service, without ``.onion``."""
        return self.tor_directory / _ONION_ID

    @property
    def database_path(self) -> Path:
        """Queues and replay protection."""
        return self.path / _DATABASE

    @property
    def _identity_path(self) -> Path:
        return self.path / _IDENTITY_JSON

    @property
    def _pem_path(self) -> Path:
        return self.path / _IDENTITY_PEM

    @property
    def _contacts_path(self) -> Path:
        return self.path / _CONTACTS

    # --- the directory itself ---------------------------------------------------------------------------

    def prepare(self) -> None:
        """Make the directory, or make sure that an existing one is private, with everything in it.

        Raises:
            PermissionsError: others can get at it; the message holds one command that mends all of it.
            StateError: ``not-a-directory``, ``read-only``, ``disk-full``, ``not-a-state-directory`` or
                another refusal of the operating system.
        """
        if self.path.is_dir():
            self._check_existing()
            return
        if self.path.is_symlink():
            raise StateError(
                f"{self.path} is a symbolic link that leads to no directory. Nothing was changed. If its "
                "disk is not mounted, mount it; otherwise mend the link or use another state directory.",
                path=str(self.path),
                code="dangling-link",
            )
        try:
            self.path.mkdir(mode=files.DIRECTORY_MODE, parents=True)
            filesystem.sync_directory(self.path.parent)
        except OSError as error:
            raise files.state_error(error, self.path, "make the directory") from error

    def _check_existing(self) -> None:
        try:
            entries = sorted(self.path.iterdir())
        except OSError as error:
            raise files.state_error(error, self.path, "read the directory") from error
        ours = [entry for entry in entries if entry.name.lstrip(".").startswith(_OWN_NAMES)]
        if self.tor_directory.is_dir():
            ours += sorted(self.tor_directory.glob("onion_*"))
        try:
            files.check_private([self.path, *ours])
        except PermissionsError as error:
            if entries and not ours:
                # Never advise to close somebody's home or /tmp to the world because of a mistyped option.
                raise StateError(
                    f"{self.path} is open to other users and holds files, but none of P4's. Nothing was "
                    "changed. Use another directory; P4 makes it if it does not exist.",
                    path=str(self.path),
                    code="not-a-state-directory",
                ) from error
            raise

    def lock(self) -> AbstractContextManager[None]:
        """Keep other processes off the directory while the context lasts.

        Raises:
            AlreadyRunningError: another process is on it; its pid is in the message.
        """
        return self._hold()

    def holder(self) -> int | None:
        """The process that works on the directory now, None if there is none. Changes nothing."""
        return lock.holder(self.path / _PID)

    @contextlib.contextmanager
    def _hold(self) -> Iterator[None]:
        with lock.hold(self.path / _LOCK, self.path / _PID):
            self._sweep()
            yield

    def _sweep(self) -> None:
        """Remove temporary files of processes that were killed while they wrote."""
        horizon = time.time() - _LEFTOVER_SECONDS
        for directory in (self.path, self.tor_directory):
            for leftover in directory.glob(".*.new"):
                with contextlib.suppress(OSError):
                    if leftover.name.lstrip(".").startswith((*_OWN_NAMES, "onion_")) and (
                        leftover.stat().st_mtime < horizon
                    ):
                        leftover.unlink()

    # --- identity ---------------------------------------------------------------------------------------

    def load_identity(self) -> Identity | None:
        """The identity of this directory, or None where there is none.

        A PEM file of older state is rewritten in the JSON form. It stays where it is: versions of v1 that
        know only it find the same identity, and nothing is lost.

        Raises:
            CorruptFileError: the file is damaged; it was set aside.
            StateError: it cannot be read, or is encrypted.
        """
        data = files.read_bytes(self._identity_path, at_most=_KEY_BYTES)
        if data is not None:
            try:
                return identity_file.parse_json(data)
            except ValueError as error:
                consequence = (
                    f"An older copy, {_IDENTITY_PEM}, is still there: start P4 again to use it."
                    if self._pem_path.exists()
                    else _IDENTITY_LOST
                )
                raise files.set_aside(self._identity_path, str(error), consequence=consequence) from error
        return self._migrate_pem()

    def _migrate_pem(self) -> Identity | None:
        data = files.read_bytes(self._pem_path, at_most=_KEY_BYTES)
        if data is None:
            return None
        try:
            identity = identity_file.parse_pem(data)
        except TypeError as error:
            raise StateError(
                f"{self._pem_path} is protected by a passphrase, which P4 did not do. It was left as it is. "
                f"Remove the passphrase: openssl pkcs8 -topk8 -nocrypt -in '{self._pem_path}'",
                path=str(self._pem_path),
                code="encrypted-key",
            ) from error
        except ValueError as error:
            raise files.set_aside(
                self._pem_path,
                str(error),
                consequence=_IDENTITY_LOST,
            ) from error
        files.write_atomically(self._identity_path, identity_file.to_json(identity), exclusive=True)
        self._warn(
            f"The identity {identity.peer_id} was copied from {_IDENTITY_PEM} to {_IDENTITY_JSON}, the form "
            "used now. The old file was kept."
        )
        return identity

    def create_identity(self, seed: bytes) -> Identity:
        """Make this directory a new device.

        Args:
            seed: 32 unpredictable bytes.

        Raises:
            StateError: ``identity-exists``; or ``identity-lost``: there are traces of an identity that is
                gone, and a new one would be a different person to every contact.
        """
        for existing in (self._identity_path, self._pem_path):
            if existing.exists():
                raise StateError(
                    f"There is an identity in {existing} already. Nothing was changed.",
                    path=str(existing),
                    code="identity-exists",
                )
        trace = self._trace_of_identity()
        if trace is not None:
            raise StateError(
                f"{self.path} belonged to an identity that is gone: {trace.name} was left behind. A new "
                "identity would be a stranger to all contacts, so none was made. Put a backup of "
                f"{_IDENTITY_JSON} there; without one, use a new state directory and pair again.",
                path=str(trace),
                code="identity-lost",
            )
        identity = Identity(seed)
        files.write_atomically(self._identity_path, identity_file.to_json(identity), exclusive=True)
        return identity

    def _trace_of_identity(self) -> Path | None:
        """A file that only exists where an identity was once."""
        for pattern in (f"{_IDENTITY_JSON}.corrupt-*", f"{_IDENTITY_PEM}.corrupt-*", f"{_DATABASE}*"):
            for trace in sorted(self.path.glob(pattern)):
                return trace
        contacts = files.read_bytes(self._contacts_path, at_most=_CONTACTS_BYTES)
        return self._contacts_path if contacts and contacts.strip() not in {b"[]", b""} else None

    # --- contacts ---------------------------------------------------------------------------------------

    def load_contacts(self) -> ContactBook:
        """The contact book; an empty one where there is no file.

        Entries that cannot be used (v1 did not check what it stored) are reported through ``warn``; they
        stay in the book, and so in the file, unused.

        Raises:
            CorruptFileError: the file as a whole is damaged; it was set aside.
        """
        data = files.read_bytes(self._contacts_path, at_most=_CONTACTS_BYTES)
        if data is None:
            return ContactBook()
        try:
            book, problems = ContactBook.parse(data)
        except ContactError as error:
            raise files.set_aside(
                self._contacts_path,
                f"is not a contact list ({error})",
                consequence="Your identity and the messages that wait are safe. Put a backup in its place; "
                "or start P4 again with no contacts and add them anew from their invites.",
            ) from error
        for problem in problems:
            self._warn(problem)
        return book

    def save_contacts(self, book: ContactBook) -> None:
        """Write the contact book; on disk when this returns."""
        files.write_atomically(self._contacts_path, book.serialise())

    # --- onion service ----------------------------------------------------------------------------------

    def load_onion_key(self) -> OnionKey | None:
        """The onion service's key, or None where a new service may be made.

        An id file that is damaged or belongs to another key is set aside with a warning: the key decides the
        address, and Tor names it again when the service is added.

        Raises:
            CorruptFileError: the key file is damaged; it was set aside.
        """
        data = files.read_bytes(self.onion_key_path, at_most=_KEY_BYTES)
        if data is None:
            self._notice_lost_key()
            return None
        try:
            blob = onion_key.parse_blob(data.decode("ascii"))
        except ValueError as error:
            problem = "is not text" if isinstance(error, UnicodeDecodeError) else str(error)
            raise files.set_aside(
                self.onion_key_path,
                problem,
                consequence="It was the key of your onion address. Put a backup in its place; or start P4 "
                "again to get a new address, and give your contacts a new invite.",
            ) from error
        return OnionKey(blob, self._load_service_id(blob))

    def _notice_lost_key(self) -> None:
        """An address without its key cannot be used again; keep it on record and say so."""
        if self.onion_id_path.exists():
            reason = files.set_aside(
                self.onion_id_path,
                f"names an onion address whose key, {_ONION_KEY}, is gone",
                consequence="A new address will be made; give your contacts a new invite. To keep the old "
                "address instead, stop P4 and put a backup of both files in their place.",
            )
            self._warn(reason.message)

    def _load_service_id(self, blob: str) -> str:
        data = files.read_bytes(self.onion_id_path, at_most=_KEY_BYTES)
        if data is None:
            return ""
        consequence = "The key beside it is whole and decides the address; nothing needs to be done."
        try:
            service_id = onion_key.parse_service_id(data.decode("ascii"))
        except ValueError as error:
            problem = "is not text" if isinstance(error, UnicodeDecodeError) else str(error)
            self._warn(files.set_aside(self.onion_id_path, problem, consequence=consequence).message)
            return ""
        if not onion_key.service_id_belongs(service_id, blob):
            reason = files.set_aside(
                self.onion_id_path,
                "names the address of another key",
                consequence="Your address is now the one of the key beside it. If contacts cannot reach you, "
                "give them a new invite.",
            )
            self._warn(reason.message)
            return ""
        return service_id

    def save_onion_key(self, blob: str, service_id: str) -> None:
        """Keep a new service's key and address; on disk when this returns.

        Args:
            blob: as ADD_ONION gave it, with or without ``ED25519-V3:``.
            service_id: with or without ``.onion``.

        Raises:
            StateError: ``onion-key-exists``: another key is there already; it was not replaced.
            ValueError: the two do not have the form of a key and an id, or do not belong together.
        """
        blob, service_id = onion_key.parse_blob(blob), onion_key.parse_service_id(service_id)
        if not onion_key.service_id_belongs(service_id, blob):
            raise ValueError("the service id does not belong to the key")
        existing = self.load_onion_key()
        if existing is not None and existing.blob != blob:
            raise StateError(
                f"{self.onion_key_path} holds the key of another onion address. It was not replaced.",
                path=str(self.onion_key_path),
                code="onion-key-exists",
            )
        try:
            self.tor_directory.mkdir(mode=files.DIRECTORY_MODE, exist_ok=True)
        except OSError as error:
            raise files.state_error(error, self.tor_directory, "make the directory") from error
        if existing is None:
            files.write_atomically(self.onion_key_path, blob.encode("ascii"), exclusive=True)
        if existing is None or existing.service_id != service_id:
            files.write_atomically(self.onion_id_path, service_id.encode("ascii"))
