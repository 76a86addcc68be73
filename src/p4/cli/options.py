"""The options that several commands share, and how they become `NodeOptions`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from p4.cli.input_files import read_text
from p4.cli.output import set_verbosity
from p4.errors import InputError

if TYPE_CHECKING:
    from p4.core.ice import IceSettings
    from p4.node.options import NodeOptions

__all__ = [
    "host_and_port",
    "ice_options",
    "ice_settings",
    "mode_option",
    "node_options",
    "state_dir_option",
    "tor_options",
    "verbose_option",
]

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

PORT = click.IntRange(0, 65535)
LARGEST_TORRC_BYTES = 256 * 1024


def _set_verbosity(context: click.Context, _parameter: click.Parameter, count: int) -> None:
    # `p4 -v run` and `p4 run -v` both work; the higher of the two wins.
    parent = context.parent
    before = int(parent.meta.get("p4.verbosity", 0)) if parent is not None else 0
    level = max(count, before)
    context.meta["p4.verbosity"] = level
    set_verbosity(level)


verbose_option = click.option(
    "-v",
    "--verbose",
    count=True,
    expose_value=False,
    callback=_set_verbosity,
    help="Log to stderr what the node does; -vv logs everything.",
)

state_dir_option = click.option(
    "--state-dir",
    type=click.Path(path_type=Path),
    default=Path("~/.p4"),
    show_default=True,
    envvar="P4_STATE_DIR",
    is_eager=True,  # completion and remembered options look into it
    callback=lambda _context, _parameter, path: _expanded(path),
    metavar="DIR",
    help="Where this device's identity, contacts and messages are kept; also P4_STATE_DIR.",
)

mode_option = click.option(
    "--mode",
    type=click.Choice(["onion", "direct"]),
    default="onion",
    show_default=True,
    help="How others reach this node: by its onion address, or at a host and port.",
)


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise click.BadParameter(f"the home directory of {str(path)!r} cannot be found") from error


def tor_options(command: Decorated) -> Decorated:
    """Everything about the Tor program."""
    options = [
        click.option(
            "--onionrelay-bin",
            type=click.Path(path_type=Path),
            metavar="BIN",
            help="The Tor program. Without it: P4_ONIONRELAY_BIN, the p4-tor package, `tor` on PATH.",
        ),
        click.option(
            "--onionrelay-socks-port",
            type=PORT,
            metavar="N",
            help="Let Tor's SOCKS listener use this TCP port (0: P4 chooses; normally a unix socket).",
        ),
        click.option(
            "--onionrelay-control-port",
            type=PORT,
            metavar="N",
            help="Let Tor's control listener use this TCP port (0: P4 chooses; normally a unix socket).",
        ),
        click.option(
            "--torrc-line",
            "torrc_line",
            multiple=True,
            metavar="LINE",
            help="A line for Tor's configuration, for example a bridge. May be repeated.",
        ),
        click.option(
            "--torrc-file",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="A file with such lines.",
        ),
    ]
    return _apply(options, command)


def ice_options(command: Decorated) -> Decorated:
    """STUN, TURN and the library of the direct path."""
    options = [
        click.option(
            "--stun-server",
            multiple=True,
            metavar="URL",
            help="stun:HOST:PORT. May be repeated; '' means none. Without it: two public servers.",
        ),
        click.option(
            "--turn-server",
            multiple=True,
            metavar="URL",
            help="turn:HOST:PORT or turns:HOST:PORT, with ?transport=tcp if wanted. May be repeated.",
        ),
        click.option("--turn-username", default="", metavar="U", help="Fixed TURN user name."),
        click.option("--turn-password", default="", metavar="P", help="Fixed TURN password."),
        click.option("--turn-secret", default="", metavar="S", help="Shared secret of the TURN REST scheme."),
        click.option(
            "--turn-ttl-seconds",
            type=click.IntRange(1, 10 * 365 * 24 * 3600),
            default=3600,
            show_default=True,
            metavar="N",
            help="How long credentials made from --turn-secret are valid.",
        ),
        click.option(
            "--turn-user",
            default="p4",
            show_default=True,
            metavar="U",
            help="User name in credentials made from --turn-secret.",
        ),
        click.option(
            "--link-backend",
            type=click.Choice(["auto", "wrtc", "aiortc"]),
            default="auto",
            show_default=True,
            help="The WebRTC library.",
        ),
    ]
    return _apply(options, command)


def _apply(options: list[Callable[[Any], Any]], command: Decorated) -> Decorated:
    # Decorators show their options in reverse; a reader of --help wants them in this order.
    decorated: Decorated = functools.reduce(lambda inner, option: option(inner), reversed(options), command)
    return decorated


def host_and_port(text: str) -> tuple[str, int]:
    """``host:port`` or ``[IPv6]:port`` of --advertise.

    Raises:
        InputError: it is not of that form, or the host or port cannot be used.
    """
    from p4.core.address import RendezvousAddress, Transport

    host, separator, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        host = ""
    if not separator or not host or not (port.isascii() and port.isdigit() and len(port) <= 5):
        raise InputError(f"{text[:80]!r} is not HOST:PORT (an IPv6 address needs brackets: [::1]:4000).")
    address = RendezvousAddress(Transport.DIRECT, host, int(port))
    return address.host, address.port


def ice_settings(given: dict[str, Any]) -> IceSettings:
    """The ICE part of a command's parsed options.

    Raises:
        InputError: a server's address cannot be used.
    """
    from p4.core.ice import IceSettings, TurnServer

    stun = tuple(filter(None, given["stun_server"]))
    for url in stun:
        _require_scheme("--stun-server", url, ("stun:", "stuns:"))
    turn = []
    for url in filter(None, given["turn_server"]):
        _require_scheme("--turn-server", url, ("turn:", "turns:"))
        turn.append(
            TurnServer(
                url=url,
                username=given["turn_username"],
                password=given["turn_password"],
                secret=given["turn_secret"],
                user=given["turn_user"],
                ttl_seconds=given["turn_ttl_seconds"],
            )
        )
    if not given["stun_server"]:
        return IceSettings(turn=tuple(turn))
    return IceSettings(stun=stun, turn=tuple(turn))


def _require_scheme(option: str, url: str, schemes: tuple[str, ...]) -> None:
    if not url.startswith(schemes) or len(url) <= len(url.split(":", 1)[0]) + 1:
        raise InputError(f"{option} must be {schemes[0]}HOST:PORT, not {url[:80]!r}.")


def node_options(
    given: dict[str, Any],
    *,
    advertise: tuple[str, int] | None = None,
    ice: IceSettings | None = None,
    **further: Any,
) -> NodeOptions:
    """A command's parsed options as the node takes them.

    Raises:
        InputError: the --torrc-file cannot be read.
    """
    from p4.core.address import Transport
    from p4.node.options import NodeOptions

    lines = list(given["torrc_line"])
    if given["torrc_file"] is not None:
        lines += read_text(given["torrc_file"], largest_bytes=LARGEST_TORRC_BYTES).splitlines()
    for line in lines:
        if any(character in line for character in "\r\n\0"):
            raise InputError("A --torrc-line must be a single line.")
    if ice is not None:
        further["ice"] = ice
    return NodeOptions(
        transport=Transport(given["mode"]),
        signal_port=given["signal_port"] or 0,
        advertise=advertise,
        onionrelay_bin=given["onionrelay_bin"],
        # 0 has been v1's way to say "choose one"; that is what leaving it out means.
        onionrelay_socks_port=given["onionrelay_socks_port"] or None,
        onionrelay_control_port=given["onionrelay_control_port"] or None,
        torrc_lines=tuple(line for line in lines if line.strip() and not line.lstrip().startswith("#")),
        **further,
    )
