"""A network namespace of one's own: a machine with its own interfaces, addresses and routes."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest

__all__ = ["NetworkNamespace", "network_namespace"]


class NetworkNamespace:
    """Runs commands inside; made by `network_namespace`."""

    def __init__(self, name: str) -> None:
        self.name = name

    def ip(self, *arguments: str) -> None:
        """``ip`` with these arguments, inside."""
        subprocess.run(["ip", "-n", self.name, *arguments], check=True, capture_output=True, timeout=10)

    def run(self, *command: str, text: str = "") -> str:
        """A command inside, fed with ``text``; its output."""
        done = subprocess.run(
            self.command(*command), input=text, check=True, capture_output=True, text=True, timeout=20
        )
        return done.stdout

    def command(self, *command: str) -> list[str]:
        """What starts a command inside."""
        return ["ip", "netns", "exec", self.name, *command]


@contextmanager
def network_namespace() -> Iterator[NetworkNamespace]:
    """A fresh namespace with loopback up; skips the test where that is not allowed."""
    if shutil.which("ip") is None or os.geteuid() != 0:
        pytest.skip("network namespaces need root and iproute2")
    name = f"p4-{uuid4().hex[:8]}"
    made = subprocess.run(
        ["ip", "netns", "add", name], capture_output=True, text=True, check=False, timeout=10
    )
    if made.returncode:
        pytest.skip(f"no network namespaces here: {made.stderr.strip()}")
    try:
        namespace = NetworkNamespace(name)
        namespace.ip("link", "set", "lo", "up")
        yield namespace
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True, timeout=10)
