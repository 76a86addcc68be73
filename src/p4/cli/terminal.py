"""The prompt on a terminal: editing, history, completion, output above it, a quiet line of status below."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
from prompt_toolkit.document import Document
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.patch_stdout import patch_stdout
from prompt_toolkit.styles import Style

from p4.cli.arguments import quoted_if_needed, split_first
from p4.cli.output import visible
from p4.cli.prompt import COMMANDS
from p4.core.policy import Policy
from p4.errors import InputError

if TYPE_CHECKING:
    from p4.cli.prompt import PromptNode

__all__ = ["PromptCompleter", "TerminalLines", "terminal_lines"]

STYLE = Style.from_dict({"bottom-toolbar": "noreverse fg:ansibrightblack"})
REFRESH_SECONDS = 0.5


class PromptCompleter(Completer):
    """Completes commands, then the names and ids of contacts, policies, and paths after /add-file."""

    def __init__(self, node: PromptNode) -> None:
        self._node = node
        self._paths = PathCompleter(expanduser=True)

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """What could stand at the cursor."""
        command, space, rest = document.text_before_cursor.lstrip().partition(" ")
        if not space:
            matching = (known for known in COMMANDS if known.startswith(command))
            yield from (Completion(known, start_position=-len(command)) for known in matching)
        elif command == "/add-file":
            yield from self._paths.get_completions(Document(rest.removeprefix('"')), complete_event)
        elif command == "/policy" and (typed := _second_argument(rest)) is not None:
            policies = (policy.value for policy in Policy if policy.startswith(typed))
            yield from (Completion(policy, start_position=-len(typed)) for policy in policies)
        elif COMMANDS.get(command, ("",))[0].startswith(("PEER", "[PEER]")):
            yield from self._contacts(rest)

    def _contacts(self, typed: str) -> Iterable[Completion]:
        for peer in self._node.peers():
            for reference in filter(None, (peer.name, peer.peer_id)):
                shown = quoted_if_needed(reference)
                if shown.startswith(typed) or reference.startswith(typed):
                    yield Completion(shown, start_position=-len(typed))


def _second_argument(rest: str) -> str | None:
    """What of it has been typed; None while the first one is being typed."""
    try:
        first, second = split_first(rest)
    except InputError:
        return None
    return second.lstrip() if first and (second or rest[-1].isspace()) else None


class TerminalLines:
    """Asks a person for lines.

    The history lives in memory only: it holds what was said to others, and the state directory keeps no
    chat.
    """

    def __init__(self, node: PromptNode, status: Callable[[], str]) -> None:
        self._session: PromptSession[str] = PromptSession(
            history=InMemoryHistory(),
            completer=PromptCompleter(node),
            complete_while_typing=False,
            bottom_toolbar=lambda: visible(status()),
            refresh_interval=REFRESH_SECONDS,
            style=STYLE,
        )

    async def next_line(self, prompt: str) -> str | None:
        """See `p4.cli.lines.LineSource`. Ctrl-D on an empty line ends the input.

        Raises:
            KeyboardInterrupt: Ctrl-C.
        """
        try:
            # Signals are handled by p4.cli.signals, errors by p4.cli.report.
            return await self._session.prompt_async(prompt, handle_sigint=False, set_exception_handler=False)
        except EOFError:
            return None


@contextmanager
def terminal_lines(node: PromptNode, status: Callable[[], str]) -> Iterator[TerminalLines]:
    """A prompt; while it is in use, printed lines appear above it."""
    with patch_stdout():
        yield TerminalLines(node, status)
