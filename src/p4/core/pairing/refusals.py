"""Why a host sends a guest away, on the wire and in sentences (spec/pairing.md, Refusals)."""

from __future__ import annotations

import json
from typing import Final

from p4.errors import PairingError

__all__ = ["pairing_error", "refusal", "refusal_line"]

_SENTENCES: Final = {
    "unknown": (
        "No invite of this kind is open on the other device: it was used, taken back or has expired. "
        "Ask for a new one."
    ),
    "used": (
        "This invite was used by another device already. If that was none of yours, tell whoever made"
        " it: somebody else may have got hold of it. Ask for a new one."
    ),
    "expired": ("This invite has expired and nobody was paired by it. A new one can be made at any time."),
    "cancelled": ("This invite was taken back before it was used."),
    "ended": (
        "This code has ended: it was taken back, or somebody guessed at it. Nothing was stored; ask "
        "for a new one."
    ),
    "wrong": (
        "The words do not fit those of the other device. Nothing was stored. After one wrong try a "
        "code is dead; ask for a new one."
    ),
    "broken-off": (
        "The other side fell silent after this device had shown that it knows the words. Nothing was stored "
        "here. It is not tried again by itself: somebody who only poses as the other device could guess each "
        "time. If the other device still shows the code, use it once more; otherwise ask for a new one."
    ),
    "version": (
        "The other device speaks another version of pairing. Update the older of the two, then try again."
    ),
    "not-possible": (
        "The other device could not store this one as a contact. Look at what it says there, then try"
        " again with a new invite."
    ),
    "unconfirmed": (
        "A device proved that it knew the secret, then fell silent. It is a contact here; whether "
        "this device is one there is not known. If it does not connect, remove it and pair again."
    ),
    "too-many": (
        "There are as many open invites of this kind as there can be. Cancel one, or wait until one expires."
    ),
    "rotated": (
        "This device changed its key while the invite was open, so the invite is of no use any more. Pair "
        "with a new one. If the other device shows a contact of this attempt, remove that there first."
    ),
    "closed": ("This node is ending. The invite stays open until it expires, and works again when P4 runs."),
    "not-found": (
        "The other device was not found. Check that P4 runs there and shows the invite as open, then "
        "try again."
    ),
}
_ON_THE_WIRE: Final = frozenset({"unknown", "used", "expired", "ended", "wrong", "version", "not-possible"})


def pairing_error(code: str) -> PairingError:
    """The error of a code, with its sentence."""
    return PairingError(_SENTENCES[code], code=code)


def refusal_line(code: str) -> bytes:
    """What the host sends before it ends the stream.

    Args:
        code: any of a `PairingError`; one that is not for the other side becomes ``not-possible``.
    """
    said = {"cancelled": "ended", "rotated": "ended"}.get(code, code)
    return json.dumps({"refused": said if said in _ON_THE_WIRE else "not-possible"}).encode("ascii")


def refusal(code: object) -> PairingError:
    """What a guest makes of a refusal. Anybody on the way could have sent it."""
    known = code if isinstance(code, str) and code in _ON_THE_WIRE else "not-possible"
    return pairing_error(known)
