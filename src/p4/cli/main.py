"""The entry point `p4`: finds the command, runs it, reports how it ended."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

import click

from p4.cli.exit_codes import ExitCode
from p4.cli.options import verbose_option
from p4.cli.output import prepare_streams, say
from p4.cli.report import run_reported

__all__ = ["main"]

COMMANDS = {
    "init": "init",
    "invite": "invite",
    "add-contact": "add_contact",
    "run": "run",
    "policy": "policy",
    "status": "status",
    "ls": "ls",
    "doctor": "doctor",
    "demo": "demo",
}
"""Command name to module in p4.cli.commands, in the order a newcomer needs them."""


class _CommandGroup(click.Group):
    """Loads a command's module when it is wanted, which keeps ``p4 --help`` quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command, in a newcomer's order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command, or None if there is none of that name."""
        module_name = COMMANDS.get(cmd_name)
        if module_name is None:
            return None
        command = importlib.import_module(f"p4.cli.commands.{module_name}").command
        assert isinstance(command, click.Command)  # noqa: S101 - a fact about our own modules
        return command


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
        say(context.get_help())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one `p4` command.

    Args:
        arguments: without the program's name; those of the process if None.

    Returns:
        The exit code (`ExitCode`). Errors have been reported on stderr, in one line.
    """
    prepare_streams()
    words = list(sys.argv[1:] if arguments is None else arguments)

    def action() -> int:
        # Given explicitly, the words are not expanded by click on Windows: `{"a": "*"}` stays itself.
        result = p4.main(args=words, prog_name="p4", standalone_mode=False)
        return int(result) if isinstance(result, int) else ExitCode.OK

    return run_reported(action)


if __name__ == "__main__":
    sys.exit(main())
