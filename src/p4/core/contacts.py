"""The contact book: whom we know, by which key, under which name (spec/identity.md, Contacts)."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from p4.core.address import RendezvousAddress
from p4.core.canonical import parse_value
from p4.core.identity import PeerId, is_peer_id
from p4.core.invite import Invite
from p4.core.rotation import RotationStatement
from p4.core.trust import TRUST_KEYS, Trust, Verification
from p4.errors import ContactError, InviteError

__all__ = ["NAME_CHARACTERS", "PREFIX_CHARACTERS", "Contact", "ContactBook", "is_usable_name"]

NAME_CHARACTERS = 64
"""Longest name of a contact, in Unicode characters."""

PREFIX_CHARACTERS = 6
"""Fewest hex digits that may stand for a whole peer id."""

_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories of control, formatting and line-end characters: they could make a terminal show
another name than the one that is stored."""

_JOINERS = frozenset({"\u200c", "\u200d"})
"""Formatting characters that emoji and several scripts need."""


@dataclass(frozen=True, slots=True)
class Contact:
    """A device that we know.

    Args:
        peer_id: belongs to the key that it had first.
        public_key: raw 32-byte Ed25519 key; only a rotation changes it (spec/rotation.md), and never the id.
        rendezvous: where its signaling answers, as far as we know.
        name: chosen by our user, may be empty.
        trust: whether it is verified or blocked, and how its key follows from the first.
    """

    peer_id: PeerId
    public_key: bytes
    rendezvous: RendezvousAddress
    name: str = ""
    trust: Trust = field(default_factory=Trust)

    @property
    def label(self) -> str:
        """The name, or the id where there is none."""
        return self.name or self.peer_id

    @property
    def verification(self) -> Verification:
        """Whether a person compared its words, and whether that was for the key that it has now."""
        return self.trust.verification(self.public_key)

    @property
    def verified(self) -> bool:
        """Whether a person compared its words with the key that it has now."""
        return self.verification is Verification.VERIFIED

    def with_key(self, statement: RotationStatement) -> Contact:
        """After a rotation; the former key counts until the new one has been used."""
        return replace(self, public_key=statement.new_key, trust=self.trust.rotated(statement))

    def with_settled_key(self, at_ms: int) -> Contact:
        """The contact has used its present key, in an envelope of this time."""
        return replace(self, trust=replace(self.trust, waning=0, settled_ms=at_ms))

    def with_verified(self, verified: bool) -> Contact:
        """A person compared the words for the present key, or takes that back."""
        return replace(self, trust=replace(self.trust, verified_key=self.public_key if verified else b""))

    def with_blocked(self, blocked: bool) -> Contact:
        """Nothing of it is answered, or it is a contact as before."""
        return replace(self, trust=replace(self.trust, blocked=blocked))


@dataclass(frozen=True, slots=True)
class _Entry:
    """One element of the file: as read (kept for what we do not know), and as understood.

    Args:
        raw: the JSON value; an empty object for a contact that was not in the file.
        contact: None if the value cannot be used.
        name_read: the usable name in ``raw``, None for a contact that was not in the file.
    """

    raw: object
    contact: Contact | None
    name_read: str | None = None


@dataclass(frozen=True, slots=True)
class ContactBook:
    """All contacts, in the order in which they were added. Immutable: every change gives a new book."""

    _entries: tuple[_Entry, ...] = ()

    @property
    def contacts(self) -> tuple[Contact, ...]:
        """The usable contacts."""
        return tuple(entry.contact for entry in self._entries if entry.contact is not None)

    @classmethod
    def of(cls, *contacts: Contact) -> ContactBook:
        """A book of contacts that were validated elsewhere."""
        return cls(tuple(_Entry({}, contact) for contact in contacts))

    def find(self, reference: str) -> Contact:
        """The contact that a person means.

        Args:
            reference: a peer id, a name (case does not matter), or the beginning of one peer id, at least
                6 digits long. Tried in this order.

        Raises:
            ContactError: ``unknown`` or ``ambiguous``.
        """
        wanted = reference.strip()
        for matches in (
            [contact for contact in self.contacts if contact.peer_id == wanted.lower()],
            [contact for contact in self.contacts if wanted and _fold(contact.name) == _fold(wanted)],
            [
                contact
                for contact in self.contacts
                if len(wanted) >= PREFIX_CHARACTERS and contact.peer_id.startswith(wanted.lower())
            ],
        ):
            if len(matches) == 1:
                return matches[0]
            if matches:
                raise ContactError(
                    f"{_shown(wanted)} is the beginning of {len(matches)} peer ids. Give more of it.",
                    code="ambiguous",
                )
        raise ContactError(f"There is no contact {_shown(wanted)}.", code="unknown")

    def known(self, invite: Invite) -> Contact | None:
        """The contact that an invite belongs to: by its id, or by the key that it has rotated to."""
        return next((contact for contact in self.contacts if _is_of(contact, invite)), None)

    def add(self, invite: Invite, name: str = "", *, me: PeerId) -> ContactBook:
        """Add the device that an invite names, or take over its new rendezvous address.

        Args:
            invite: a validated invite.
            name: name to give; empty keeps the one that a known contact has.
            me: our own id.

        Raises:
            InviteError: ``own-invite``.
            ContactError: ``changed-key`` (the file holds another key for this id, or the key is one that a
                contact has rotated from), ``known-before-rotation``
                (it is a contact under the id of its first key), ``name-taken`` or ``bad-name``.
        """
        if invite.peer_id == me:
            raise InviteError(
                "This is this node's own invite. Give it to the other device, and add that device's invite "
                "here.",
                code="own-invite",
            )
        if any(entry.contact is None and _raw_id(entry.raw) == invite.peer_id for entry in self._entries):
            raise ContactError(
                f"The contacts file has another key for {invite.peer_id} than this invite. The entry in the "
                f"file was never valid and is not used. Remove the contact {invite.peer_id}, then add the "
                "invite again.",
                code="changed-key",
            )
        for contact in self.contacts:
            if invite.public_key in contact.trust.former_keys:
                raise ContactError(
                    f"This is the former key of {contact.label}, which has changed it since. Nothing was "
                    "changed. Either an old copy or backup of that device is running, or its former key was "
                    "stolen. Talk to its owner; to trust this key again, remove the contact first.",
                    code="changed-key",
                )
        known = self.known(invite)
        if known is None:
            if name:
                self._check_name(name, invite.peer_id, new_key=True)
            contact = Contact(invite.peer_id, invite.public_key, invite.rendezvous, name)
            return ContactBook((*self._entries, _Entry({}, contact)))
        if known.peer_id != invite.peer_id:
            # On its side we are new, or it could not name itself so: two names of one relation cannot agree.
            raise ContactError(
                f"{known.label} is this device already, from before it changed its key. Nothing was changed. "
                "If it has forgotten this device, remove it here too, then pair again.",
                code="known-before-rotation",
            )
        if name:
            self._check_name(name, known.peer_id)
        return self._put(replace(known, rendezvous=invite.rendezvous, name=name or known.name))

    def with_contact(self, contact: Contact) -> ContactBook:
        """With this in place of the contact that has the same id, and the same name."""
        return self._put(contact)

    def rename(self, reference: str, name: str) -> ContactBook:
        """Give a contact another name; an empty one takes its name away.

        Raises:
            ContactError: ``unknown``, ``ambiguous``, ``name-taken`` or ``bad-name``.
        """
        contact = self.find(reference)
        if name:
            self._check_name(name, contact.peer_id)
        return self._put(replace(contact, name=name))

    def remove(self, reference: str) -> ContactBook:
        """Forget a contact; by its whole id also an entry of the file that is not usable.

        Raises:
            ContactError: ``unknown`` or ``ambiguous``.
        """
        wanted = reference.strip().lower()
        by_id = tuple(entry for entry in self._entries if _entry_id(entry) != wanted)
        if is_peer_id(wanted) and len(by_id) < len(self._entries):
            return ContactBook(by_id)
        peer_id = self.find(reference).peer_id
        return ContactBook(tuple(entry for entry in self._entries if _entry_id(entry) != peer_id))

    @classmethod
    def parse(cls, data: bytes) -> tuple[ContactBook, tuple[str, ...]]:
        """Read ``contacts.json`` of version 1 or ours.

        Entries that cannot be used stay in the file as they are and are reported.

        Returns:
            The book, and one sentence for each problem.

        Raises:
            ContactError: the file as a whole cannot be read: a code of `p4.core.canonical.parse_object`,
                or ``not-list``.
        """
        value = parse_value(data, ContactError)
        if not isinstance(value, list):
            raise ContactError("The contacts file does not hold a list.", code="not-list")
        reader = _Reader()
        entries = tuple(reader.read(position, raw) for position, raw in enumerate(value, start=1))
        return cls(entries), tuple(reader.problems)

    def serialise(self) -> bytes:
        """The file's content: version 1's format, with every key and entry that `parse` did not know."""
        values = [
            entry.raw if entry.contact is None else _to_object(entry.contact, entry)
            for entry in self._entries
        ]
        return (json.dumps(values, indent=2) + "\n").encode("ascii")

    def _put(self, contact: Contact) -> ContactBook:
        return ContactBook(
            tuple(
                replace(entry, contact=contact)
                if entry.contact is not None and entry.contact.peer_id == contact.peer_id
                else entry
                for entry in self._entries
            )
        )

    def _check_name(self, name: str, owner: PeerId, *, new_key: bool = False) -> None:
        if problem := _name_problem(name):
            raise ContactError(f"The name {_shown(name)} cannot be used: {problem}.", code="bad-name")
        folded = _fold(name)
        for contact in self.contacts:
            if contact.peer_id != owner and _fold(contact.name) == folded:
                advice = (
                    "This invite has a different key. If it is the same device, set up anew, remove the old "
                    "contact first; if you did not expect that, somebody else may be posing as it."
                    if new_key
                    else "Choose another one."
                )
                raise ContactError(
                    f"The name {_shown(name)} belongs to {contact.peer_id}. {advice}", code="name-taken"
                )


def is_usable_name(name: str) -> bool:
    """Whether a contact or a device can have this name; an empty one is none."""
    return bool(name) and not _name_problem(name)


def _name_problem(name: str) -> str:
    if len(name) > NAME_CHARACTERS:
        return f"it has more than {NAME_CHARACTERS} characters"
    if name != name.strip():
        return "it begins or ends with white space"
    if is_peer_id(name.lower()):
        return "it looks like a peer id"
    if any(char not in _JOINERS and unicodedata.category(char) in _INVISIBLE for char in name):
        return "it has a character that cannot be shown"
    return ""


def _is_of(contact: Contact, invite: Invite) -> bool:
    """Whether an invite is a known contact's: by its id, or by the key that it has taken since."""
    return contact.peer_id == invite.peer_id or contact.public_key == invite.public_key


def _fold(name: str) -> str:
    """Names that look the same are the same."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def _shown(text: str) -> str:
    return ascii(text[:80]) if not text.isprintable() else repr(text[:80])


def _raw_id(raw: object) -> str | None:
    peer_id = raw.get("peer_id") if isinstance(raw, Mapping) else None
    return peer_id if isinstance(peer_id, str) else None


def _entry_id(entry: _Entry) -> str | None:
    return entry.contact.peer_id if entry.contact is not None else _raw_id(entry.raw)


def _to_object(contact: Contact, entry: _Entry) -> dict[str, object]:
    """The entry with what we know written over what was read, nothing else changed."""
    raw = entry.raw if isinstance(entry.raw, dict) else {}
    known = Invite(contact.trust.first_key(contact.public_key), contact.rendezvous).to_object()
    old, new = raw.get("rendezvous"), known["rendezvous"]
    if isinstance(old, dict) and isinstance(new, dict):
        known["rendezvous"] = {**old, **new}
    kept = {key: member for key, member in raw.items() if key not in TRUST_KEYS}
    value = {**kept, **known, **contact.trust.to_object()}
    if contact.name != entry.name_read:
        value["name"] = contact.name
    return value


class _Reader:
    """Understands the elements of a file one after the other, and collects what is wrong with them."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self._ids: set[PeerId] = set()
        self._names: dict[str, PeerId] = {}

    def read(self, position: int, raw: object) -> _Entry:
        contact, problem = self._contact(raw)
        name = ""
        if contact is not None and isinstance(raw, dict):
            self._ids.add(contact.peer_id)
            name, problem = self._name(raw.get("name"), contact.peer_id)
            contact = replace(contact, name=name)
        if problem:
            self.problems.append(f"Entry {position} of the contacts file: {problem}")
        return _Entry(raw, contact, name)

    def _contact(self, raw: object) -> tuple[Contact | None, str]:
        if not isinstance(raw, dict):
            return None, "it is not an object. It is kept but not used."
        try:
            invite = Invite.from_object(raw, known=True)
        except InviteError as error:
            return None, f"{error.message} The entry is kept but not used; remove it or add a new invite."
        if invite.peer_id in self._ids:
            return None, f"{invite.peer_id} is listed before. The entry is kept but not used."
        try:
            trust, public_key = Trust.from_object(raw, invite.public_key)
        except ValueError as error:
            return None, f"{invite.peer_id} is kept but not used, because {error}. Remove it and pair again."
        return Contact(invite.peer_id, public_key, invite.rendezvous, trust=trust), ""

    def _name(self, name: object, owner: PeerId) -> tuple[str, str]:
        if name in (None, "", owner):
            return "", ""
        if not isinstance(name, str):
            return "", f"the name of {owner} is not a string. The contact is used without it."
        problem = _name_problem(name)
        if not problem and (other := self._names.setdefault(_fold(name), owner)) != owner:
            problem = f"it belongs to {other} already"
        if problem:
            return "", f"the name {_shown(name)} is not used for {owner}: {problem}."
        return name, ""
