"""What the chat shows, independent of any screen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from p4.cli.output import visible
from p4.client.chat import ChatConversation, ChatLine

__all__ = ["ChatModel", "Person"]


@dataclass(slots=True)
class Person:
    """A contact in the chat."""

    contact_id: str
    name: str
    """Safe to show."""
    connected: bool = False
    unread: int = 0
    presence: str = ""
    """How it is reached, or why not, safe to show."""
    lines: dict[str, ChatLine] = field(default_factory=dict)
    """By their ids, in order."""
    before: str | None = None
    """Where the page before begins; None for none."""
    loaded: bool = False
    typing_until: float = 0.0
    """Monotonic seconds until which it counts as writing."""

    def put(self, lines: Iterable[ChatLine]) -> None:
        """Show these, too, or in their new state."""
        before = len(self.lines)
        self.lines.update((line.id, line) for line in lines)
        if len(self.lines) > before:
            self.lines = dict(sorted(self.lines.items(), key=lambda found: int(found[0])))

    @property
    def last_theirs(self) -> str | None:
        """The id of the last line that the contact said."""
        return next((line.id for line in reversed(self.lines.values()) if not line.mine), None)


class ChatModel:
    """All contacts, which of them is on the screen, and how far back."""

    def __init__(self) -> None:
        self.people: list[Person] = []
        self.current = 0
        self.scroll = 0
        """Rows of the screen between its last line and the last of the history."""
        self.notice = ""
        """What went wrong, until the next key that says something."""
        self.help = False

    @property
    def person(self) -> Person | None:
        """Who is on the screen; None without contacts."""
        return self.people[self.current] if self.people else None

    def find(self, contact_id: str) -> Person | None:
        """The contact with this id."""
        return next((person for person in self.people if person.contact_id == contact_id), None)

    def take(self, conversations: Sequence[ChatConversation]) -> None:
        """These are the contacts now; who is on the screen stays there."""
        shown = self.person
        known = {person.contact_id: person for person in self.people}
        self.people = []
        for found in conversations:
            person = known.get(found.contact_id) or Person(found.contact_id, "")
            person.name = visible(found.name) or found.contact_id[:8]
            person.connected, person.unread = found.connected, found.unread
            self.people.append(person)
        self.current = self.people.index(shown) if shown in self.people else 0

    def choose(self, reference: str) -> bool:
        """Show the contact with this name, id or beginning of an id; whether there is one."""
        wanted = reference.casefold()
        by_name = [n for n, person in enumerate(self.people) if person.name.casefold() == wanted]
        by_id = [n for n, person in enumerate(self.people) if person.contact_id.startswith(wanted)]
        for found in (by_name, by_id):
            if len(found) == 1:
                self.show(found[0])
                return True
        return False

    def show(self, number: int) -> None:
        """Show the contact with this place in the list; it goes around at both ends."""
        if self.people:
            self.current = number % len(self.people)
            self.scroll = 0

    @property
    def unread_elsewhere(self) -> int:
        """Lines of other contacts that nobody was shown."""
        return sum(person.unread for n, person in enumerate(self.people) if n != self.current)
