"""A `p4 run` process whose output a test waits for."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import sys
import threading
import time

__all__ = ["RunningNode"]


class RunningNode:
    """A process; its stdout and stderr are read in the background.

    Args:
        arguments: after ``p4 run``.
        stdin: as for `subprocess.Popen`.
    """

    def __init__(
        self, arguments: list[str], environment: dict[str, str], stdin: int | None = subprocess.PIPE
    ) -> None:
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "p4.cli", "run", *arguments],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
        )
        self.lines: list[str] = []
        self.errors: list[str] = []
        self._changed = threading.Condition()
        self._readers = [
            threading.Thread(target=self._read, args=(stream, lines), daemon=True)
            for stream, lines in ((self.process.stdout, self.lines), (self.process.stderr, self.errors))
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, stream: object, lines: list[str]) -> None:
        for line in stream:  # type: ignore[attr-defined]
            with self._changed:
                lines.append(line.decode().rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def expect(self, pattern: str, *, after: int = 0, timeout: float = 60, errors: bool = False) -> int:
        """Wait for a line that matches; gives the index after it, for the next ``after``."""
        lines = self.errors if errors else self.lines
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                for index in range(after, len(lines)):
                    if re.search(pattern, lines[index]):
                        return index + 1
                left = deadline - time.monotonic()
                if left <= 0 or (
                    self.process.poll() is not None and not any(r.is_alive() for r in self._readers)
                ):
                    raise AssertionError(f"no {pattern!r} in {self.lines[after:]} / {self.errors}")
                self._changed.wait(min(left, 0.5))

    def type(self, line: str) -> None:
        """Give it a line on stdin."""
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """Send a signal; gives the exit code and the seconds it took."""
        began = time.monotonic()
        self.process.send_signal(number)
        code = self.process.wait(timeout=90)
        taken = time.monotonic() - began
        for reader in self._readers:
            reader.join(timeout=20)
        return code, taken

    def stop(self) -> None:
        """Make sure that it is gone."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for reader in self._readers:
            reader.join(timeout=20)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
