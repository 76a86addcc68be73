"""The full-screen chat."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

from prompt_toolkit.application import Application
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout import BufferControl, ConditionalContainer, HSplit, Layout, VSplit, Window
from prompt_toolkit.layout.controls import FormattedTextControl, UIContent, UIControl
from prompt_toolkit.layout.dimension import Dimension
from prompt_toolkit.layout.processors import BeforeInput
from prompt_toolkit.styles import Style

from p4.cli.chat import render
from p4.cli.chat.conversation import Follower
from p4.cli.chat.model import ChatModel
from p4.client import Client
from p4.errors import P4Error

__all__ = ["ChatScreen"]

WIDE = 64
"""Columns from which on the contacts stand beside the history."""

PEOPLE_WIDTH = 20
MOST_INPUT_ROWS = 6

STYLE = Style.from_dict(
    {
        "quiet": "fg:ansibrightblack",
        "day": "fg:ansibrightblack italic",
        "me": "bold",
        "them": "fg:ansicyan bold",
        "here": "fg:ansigreen",
        "file": "underline",
        "failed": "fg:ansired",
        "unread": "fg:ansiyellow bold",
        "chosen": "reverse",
        "rule": "fg:ansibrightblack",
        "status": "",
    }
)


class _History(UIControl):
    """The rows of the history that the window has room for."""

    def __init__(self, model: ChatModel) -> None:
        self._model = model
        self.height = 1
        self.rows = 0

    def create_content(self, width: int, height: int) -> UIContent:
        """See `UIControl`."""
        rows = self._rows(width)
        self.height, self.rows = height, len(rows)
        self._model.scroll = max(0, min(self._model.scroll, len(rows) - height))
        end = len(rows) - self._model.scroll
        shown = rows[max(0, end - height) : end]
        shown = [[] for _ in range(height - len(shown))] + shown  # what is newest stands at the bottom
        lines: list[StyleAndTextTuples] = [list(row) for row in shown]
        return UIContent(lambda number: lines[number], line_count=len(lines), show_cursor=False)

    def _rows(self, width: int) -> list[render.Fragments]:
        if self._model.help:
            return render.help_rows(max(8, width))
        person = self._model.person
        return render.history_rows(person, max(8, width)) if person else []


class ChatScreen:
    """The chat on a terminal.

    Args:
        model: whose `person` is shown first.
    """

    def __init__(self, client: Client, model: ChatModel) -> None:
        self._model = model
        self._tasks: set[asyncio.Task[None]] = set()
        self._history = _History(model)
        self._buffer = Buffer(multiline=True, on_text_changed=lambda _: self._typed())
        self._application: Application[None] = Application(
            layout=self._layout(),
            key_bindings=self._keys(),
            style=STYLE,
            full_screen=True,
            refresh_interval=1.0,
        )
        self._follower = Follower(client, model, self._application.invalidate)

    async def run(self) -> None:
        """Show it until the person ends it.

        Raises:
            P4Error: the daemon is gone, or refused what is needed from the start.
        """
        await self._follower.load()
        following = asyncio.create_task(self._follow())
        try:
            await self._application.run_async(handle_sigint=False, set_exception_handler=False)
        finally:
            for task in (following, *self._tasks):
                task.cancel()
            outcomes = await asyncio.gather(following, *self._tasks, return_exceptions=True)
        if isinstance(outcomes[0], P4Error):
            raise outcomes[0]

    async def _follow(self) -> None:
        try:
            await self._follower.follow()
        finally:
            if self._application.is_running:
                self._application.exit()

    # -- how it looks ------------------------------------------------------------------------------------

    def _layout(self) -> Layout:
        def rule() -> Window:
            return Window(height=1, char="─", style="class:rule")

        people = HSplit(
            [Window(FormattedTextControl(self._people), width=PEOPLE_WIDTH, always_hide_cursor=True)]
        )
        beside = ConditionalContainer(
            VSplit([people, Window(width=1, char="│", style="class:rule")]),
            filter=Condition(lambda: self._columns() >= WIDE and len(self._model.people) > 1),
        )
        writing = Window(
            BufferControl(self._buffer, input_processors=[BeforeInput("› ", style="class:me")]),
            height=Dimension(min=1, max=MOST_INPUT_ROWS),
            dont_extend_height=True,
            wrap_lines=True,
        )
        status = Window(FormattedTextControl(self._status), height=1)
        return Layout(
            HSplit([VSplit([beside, Window(self._history)]), rule(), status, writing]),
            focused_element=writing,
        )

    def _columns(self) -> int:
        return self._application.output.get_size().columns

    def _people(self) -> StyleAndTextTuples:
        return [
            fragment
            for row in render.people_rows(self._model, PEOPLE_WIDTH)
            for fragment in [*row, ("", "\n")]
        ]

    def _status(self) -> StyleAndTextTuples:
        return [*render.status_row(self._model, self._columns(), time.monotonic())]

    # -- what a person does ------------------------------------------------------------------------------

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()
        model = self._model

        @keys.add("enter")
        def _send(_event: KeyPressEvent) -> None:
            text = self._buffer.text
            if text.strip() and model.person is not None:
                self._buffer.reset()
                self._start(self._say(text))

        @keys.add("escape", "enter")
        def _new_line(event: KeyPressEvent) -> None:
            event.current_buffer.insert_text("\n")

        @keys.add("c-n")
        def _next(_event: KeyPressEvent) -> None:
            self._show(model.current + 1)

        @keys.add("c-p")
        def _previous(_event: KeyPressEvent) -> None:
            self._show(model.current - 1)

        @keys.add("c-u")
        def _unread(_event: KeyPressEvent) -> None:
            found = [n for n, person in enumerate(model.people) if person.unread and n != model.current]
            if found:
                self._show(found[0])

        @keys.add("pageup")
        def _back(_event: KeyPressEvent) -> None:
            model.scroll += max(1, self._history.height - 2)
            if model.scroll + self._history.height >= self._history.rows:
                self._start(self._follower.older())

        @keys.add("pagedown")
        def _forth(_event: KeyPressEvent) -> None:
            model.scroll = max(0, model.scroll - max(1, self._history.height - 2))

        @keys.add("f1")
        def _help(_event: KeyPressEvent) -> None:
            model.help = not model.help

        @keys.add("c-c")
        @keys.add("c-q")
        def _end(event: KeyPressEvent) -> None:
            event.app.exit()

        @keys.add("c-d", filter=Condition(lambda: not self._buffer.text))
        def _end_of_input(event: KeyPressEvent) -> None:
            event.app.exit()

        return keys

    def _show(self, number: int) -> None:
        self._model.notice = ""
        self._model.show(number)
        self._start(self._follower.open())

    async def _say(self, text: str) -> None:
        try:
            await self._follower.say(text)
        except P4Error:
            if not self._buffer.text:
                self._buffer.text = text  # it was not sent: nothing that was written is lost
            raise

    def _typed(self) -> None:
        self._model.notice = ""
        if self._buffer.text:
            self._start(self._follower.typing())

    def _start(self, work: Coroutine[Any, Any, object]) -> None:
        async def told() -> None:
            try:
                await work
            except P4Error as error:
                self._model.notice = error.message
                self._application.invalidate()

        task = asyncio.ensure_future(told())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
