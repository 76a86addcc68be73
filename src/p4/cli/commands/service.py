"""`p4 service`: let the system keep the daemon running."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from p4.cli.daemon_connection import json_option
from p4.cli.examples import examples
from p4.cli.exit_codes import ExitCode
from p4.cli.options import state_dir_option, verbose_option
from p4.cli.output import complain, say, say_json
from p4.errors import LocalError

if TYPE_CHECKING:
    from p4.cli.background_service.plan import ServicePlan

__all__ = ["command"]

_SECONDS = 30.0


@click.group("service", short_help="Let the system keep the daemon running.")
def command() -> None:
    """Let the system start the daemon at login, and again when it fails.

    On Linux this is a unit of your own systemd, on macOS a launch agent, on Windows a scheduled task. None of
    them needs an administrator.
    """


@command.command(
    "install",
    epilog=examples(
        ("p4 service install", "now and at every login"),
        ("p4 service install --print", "look at the file first"),
        ("p4 service install -- --mode direct", "with options of p4 up"),
    ),
)
@state_dir_option
@click.option("--print", "only_print", is_flag=True, help="Show the file and the commands; change nothing.")
@click.argument("up_options", nargs=-1, type=click.UNPROCESSED)
@verbose_option
def install(state_dir: Path, only_print: bool, up_options: tuple[str, ...]) -> None:
    """Write the service file and let the system run the daemon, now and at every login.

    UP_OPTIONS, after --, are options of `p4 up`.
    """
    from p4.adapters.store import files
    from p4.cli.background_service.plan import plan_for
    from p4.cli.daemon_end import end_daemon
    from p4.cli.offline import open_or_initialise

    plan = plan_for(sys.platform, state_dir, up_options)
    if only_print:
        for words in plan.after_writing:
            say(f"# {subprocess.list2cmdline(words)}")
        say(plan.content.decode("utf-16" if plan.content[:2] == b"\xff\xfe" else "utf-8").rstrip("\n"))
        return
    open_or_initialise(state_dir)
    # One that runs already would be in the way of the one that the system starts.
    asyncio.run(end_daemon(state_dir))
    plan.file.parent.mkdir(parents=True, exist_ok=True)
    files.write_atomically(plan.file, plan.content)  # its owner's alone: options may hold TURN passwords
    say(f"Wrote {plan.file}")
    for words in plan.after_writing:
        _require(words, plan)
    say(f"The daemon runs under {plan.system}, now and at every login. The end of it: p4 service uninstall")
    for hint in plan.hints:
        say(hint)


@command.command("uninstall", epilog=examples(("p4 service uninstall", "")))
@state_dir_option
@verbose_option
def uninstall(state_dir: Path) -> None:
    """End the daemon and let the system forget it. Identity, contacts and messages stay."""
    from p4.cli.background_service.plan import plan_for

    plan = plan_for(sys.platform, state_dir)
    if not plan.file.exists():
        say(f"There is no {plan.file}: nothing to remove.")
        return
    for words in plan.before_removing:
        problem = _run(words)
        if problem:
            complain(f"{subprocess.list2cmdline(words)} failed: {problem}")
    plan.file.unlink()
    for words in plan.after_removing:
        _run(words)
    say(f"Removed {plan.file}. The daemon is not started any more; start it yourself with: p4 up")


@command.command("status", epilog=examples(("p4 service status --json", "")))
@state_dir_option
@json_option
@verbose_option
def status(state_dir: Path, as_json: bool) -> int:
    """Say whether the service is installed and runs. Exit code 1 if it does not run."""
    from p4.cli.background_service.plan import plan_for

    plan = plan_for(sys.platform, state_dir)
    installed = plan.file.exists()
    running = installed and not _run(plan.query)
    if as_json:
        say_json({"system": plan.system, "file": str(plan.file), "installed": installed, "running": running})
    elif not installed:
        say("Not installed. Install it: p4 service install")
    else:
        say(f"Installed ({plan.file}), {'running' if running else 'not running'} under {plan.system}.")
    return ExitCode.OK if running else ExitCode.FAILED


def _run(words: tuple[str, ...]) -> str:
    """What a command complains of; empty if it worked."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except FileNotFoundError:
        return f"there is no {words[0]} on this system"
    except subprocess.TimeoutExpired:
        return f"no answer within {_SECONDS:g} s"
    if done.returncode == 0:
        return ""
    return " ".join((done.stderr or done.stdout).split()) or f"exit code {done.returncode}"


def _require(words: tuple[str, ...], plan: ServicePlan) -> None:
    problem = _run(words)
    if problem:
        raise LocalError(
            f"{plan.system} did not take the service: {problem.rstrip('.')}. The file {plan.file} is "
            f"written; when {plan.system} runs, repeat: {subprocess.list2cmdline(words)}",
            code="service-failed",
        )
