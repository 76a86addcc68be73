"""What can go wrong in a build; each message is a sentence for the person who started it."""

from __future__ import annotations


class CannotBuildHereError(Exception):
    """This machine lacks something that cannot be brought without a person; the message says what."""


class BuildFailedError(Exception):
    """A step of the build failed or its result is not what was asked for; the message says which."""
