"""What envelopes say while a link is negotiated (spec/signaling.md)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from p4.core import limits
from p4.core.canonical import parse_object
from p4.core.envelope import Unverified, parse_fields
from p4.core.punch import NatNote
from p4.core.reach import Reach
from p4.core.sdp import check_sdp, sdp_fingerprint
from p4.errors import EnvelopeError, SignalingError

__all__ = [
    "CALLS",
    "DATAGRAMS",
    "FAILURE_LINE",
    "IN_BAND",
    "PROTOCOL_2",
    "STREAMS",
    "TRICKLE",
    "WARM",
    "Announcement",
    "Answer",
    "Busy",
    "Cancel",
    "Candidates",
    "Offer",
    "Ping",
    "Pong",
    "SignalingMessage",
    "UnsignedFailure",
    "check_sdp",
    "parse_payload",
    "parse_reply",
    "sdp_fingerprint",
]

FAILURE_LINE = b'{"ok": false, "error": "refused"}'
"""The one answer to everything that is refused, without its newline: it tells a stranger nothing."""

PROTOCOL_2 = 2
"""Lowest ``v`` of an announcement."""

WARM = "warm"
"""Capability: the signaling stream stays open after the first answer."""

STREAMS = "streams"
"""Capability: spec/stream.md."""

CALLS = "calls"
"""Capability: spec/session.md, Calls."""

DATAGRAMS = "datagrams"
"""Capability: spec/session.md, Datagrams."""

IN_BAND = "inband"
"""Capability: signaling travels on the link as well (spec/link.md)."""

TRICKLE = "trickle"
"""Capability: candidates may follow an offer or answer."""

_MOST_CAPABILITIES = 32
_MOST_CANDIDATES = 32
_CANDIDATE = re.compile(r"candidate:[ -~]{1,502}")
_CAPABILITY = re.compile(r"[a-z0-9.-]{1,32}")
_BOOT = re.compile(r"[0-9a-f]{16}")
_NONCE = re.compile(rf"[0-9a-f]{{{2 * limits.NONCE_BYTES}}}")
_SESSION_ID = re.compile(r"[!-~]{1,64}")
_SHOWN_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Announcement:
    """How a node newer than version 1 tells a peer so: ``payload.p4`` of an offer or answer.

    Args:
        version: 2 or more.
        capabilities: what it can do; unknown ones mean nothing to us.
        boot: 16 lower-case hex digits, random for each start of the process: another value means that the
            peer restarted and has forgotten whatever it did not store.
        nonce: 32 lower-case hex digits, random for each offer and answer; part of what binds the link
            (`p4.core.session.binding`).
        reach: where else the sender says it can be reached; None if it says nothing about it.
        nat: the sender's NAT, for port guessing (spec/punch.md).
        direct: an offer's alone: the link must not go over a relay, because there is one that does.
    """

    version: int
    capabilities: frozenset[str]
    boot: str
    nonce: str
    reach: Reach | None = None
    nat: NatNote | None = None
    direct: bool = False

    @classmethod
    def ours(
        cls, capabilities: frozenset[str], boot: str, nonce: str, reach: Reach | None = None
    ) -> Announcement:
        """Our own announcement, for one offer or answer.

        It carries one meaningless capability, so that peers which choke on unknown ones are found out today
        and not when a real one is added.
        """
        return cls(PROTOCOL_2, capabilities | {f"grease-{boot[:4]}"}, boot, nonce, reach)

    def to_object(self) -> dict[str, object]:
        """The JSON object."""
        return {
            "v": self.version,
            "caps": sorted(self.capabilities),
            "boot": self.boot,
            "nonce": self.nonce,
            **(self.reach.to_fields() if self.reach else {}),
            **({"nat": self.nat.to_object()} if self.nat else {}),
            **({"direct": True} if self.direct else {}),
        }


@dataclass(frozen=True, slots=True)
class Offer:
    """Request: let us open a link."""

    session_id: str
    sdp: str
    p4: Announcement | None = None

    def to_payload(self) -> dict[str, object]:
        """The JSON object to seal."""
        return _description("offer", self.session_id, self.sdp, self.p4)


@dataclass(frozen=True, slots=True)
class Answer:
    """Reply to an offer: here is our half of the link."""

    session_id: str
    sdp: str
    p4: Announcement | None = None

    def to_payload(self) -> dict[str, object]:
        """The JSON object to seal."""
        return _description("answer", self.session_id, self.sdp, self.p4)


@dataclass(frozen=True, slots=True)
class _Plain:
    session_id: str

    def to_payload(self) -> dict[str, object]:
        """The JSON object to seal."""
        return {"type": type(self).__name__.lower(), "session_id": self.session_id}


@dataclass(frozen=True, slots=True)
class Ping:
    """Request: are you there? Between version-2 peers it may announce what has changed."""

    session_id: str
    p4: Announcement | None = None

    def to_payload(self) -> dict[str, object]:
        """The JSON object to seal."""
        return _announcing("ping", self.session_id, self.p4)


@dataclass(frozen=True, slots=True)
class Pong:
    """Reply to a ping."""

    session_id: str
    p4: Announcement | None = None

    def to_payload(self) -> dict[str, object]:
        """The JSON object to seal."""
        return _announcing("pong", self.session_id, self.p4)


@dataclass(frozen=True, slots=True)
class Candidates:
    """Candidates that were found after the offer or answer of this session was sent. No reply.

    Args:
        candidates: values of SDP attributes (RFC 8839): ``candidate:…``.
        done: there are no more.
    """

    session_id: str
    candidates: tuple[str, ...]
    done: bool

    def to_payload(self) -> dict[str, object]:
        """The JSON object to seal."""
        return {
            "type": "candidates",
            "session_id": self.session_id,
            "candidates": list(self.candidates),
            "done": self.done,
        }


@dataclass(frozen=True, slots=True)
class Cancel(_Plain):
    """Between version-2 peers on a warm stream: the sender's offer of this id is withdrawn. No reply."""


@dataclass(frozen=True, slots=True)
class Busy(_Plain):
    """Reply to an offer, version 2: it lost against ours, or another negotiation goes on. Try later."""


SignalingMessage = Offer | Answer | Ping | Pong | Cancel | Busy | Candidates

_PLAIN: dict[str, type[Cancel | Busy]] = {"cancel": Cancel, "busy": Busy}
_PINGS: dict[str, type[Ping | Pong]] = {"ping": Ping, "pong": Pong}
_WITH_SDP: dict[str, type[Offer | Answer]] = {"offer": Offer, "answer": Answer}


@dataclass(frozen=True, slots=True)
class UnsignedFailure:
    """A peer, or anybody on the way, says that a request failed. A hint for the log, never trusted.

    Args:
        error: printable, at most 200 characters.
    """

    error: str


def parse_payload(payload: Mapping[str, object]) -> SignalingMessage:
    """Read the payload of a verified envelope. Unknown keys are ignored.

    The SDP is not looked into: ``check_sdp`` does that, before a library sees it.

    Raises:
        SignalingError: ``bad-type`` (unknown or missing), ``bad-session-id``, ``bad-sdp`` (missing, not a
            string, empty, or ``sdp_type`` contradicts the type), ``bad-announcement`` or ``bad-candidates``.
    """
    kind = payload.get("type")
    if not isinstance(kind, str) or kind not in {*_PLAIN, *_PINGS, *_WITH_SDP, "candidates"}:
        raise SignalingError("The type of the message is not known.", code="bad-type")
    session_id = payload.get("session_id")
    if not isinstance(session_id, str) or not _SESSION_ID.fullmatch(session_id):
        raise SignalingError("The session_id of the message has the wrong form.", code="bad-session-id")
    if kind in _PLAIN:
        return _PLAIN[kind](session_id)
    if kind == "candidates":
        return _candidates(session_id, payload)
    announcement = _announcement(payload["p4"]) if "p4" in payload else None
    if kind in _PINGS:
        return _PINGS[kind](session_id, announcement)
    sdp = payload.get("sdp")
    if not isinstance(sdp, str) or not sdp or len(sdp) > limits.SIGNALING_LINE_BYTES:
        raise SignalingError(f"The {kind} has no usable sdp.", code="bad-sdp")
    if payload.get("sdp_type") != kind:
        raise SignalingError(f"The sdp_type of the {kind} is not {kind!r}.", code="bad-sdp")
    return _WITH_SDP[kind](session_id, sdp, announcement)


def parse_reply(line: bytes) -> Unverified | UnsignedFailure:
    r"""Read the line that came back on a stream that we dialled.

    Args:
        line: without its ``\n``.

    Raises:
        EnvelopeError: neither an envelope nor a failure object; codes as `p4.core.envelope.parse`.
    """
    if len(line) >= limits.SIGNALING_LINE_BYTES:
        raise EnvelopeError("The reply is longer than a signaling line.", code="too-long")
    fields = parse_object(line, EnvelopeError)
    if fields.get("ok") is False and "signature_b64" not in fields:
        error = fields.get("error")
        text = error if isinstance(error, str) else ""
        return UnsignedFailure("".join(filter(str.isprintable, text[:_SHOWN_CHARACTERS])))
    return parse_fields(fields)


def _description(kind: str, session_id: str, sdp: str, p4: Announcement | None) -> dict[str, object]:
    payload: dict[str, object] = {"type": kind, "session_id": session_id, "sdp": sdp, "sdp_type": kind}
    if p4 is not None:
        payload["p4"] = p4.to_object()
    return payload


def _announcing(kind: str, session_id: str, p4: Announcement | None) -> dict[str, object]:
    payload: dict[str, object] = {"type": kind, "session_id": session_id}
    return payload if p4 is None else {**payload, "p4": p4.to_object()}


def _candidates(session_id: str, payload: Mapping[str, object]) -> Candidates:
    candidates, done = payload.get("candidates"), payload.get("done")
    if not isinstance(candidates, list) or len(candidates) > _MOST_CANDIDATES or not isinstance(done, bool):
        raise SignalingError("The candidates have the wrong form.", code="bad-candidates")
    if not all(isinstance(one, str) and _CANDIDATE.fullmatch(one) for one in candidates):
        raise SignalingError("A candidate has the wrong form.", code="bad-candidates")
    return Candidates(session_id, tuple(candidates), done)


def _announcement(value: object) -> Announcement:
    if isinstance(value, dict):
        version, capabilities = value.get("v"), value.get("caps")
        boot, nonce = value.get("boot"), value.get("nonce")
        if (
            type(version) is int
            and version >= PROTOCOL_2
            and isinstance(capabilities, list)
            and len(capabilities) <= _MOST_CAPABILITIES
            and all(isinstance(name, str) and _CAPABILITY.fullmatch(name) for name in capabilities)
            and isinstance(boot, str)
            and _BOOT.fullmatch(boot)
            and isinstance(nonce, str)
            and _NONCE.fullmatch(nonce)
        ):
            reach = Reach.from_fields(value)
            nat = NatNote.parse(value.get("nat"))
            direct = value.get("direct") is True
            return Announcement(version, frozenset(capabilities), boot, nonce, reach, nat, direct)
    raise SignalingError("The announcement p4 has the wrong form.", code="bad-announcement")
