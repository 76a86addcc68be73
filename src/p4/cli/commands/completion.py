"""`p4 completion`: let the Tab key complete commands, options and contacts."""

from __future__ import annotations

import click

from p4.cli.examples import examples
from p4.cli.output import say

__all__ = ["command"]

SHELL_NAMES = ("bash", "zsh", "fish", "powershell")


@click.command(
    "completion",
    short_help="Let the Tab key complete commands and contacts.",
    epilog=examples(
        ('eval "$(p4 completion bash)"', "in ~/.bashrc"),
        ('eval "$(p4 completion zsh)"', "in ~/.zshrc, after compinit"),
        ("p4 completion fish > ~/.config/fish/completions/p4.fish", ""),
        ("p4 completion powershell | Out-String | Invoke-Expression", "in $PROFILE"),
    ),
)
@click.argument("shell", type=click.Choice(SHELL_NAMES))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print a script for SHELL, with which the Tab key completes commands, options and names of contacts."""
    from p4.cli.completion.scripts import completion_script

    say(completion_script(shell, context.find_root().command).strip("\n"))
