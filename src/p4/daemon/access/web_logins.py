"""One-time login links to the web page, and the browsers that used one."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable

from p4.core import limits
from p4.daemon.access.ending import Ending

__all__ = ["WebLogins"]


class WebLogins:
    """In memory: after a restart of the daemon a browser logs in again.

    Args:
        now: monotonic seconds.
    """

    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._codes: OrderedDict[bytes, float] = OrderedDict()
        self._sessions: OrderedDict[bytes, float] = OrderedDict()
        self._ended: dict[bytes, Ending] = {}

    def create_code(self) -> str:
        """A code that works once, within `limits.LOGIN_CODE_SECONDS`."""
        code = secrets.token_urlsafe(limits.TOKEN_BYTES)
        self._codes[_digest(code)] = self._now() + limits.LOGIN_CODE_SECONDS
        while len(self._codes) > limits.LOGIN_CODES:
            self._codes.popitem(last=False)
        return code

    def log_in(self, code: str) -> str | None:
        """Use up a code; gives the secret of a new browser session, or None if it is not valid now."""
        until = self._codes.pop(_digest(code), None)
        if until is None or until <= self._now():
            return None
        session = secrets.token_urlsafe(limits.TOKEN_BYTES)
        self._sessions[_digest(session)] = self._now() + limits.WEB_SESSION_SECONDS
        while len(self._sessions) > limits.WEB_SESSIONS:
            self._end(next(iter(self._sessions)))
        return session

    def is_session(self, secret: str) -> bool:
        """Whether this is the secret of a browser that is logged in; it stays so from now on."""
        # Found by its hash: how long the search takes tells nothing about the secret.
        digest = _digest(secret)
        until = self._sessions.get(digest)
        if until is None:
            return False
        if until <= self._now():
            self._end(digest)
            return False
        self._sessions[digest] = self._now() + limits.WEB_SESSION_SECONDS
        self._sessions.move_to_end(digest)
        return True

    def ended(self, secret: str) -> Ending:
        """Set when the session with this secret, which is one, has ended: what lasts long ends then."""
        return self._ended.setdefault(_digest(secret), Ending())

    def log_out(self, secret: str) -> None:
        """Forget a browser; what it has under way ends at once."""
        self._end(_digest(secret))

    def _end(self, digest: bytes) -> None:
        self._sessions.pop(digest, None)
        if ended := self._ended.pop(digest, None):
            ended.set()


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
