"""Messages as applications hand them over, checked before anything is accepted."""

from __future__ import annotations

from p4.core import limits
from p4.core.session.body import encode_body
from p4.core.session.messages.stored import Draft
from p4.errors import InputError

__all__ = ["CHAT", "make_draft"]

CHAT = "chat"
"""The service of what people say to each other, the only one that version 1 knows."""


def make_draft(
    value: object, service: str, *, ttl: float | None, latest: str, now_ms: int, chat_only: str = ""
) -> Draft:
    """A message that may be accepted.

    Args:
        ttl: seconds after which it is of no use; None for never.
        latest: the key of which it is the newest value; empty for none.
        now_ms: Unix milliseconds.
        chat_only: the name of a contact that takes chat texts only.

    Raises:
        InputError: ``not-supported``, ``bad-ttl``, ``bad-key`` or a code of `encode_body`.
    """
    kind, body = encode_body(value)
    if chat_only and not (service == CHAT and isinstance(value, str)):
        raise InputError(
            f"{chat_only} runs an older program, which takes chat texts only. Nothing was sent.",
            code="not-supported",
        )
    expires_ms = 0
    if ttl is not None:
        if not 0 < ttl * 1000 <= limits.TTL_MS:
            raise InputError("A time to live is more than 0 and at most a year.", code="bad-ttl")
        expires_ms = now_ms + max(int(ttl * 1000), 1)
    try:
        if len(latest.encode()) > limits.KEY_BYTES:
            raise InputError(f"A key has at most {limits.KEY_BYTES} bytes.", code="bad-key")
    except UnicodeEncodeError:
        raise InputError("The key contains half a character.", code="bad-key") from None
    return Draft(service, kind, body, latest, now_ms, expires_ms)
