"""The entry point `p4`: finds the command, runs it, reports how it ended."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from p4.cli.catalogue import GROUPS
from p4.cli.exit_codes import ExitCode
from p4.cli.options import verbose_option
from p4.cli.output import prepare_streams, say
from p4.cli.report import run_reported

__all__ = ["main"]

FIRST_STEPS = (
    ("p4 invite", "on one device: shows a link and a QR code"),
    ("p4 add LINK", "on the other device: pairs the two, for ever"),
    ('p4 send NAME "hi"', "from now on, on either: arrives, whenever the other is on"),
)
"""What a new user types, in this order."""


class _CommandGroup(click.Group):
    """Loads a command's module when it is wanted, which keeps ``p4`` quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command, in a newcomer's order."""
        return [name for names in GROUPS.values() for name in names]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command, or None if there is none of that name."""
        if cmd_name not in self.list_commands(ctx):
            return None
        command = importlib.import_module(_module_of(cmd_name)).command
        assert isinstance(command, click.Command)  # noqa: S101 - a fact about our own modules
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands with a line each, group by group."""
        for title, names in GROUPS.items():
            known = [(name, command) for name in names if (command := self.get_command(ctx, name))]
            with formatter.section(title):
                formatter.write_dl([(name, command.get_short_help_str(70)) for name, command in known])


def _module_of(name: str) -> str:
    return f"p4.cli.commands.{name.replace('-', '_')}"


def _show_version(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from importlib.metadata import PackageNotFoundError, version

        try:
            number = version("p4-node")
        except PackageNotFoundError:
            number = "(not installed: running from a source tree)"
        say(f"p4 {number}")
        ctx.exit()


@click.group(
    cls=_CommandGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="New here? Watch two nodes meet on this machine: p4 demo",
)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_show_version,
    help="Show the version and exit.",
)
@verbose_option
@click.pass_context
def p4(context: click.Context) -> None:
    """Two devices pair once and find each other for ever: no server, no account, no cloud."""
    if context.invoked_subcommand is None:
        say(_first_steps() if _is_new() else context.get_help())


def _is_new() -> bool:
    """Whether the user has no contact yet, as far as a glance tells."""
    state = Path(os.environ.get("P4_STATE_DIR") or "~/.p4")
    try:
        return len((state.expanduser() / "contacts.json").read_bytes()) < 3  # "[]" is an empty list
    except (OSError, RuntimeError):
        return True


def _first_steps() -> str:
    width = max(len(typed) for typed, _ in FIRST_STEPS) + 4
    steps = "\n".join(f"  {typed:<{width}}{meaning}" for typed, meaning in FIRST_STEPS)
    return (
        "Usage: p4 COMMAND ...\n\n"
        "Two devices pair once and find each other for ever: no server, no account, no cloud.\n\n"
        f"Begin with:\n{steps}\n\n"
        "p4 demo shows it all on this machine. p4 --help lists everything."
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one `p4` command.

    Args:
        arguments: without the program's name; those of the process if None.

    Returns:
        The exit code (`ExitCode`). Errors have been reported on stderr, in one line.
    """
    prepare_streams()
    words = list(sys.argv[1:] if arguments is None else arguments)
    if "_P4_COMPLETE" in os.environ:  # a shell asks: click looks for the answer among what this knows
        importlib.import_module("p4.cli.completion.scripts")

    def action() -> int:
        # Given explicitly, the words are not expanded by click on Windows: `{"a": "*"}` stays itself.
        result = p4.main(args=words, prog_name="p4", standalone_mode=False)
        return int(result) if isinstance(result, int) else ExitCode.OK

    return run_reported(action)


if __name__ == "__main__":
    sys.exit(main())
