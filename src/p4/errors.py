"""Every error P4 raises.

    P4Error
    ├── LocalError                 something here: our input, our files, our machine
    │   ├── InputError             a value that a person or program gave us
    │   │   ├── InviteError        an invite that cannot be used
    │   │   └── ContactError       a contact name or id that cannot be used
    │   ├── StateError             the state directory
    │   │   ├── PermissionsError   readable or writable by others
    │   │   ├── CorruptFileError   set aside, never overwritten
    │   │   └── AlreadyRunningError
    │   └── TorError               the Tor program: absent, broken, dead
    ├── RemoteError                a peer's fault: its bytes broke a rule of spec/
    │   ├── EnvelopeError          spec/envelope.md
    │   ├── SignalingError         spec/signaling.md
    │   └── FrameError             spec/link.md
    └── UnreachableError           nobody's fault: no path at the moment, try again
        ├── RendezvousError        the peer's signaling address did not answer
        └── LinkError              the direct path did not open or broke

Match on the type and on ``code``, never on the message. Messages are complete sentences for a person:
what happened, what is safe, what to do next. They never contain secrets.
"""

from __future__ import annotations

__all__ = [
    "AlreadyRunningError",
    "ContactError",
    "CorruptFileError",
    "EnvelopeError",
    "FrameError",
    "InputError",
    "InviteError",
    "LinkError",
    "LocalError",
    "P4Error",
    "PermissionsError",
    "RemoteError",
    "RendezvousError",
    "SignalingError",
    "StateError",
    "TorError",
    "UnreachableError",
]


class P4Error(Exception):
    """Base of every error of this package.

    Args:
        message: one or more complete sentences for a person.
        code: short, stable, machine-readable reason in kebab-case, unique within the class.
    """

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class LocalError(P4Error):
    """Something on this side: input, files, programs, resources."""


class InputError(LocalError):
    """A value given to us is not usable. Nothing was changed."""


class InviteError(InputError):
    """An invite is malformed, contradicts itself or is our own. Nothing was changed."""


class ContactError(InputError):
    """A contact is unknown, ambiguous, or would replace another's key. Nothing was changed."""


class StateError(LocalError):
    """The state directory cannot be used as it is.

    Args:
        path: the file or directory concerned.
    """

    def __init__(self, message: str, *, path: str, code: str = "") -> None:
        super().__init__(message, code=code)
        self.path = path


class PermissionsError(StateError):
    """A file or directory with secrets is open to other users; the message holds the mending command."""


class CorruptFileError(StateError):
    """A file cannot be read; it was set aside under ``kept_as`` and not overwritten."""

    def __init__(self, message: str, *, path: str, kept_as: str, code: str = "corrupt") -> None:
        super().__init__(message, path=path, code=code)
        self.kept_as = kept_as


class AlreadyRunningError(StateError):
    """Another process works on this state directory.

    Args:
        pid: its process id, or None where it could not be read.
    """

    def __init__(self, message: str, *, path: str, pid: int | None) -> None:
        super().__init__(message, path=path, code="already-running")
        self.pid = pid


class TorError(LocalError):
    """Tor is missing, does not start, or does not do what it is told."""


class RemoteError(P4Error):
    """A peer sent something that breaks the specification."""


class EnvelopeError(RemoteError):
    """An envelope is malformed, not for us, too old, replayed or not signed by its sender."""


class SignalingError(RemoteError):
    """A signaling line or payload is malformed, out of turn or refused."""


class FrameError(RemoteError):
    """A message on a link is malformed or out of turn."""


class UnreachableError(P4Error):
    """No path to the peer right now. Nothing is lost; trying again later is right."""


class RendezvousError(UnreachableError):
    """The peer's signaling address could not be reached."""


class LinkError(UnreachableError):
    """The direct path did not open in time or broke."""
