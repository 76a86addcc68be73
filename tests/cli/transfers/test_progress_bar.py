"""The progress bar of `p4 cp`."""

from __future__ import annotations

import io

from rich.console import Console

from p4.cli.transfers.watching import progress_on


def test_a_contacts_name_is_text_and_no_markup() -> None:
    screen = io.StringIO()
    progress = progress_on(Console(file=screen, force_terminal=True, width=200), shown=True)
    progress.add_task("Waiting for [/] [red]phone[/red]")
    progress.console.print(progress.get_renderable())
    assert "Waiting for [/] [red]phone[/red]" in screen.getvalue()
