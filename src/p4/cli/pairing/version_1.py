"""The invite of version 1: JSON that holds no secret and works in one direction (spec/invite.md)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from p4.cli.offline import open_initialised
from p4.cli.options import host_and_port, node_options
from p4.cli.output import say
from p4.cli.signals import run_until_signalled
from p4.errors import InputError

if TYPE_CHECKING:
    from p4.adapters.store.state_dir import StateDirectory
    from p4.core.address import RendezvousAddress
    from p4.node.options import NodeOptions

__all__ = ["print_invite"]


def print_invite(state_dir: Path, mode: str, advertise: str | None, given: dict[str, Any]) -> int:
    """Print it, beside a running node or without one.

    Args:
        given: the other options of the command.

    Returns:
        The exit code.
    """
    from p4.core.invite import Invite

    options = node_options({"mode": mode, **given}, advertise=host_and_port(advertise) if advertise else None)
    if mode == "direct" and options.advertise is None:
        raise InputError("A direct invite must say where this node can be reached: --advertise HOST:PORT.")
    state, identity = open_initialised(state_dir)
    address = _known_address(state, options)
    if address is None:
        outcome = run_until_signalled(lambda: _address_from_tor(state, options))
        if outcome.value is None:
            return outcome.exit_code
        address = outcome.value
    say(Invite(identity.public_key, address).to_text())
    return 0


def _known_address(state: StateDirectory, options: NodeOptions) -> RendezvousAddress | None:
    """The address if no Tor is needed to learn it; reads only, so it works beside a running node."""
    from p4.core.address import RendezvousAddress, Transport
    from p4.core.limits import ONION_PORT

    if options.transport is Transport.DIRECT:
        assert options.advertise is not None  # noqa: S101 - checked by the caller
        return RendezvousAddress(Transport.DIRECT, *options.advertise)
    known = state.load_onion_key()
    if known is None or not known.service_id:
        return None
    return RendezvousAddress(Transport.ONION, f"{known.service_id}.onion", ONION_PORT)


async def _address_from_tor(state: StateDirectory, options: NodeOptions) -> RendezvousAddress:
    from p4.assemble import prepare_rendezvous_address

    return await prepare_rendezvous_address(state, options)
