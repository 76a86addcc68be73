"""`p4 policy`: which paths to a contact may be used."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from p4.cli.completion.contacts import contact_argument
from p4.cli.daemon_connection import json_option, through_daemon
from p4.cli.examples import examples
from p4.cli.offline import open_initialised
from p4.cli.options import state_dir_option, verbose_option
from p4.cli.output import say, say_json
from p4.cli.policies import policy_line
from p4.core.policy import Policy
from p4.errors import AlreadyRunningError

if TYPE_CHECKING:
    from p4.core.identity import PeerId

__all__ = ["command"]


@click.command(
    "policy",
    short_help="Show or choose which paths to a contact may be used.",
    epilog=examples(
        ("p4 policy laptop", "which it is"),
        ("p4 policy laptop lan-only", "never over the internet"),
    ),
)
@state_dir_option
@contact_argument
@click.argument("policy", required=False, type=click.Choice([policy.value for policy in Policy]))
@json_option
@verbose_option
def command(state_dir: Path, contact: str, policy: str | None, as_json: bool) -> None:
    """Show which paths to CONTACT (a name, an id, or the beginning of an id) may be used, or choose.

    \b
    direct      any path; the contact sees the addresses of this device (the default)
    relay-only  only over the TURN servers of `p4 run`; the contact sees no address of this device
    lan-only    only within a local network; no server is asked
    """
    from p4.adapters.store.overview import read_overview

    state, _ = open_initialised(state_dir)
    peer_id = state.load_contacts().find(contact).peer_id
    if policy is None:
        known = read_overview(state.database_path).get(peer_id)
        _show(peer_id, known.policy if known else Policy.DIRECT, as_json)
        return
    wanted = Policy(policy)
    try:
        with state.lock():
            # Again, now that nobody else changes the contacts.
            peer_id = state.load_contacts().find(contact).peer_id
            asyncio.run(_write(state.database_path, peer_id, wanted))
    except AlreadyRunningError as error:
        through_daemon(
            state_dir,
            lambda client: client.contact(peer_id).set_policy(policy),
            refusal=error,
            advice="A running node takes it at its own prompt: /policy PEER POLICY.",
        )
    _show(peer_id, wanted, as_json)


def _show(peer_id: PeerId, policy: Policy, as_json: bool) -> None:
    if as_json:
        say_json({"id": peer_id, "policy": policy.value})
    else:
        say(policy_line(peer_id, policy))


async def _write(database: Path, peer_id: PeerId, policy: Policy) -> None:
    from p4.adapters.store.sqlite import SqliteStore

    store = SqliteStore(database)
    await store.open()
    try:
        await store.save_policy(peer_id, policy)
    finally:
        await store.close()
