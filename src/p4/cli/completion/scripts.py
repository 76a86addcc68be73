"""The script that teaches a shell to complete `p4`."""

from __future__ import annotations

import os

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
    split_arg_string,
)

__all__ = ["SHELLS", "PowerShellComplete", "QuotingBashComplete", "completion_script"]

VARIABLE = "_P4_COMPLETE"
"""Tells `p4` that a shell asks it for proposals."""

_POWERSHELL = """\
Register-ArgumentCompleter -Native -CommandName %(prog_name)s -ScriptBlock {
    param($word, $line, $position)
    $env:COMP_WORDS = $line.ToString()
    $env:COMP_WORD = $word
    $env:%(complete_var)s = "powershell_complete"
    try {
        %(prog_name)s | ForEach-Object {
            $kind, $value, $help = $_ -split "`t", 3
            if ($kind -ne "plain") { return } # PowerShell completes files by itself
            $text = if ($value -match "[\\s'""]") { "'" + $value.Replace("'", "''") + "'" } else { $value }
            if (-not $help) { $help = $value }
            [System.Management.Automation.CompletionResult]::new($text, $value, "ParameterValue", $help)
        }
    } finally {
        Remove-Item Env:COMP_WORDS, Env:COMP_WORD, Env:%(complete_var)s -ErrorAction SilentlyContinue
    }
}
"""


_BASH = """\
_p4_completion() {
    local kind value quoted word="${COMP_WORDS[COMP_CWORD]}"
    COMPREPLY=()
    while IFS=$'\\t' read -r kind value; do
        case "$kind" in
            dir) compopt -o dirnames 2>/dev/null ;;
            file) compopt -o default 2>/dev/null ;;
            plain)
                # Quoted: a name with a space is one word, and no name is ever carried out.
                printf -v quoted %%q "$value"
                case "$word" in
                    [\\"\\']*) [ "$quoted" = "$value" ] && COMPREPLY+=("$value") ;;
                    *) COMPREPLY+=("$quoted") ;;
                esac
                # What ends so goes on: a path at a contact.
                case "$value" in *:) compopt -o nospace 2>/dev/null ;; esac ;;
        esac
    done < <(COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD %(complete_var)s=bash_complete "$1")
}
complete -o nosort -F _p4_completion %(prog_name)s 2>/dev/null || complete -F _p4_completion %(prog_name)s
"""


class QuotingBashComplete(BashComplete):
    """click's completion for bash, with proposals that are quoted where they must be."""

    source_template = _BASH

    def format_completion(self, item: CompletionItem) -> str:
        """Kind and value, with a tab between them."""
        return f"{item.type}\t{item.value}"


class PowerShellComplete(ShellComplete):
    """Completion for PowerShell 5 and later, which click does not bring."""

    name = "powershell"
    source_template = _POWERSHELL

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the one at the cursor, and that one."""
        words = split_arg_string(os.environ.get("COMP_WORDS", ""))
        typed = os.environ.get("COMP_WORD", "").strip("'\"")
        before = words[1:-1] if typed and len(words) > 1 else words[1:]
        return before, typed

    def format_completion(self, item: CompletionItem) -> str:
        """Kind, value and help, with tabs between them."""
        return f"{item.type}\t{item.value}\t{item.help or ''}"


add_completion_class(QuotingBashComplete)
add_completion_class(PowerShellComplete)

SHELLS: dict[str, type[ShellComplete]] = {
    "bash": QuotingBashComplete,
    "zsh": ZshComplete,
    "fish": FishComplete,
    "powershell": PowerShellComplete,
}
"""The shells by name."""


def completion_script(shell: str, command: click.Command) -> str:
    """The script for a shell; it asks `p4` itself for proposals.

    Args:
        shell: of `SHELLS`.
        command: the whole of `p4`.
    """
    made = SHELLS[shell](command, {}, "p4", VARIABLE)
    # Not source(): that starts bash to ask for its version, and complains on the same stream.
    return made.source_template % made.source_vars()
