"""Names of contacts, for completion: read from the state directory, so quick and without the daemon."""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import CompletionItem

from p4.cli.output import visible
from p4.errors import P4Error

__all__ = ["complete_contact", "complete_copy", "contact_argument"]


def complete_contact(context: click.Context, _parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """The contacts whose name begins with what was typed, whatever its case; the id beside each.

    A contact without a name is offered by its id. Any trouble with the directory means no proposals: it is
    told when the command runs.
    """
    given = context.params.get("state_dir")
    directory = given if isinstance(given, Path) else Path("~/.p4").expanduser()
    found = []
    for name, peer_id in _contacts(directory):
        proposal = name or peer_id
        if proposal.casefold().startswith(typed.casefold()):
            found.append(CompletionItem(proposal, help=peer_id[:8] if name else ""))
    return found


def complete_copy(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """One side of a copy: a contact with its colon, or a file here, which the shell completes."""
    here = CompletionItem(typed, type="file")
    if "/" in typed or typed.startswith((".", "~")):
        return [here]
    contacts = complete_contact(context, parameter, typed)
    return [*(CompletionItem(f"{item.value}:", help=item.help) for item in contacts), here]


def _contacts(directory: Path) -> list[tuple[str, str]]:
    # The store takes a while to import, and `p4 --help` needs no contacts.
    from p4.adapters.store.state_dir import StateDirectory

    try:
        book = StateDirectory(directory, warn=lambda _text: None).load_contacts()
    except P4Error:
        return []
    # A name that would steer the shell's line is none to propose.
    return [
        (contact.name if contact.name == visible(contact.name) else "", contact.peer_id)
        for contact in book.contacts
    ]


contact_argument = click.argument("contact", shell_complete=complete_contact)
"""CONTACT: a name, an id, or the beginning of an id."""
