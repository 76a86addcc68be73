"""Every command of `p4`, in the groups in which people look for them.

A command NAME is ``command`` in the module ``p4.cli.commands.NAME``, with ``_`` for ``-``.
"""

from __future__ import annotations

__all__ = ["GROUPS"]

GROUPS: dict[str, tuple[str, ...]] = {
    "Start here": (
        "invite",
        "add",
        "up",
        "down",
        "open",
        "demo",
    ),
    "Contacts": (
        "ls",
        "verify",
        "name",
        "grants",
        "grant",
        "revoke",
        "policy",
        "block",
        "unblock",
        "remove",
    ),
    "Talk": (
        "send",
        "inbox",
        "chat",
        "call",
    ),
    "Files and tunnels": (
        "cp",
        "transfers",
        "share",
        "forward",
        "serve",
        "pipe",
    ),
    "Look inside": (
        "status",
        "log",
        "doctor",
    ),
    "This device": (
        "token",
        "service",
        "backup",
        "restore",
        "rotate",
        "completion",
    ),
    "Version 1": (
        "init",
        "add-contact",
        "run",
    ),
}
"""Title of each group, and the names of its commands, in the order in which they are needed."""
