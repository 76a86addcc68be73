"""The options of a node that runs for long, which `p4 run` and `p4 up` share."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from p4.cli.options import host_and_port, ice_options, ice_settings, mode_option, node_options, tor_options
from p4.errors import InputError

if TYPE_CHECKING:
    from p4.node.options import NodeOptions

__all__ = ["node_settings", "node_settings_options"]

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    mode_option,
    click.option(
        "--signal-host", default="127.0.0.1", show_default=True, metavar="H", help="Direct mode: listen here."
    ),
    click.option(
        "--signal-port",
        type=click.IntRange(0, 65535),
        default=0,
        metavar="N",
        help="TCP port to listen on in direct mode; without it or with 0 a free one is chosen.",
    ),
    click.option("--advertise-host", metavar="H", help="Direct mode: the host that the invite names."),
    click.option("--advertise", metavar="HOST:PORT", help="The same with another port than --signal-port."),
    click.option(
        "--retry-seconds",
        type=click.FloatRange(min=0.1, max=86400),
        metavar="S",
        help="Longest pause between two attempts to reach a contact.",
    ),
    click.option(
        "--no-lan", is_flag=True, help="Neither look for contacts on the local network nor show there."
    ),
    click.option(
        "--no-direct-signaling",
        is_flag=True,
        help="Tell contacts no addresses to call, ask no router for a port: they use the invite's address.",
    ),
    ice_options,
    tor_options,
)


def node_settings_options(command: Decorated) -> Decorated:
    """All of them, on a command that takes ``**given``."""
    decorated: Decorated = functools.reduce(lambda inner, option: option(inner), reversed(_OPTIONS), command)
    return decorated


def node_settings(given: dict[str, Any]) -> NodeOptions:
    """The parsed options as the node takes them.

    Raises:
        InputError: one of them cannot be used, or two contradict each other.
    """
    retry_seconds = given["retry_seconds"]
    if retry_seconds is not None and not math.isfinite(retry_seconds):
        raise InputError("--retry-seconds must be a number of seconds.")
    return node_options(
        given,
        advertise=_advertised(given),
        ice=ice_settings(given),
        signal_host=given["signal_host"],
        retry_seconds=retry_seconds,
        lan=not given["no_lan"],
        direct_signaling=not given["no_direct_signaling"],
        link_backend=given["link_backend"],
    )


def _advertised(given: dict[str, Any]) -> tuple[str, int] | None:
    host, both = given["advertise_host"], given["advertise"]
    if both is not None:
        if host is not None:
            raise InputError("Give either --advertise-host or --advertise.")
        return host_and_port(both)
    if not host:
        return None
    port = given["signal_port"]
    if not port and given["mode"] == "direct":
        raise InputError(
            "--advertise-host needs --signal-port, so that the invite stays true after a restart."
        )
    return host_and_port(f"[{host}]:{port}" if ":" in host else f"{host}:{port}") if port else None
