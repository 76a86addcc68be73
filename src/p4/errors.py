"""Every error P4 raises.

    P4Error
    ├── LocalError                 something here: our input, our files, our machine
    │   ├── InputError             a value that a person or program gave us
    │   │   ├── InviteError        an invite that cannot be used
    │   │   │   └── WordError      a word of a spoken code that is none
    │   │   └── ContactError       a contact name or id that cannot be used
    │   ├── StateError             the state directory
    │   │   ├── PermissionsError   readable or writable by others
    │   │   ├── CorruptFileError   set aside, never overwritten
    │   │   └── AlreadyRunningError
    │   ├── TorError               the Tor program: absent, broken, dead
    │   └── AccessError            the daemon does not let an app or a web page do this
    ├── P4CoreError                a call of `p4.v1`, the interface of version 1
    ├── DeliveryError              a message that was accepted will not arrive
    ├── PairingError               two devices did not pair
    ├── RemoteError                a peer's fault: its bytes broke a rule of spec/
    │   ├── EnvelopeError          spec/envelope.md
    │   ├── SignalingError         spec/signaling.md
    │   └── FrameError             spec/link.md
    ├── UnreachableError           nobody's fault: no path at the moment, try again
    │   ├── RendezvousError        the peer's signaling address did not answer
    │   └── LinkError              the direct path did not open or broke
    ├── StreamError                a byte stream with a contact ended before its end
    ├── TransferError              a copy of files did not get to its end
    └── CallError                  a call to a contact's service has no result
        ├── CallFailed             the service says so, in its own words
        ├── CallRefusedError       it was not executed
        ├── CallDeadlineError      its time has passed
        ├── CallCancelledError     one of the two nodes gave it up
        └── OutcomeUnknownError    the contact restarted while it was under way

Match on the type and on ``code``, never on the message. Messages are complete sentences for a person:
what happened, what is safe, what to do next. They never contain secrets.
"""

from __future__ import annotations

__all__ = [
    "AccessError",
    "AlreadyRunningError",
    "CallCancelledError",
    "CallDeadlineError",
    "CallError",
    "CallFailed",
    "CallRefusedError",
    "ContactError",
    "CorruptFileError",
    "DeliveryError",
    "EnvelopeError",
    "FrameError",
    "InputError",
    "InviteError",
    "LinkError",
    "LocalError",
    "OutcomeUnknownError",
    "P4CoreError",
    "P4Error",
    "PairingError",
    "PermissionsError",
    "RemoteError",
    "RendezvousError",
    "SignalingError",
    "StateError",
    "StreamError",
    "TorError",
    "TransferError",
    "UnreachableError",
    "WordError",
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


class WordError(InviteError):
    """A word of a spoken code is not in the list. Nothing was changed.

    Args:
        word: as it was given, at most 40 characters.
        position: counts from 1.
        suggestions: words of the list that it may have been, the likeliest first.
    """

    def __init__(self, message: str, *, word: str, position: int, suggestions: tuple[str, ...]) -> None:
        super().__init__(message, code="unknown-word")
        self.word = word
        self.position = position
        self.suggestions = suggestions


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


class AccessError(LocalError):
    """The daemon does not let whoever asks do this (spec/daemon-api). Nothing was done.

    Codes: ``no-token`` (none was shown), ``bad-token`` (unknown, revoked or expired), ``owner-only``,
    ``not-granted`` (the token does not name the service or contact), ``foreign-host``, ``foreign-origin``
    (a web page of somebody else), ``bad-code`` (a login link that was used or is too old), ``too-many``
    (failed attempts; wait a minute).
    """


class P4CoreError(P4Error, RuntimeError):
    """A call of `p4.v1.P4Core` failed, of which nothing was done. A RuntimeError, as in version 1.

    Codes: those of envelopes (spec/envelope.md) and ``bad-key``.
    """


class DeliveryError(P4Error):
    """A message that was accepted will not arrive. If it was on its way already, it may have.

    Codes: ``expired`` (its time to live has passed), ``replaced`` (by a newer value of its key), ``refused``
    (the contact does not let us use the service), ``not-supported`` (it runs version 1, which takes texts for
    ``chat`` only).
    """


class PairingError(P4Error):
    """Two devices did not pair (spec/pairing.md).

    Codes: ``used``, ``expired``, ``cancelled``, ``wrong`` (the other side did not know the secret), ``ended``
    (a wrong guess ended the code), ``unknown``, ``version``, ``not-possible`` (the other side could not take
    us), ``impostor`` (the key is not the one in the link), ``not-found`` (nobody was met), ``broken-off``
    (the host fell silent after words were proved to it), ``unconfirmed`` (the guest proved itself and fell
    silent), ``rotated`` (our key was changed meanwhile), ``too-many`` (invites), ``no-place`` (this node has
    none to offer), ``closed`` (our node ends).
    """


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


class StreamError(P4Error):
    """A byte stream with a contact ended before its end, or cannot be begun (spec/stream.md).

    Codes: ``cancelled`` and ``failed`` (an application ended it, the text says whose), ``not-granted`` (the
    contact does not let us use the service), ``too-many`` (streams at a time), ``disk``, ``lost`` (a device
    does not know it any more, or remembers less than the other knows), ``removed`` (the contact was removed),
    ``closed`` (our node ends; the stream goes on after the next start), ``ended`` (writing after the end was
    announced), ``incomplete`` (it ended well, but before the bytes that were asked for).

    Args:
        consumed: bytes from the contact that our application has consumed; -1 if there is no stream.
        confirmed: bytes of ours that the contact's application has consumed; -1 if there is no stream.
        by_contact: whether the contact ended it.
        partial: with ``incomplete``: the bytes that did arrive.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str,
        consumed: int = -1,
        confirmed: int = -1,
        by_contact: bool = False,
        partial: bytes = b"",
    ) -> None:
        super().__init__(message, code=code)
        self.consumed = consumed
        self.confirmed = confirmed
        self.by_contact = by_contact
        self.partial = partial


class TransferError(P4Error):
    """A copy of files between two devices did not get to its end (spec/files.md). What arrived is kept.

    Codes: ``not-granted``, ``read-only`` (the shared folder takes nothing), ``not-found``, ``exists``,
    ``disk-full``, ``permission``, ``bad-name`` (of no use on that device), ``changed`` (while it was sent),
    ``damaged`` (the hash is not right), ``bad-link``, ``busy``, ``too-many``, ``disk``, ``protocol``,
    ``version``, ``unreachable``, ``cancelled``, ``removed``.

    Args:
        by_contact: whether the other device says so.
    """

    def __init__(self, message: str, *, code: str, by_contact: bool = False) -> None:
        super().__init__(message, code=code)
        self.by_contact = by_contact


class CallError(P4Error):
    """A call to a contact's service has no result (spec/session.md, Calls).

    Args:
        may_have_run: whether the service may have done its work, wholly or in part. If not, calling again is
            safe.
    """

    def __init__(self, message: str, *, code: str, may_have_run: bool) -> None:
        super().__init__(message, code=code)
        self.may_have_run = may_have_run


class CallFailed(CallError):  # noqa: N818 - what a handler raises reads as a sentence
    """The service failed, in words of its own. A handler raises it, and its caller gets the same.

    Codes of P4 itself: ``internal`` (the handler broke; its own log knows more), ``bad-argument`` and
    ``bad-result`` (what arrived there, or here, is not the JSON that it claims to be).

    Args:
        code: short and stable, for programs; the service's own vocabulary.
        message: for a person.
        data: any JSON value, for programs.
    """

    def __init__(self, code: str, message: str, data: object = None) -> None:
        super().__init__(message, code=code, may_have_run=True)
        self.data = data


class CallRefusedError(CallError):
    """The call was not executed.

    Codes: ``not-granted``, ``not-served`` (nothing answers there at the moment), ``overloaded`` (too many
    calls at a time; try again later), ``not-supported`` (the contact's node knows no calls).
    """

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message, code=code, may_have_run=False)


class CallDeadlineError(CallError):
    """No result arrived in time. Code ``deadline``."""

    def __init__(self, message: str, *, may_have_run: bool) -> None:
        super().__init__(message, code="deadline", may_have_run=may_have_run)


class CallCancelledError(CallError):
    """A node gave the call up while it was under way.

    Codes: ``cancelled`` (the contact's node), ``closed`` (ours).
    """

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message, code=code, may_have_run=True)


class OutcomeUnknownError(CallError):
    """The contact restarted while the call was under way: it was executed, wholly or in part, or not at all.

    Code ``outcome-unknown``. Ask the contact what happened before calling again, unless twice is as good as
    once.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message, code="outcome-unknown", may_have_run=True)
