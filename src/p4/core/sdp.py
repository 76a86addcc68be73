"""A look at a session description before any WebRTC library sees it (spec/signaling.md, RFC 8866)."""

from __future__ import annotations

import re

from p4.errors import SignalingError

__all__ = ["SDP_LINES", "SDP_LINE_CHARACTERS", "check_sdp", "sdp_fingerprint"]

SDP_LINES = 400
"""Most lines of a description; a host with 20 addresses and 4 TURN servers makes about 150."""

SDP_LINE_CHARACTERS = 1024
"""Longest line of a description; the longest that libraries write have about 200."""

# ASCII without control characters: libraries differ in what else ends a line.
_LINE = re.compile(r"[a-z]=[ -~]*")
_SECTION = re.compile(r"m=application [1-9][0-9]* .*")  # port 0 would be a section that is switched off
# RFC 8839 section 5.4: ice-char = ALPHA / DIGIT / "+" / "/", 4 to 256 and 22 to 256 of them.
_UFRAG = re.compile(r"a=ice-ufrag:[A-Za-z0-9+/]{4,256}")
_PASSWORD = re.compile(r"a=ice-pwd:[A-Za-z0-9+/]{22,256}")
_FINGERPRINT = re.compile(r"a=fingerprint:sha-256 ([0-9A-F]{2}(?::[0-9A-F]{2}){31})", re.IGNORECASE)


def check_sdp(sdp: str) -> None:
    """Refuse a description that is not of exactly one data-channel section with its credentials.

    Raises:
        SignalingError: ``bad-sdp``, with the first thing that is wrong.
    """
    sdp_fingerprint(sdp)


def sdp_fingerprint(sdp: str) -> bytes:
    """Check a description as `check_sdp` does, and give the SHA-256 of the DTLS certificate it names.

    Raises:
        SignalingError: ``bad-sdp``.
    """
    lines = sdp.split("\n", SDP_LINES + 1)
    if lines[-1] == "":
        lines.pop()
    if len(lines) > SDP_LINES:
        raise _bad(f"it has more than {SDP_LINES} lines")
    lines = [line.removesuffix("\r") for line in lines]
    for line in lines:
        if len(line) > SDP_LINE_CHARACTERS:
            raise _bad(f"a line is longer than {SDP_LINE_CHARACTERS} characters")
        if not _LINE.fullmatch(line):
            raise _bad("a line is not of the form letter=value in ASCII")
    if not lines or lines[0] != "v=0":
        raise _bad("it does not begin with v=0")
    sections = [line for line in lines if line.startswith("m=")]
    if len(sections) != 1 or not _SECTION.fullmatch(sections[0]):
        raise _bad("it has not exactly one section, for data channels")
    _only(lines, "a=ice-ufrag:", _UFRAG)
    _only(lines, "a=ice-pwd:", _PASSWORD)
    fingerprint = _only(lines, "a=fingerprint:sha-256 ", _FINGERPRINT)
    return bytes.fromhex(fingerprint[1].replace(":", ""))


def _only(lines: list[str], prefix: str, form: re.Pattern[str]) -> re.Match[str]:
    # Two of them would let a library choose another than the one that was checked and signed for.
    found = [line for line in lines if line.lower().startswith(prefix)]
    match = form.fullmatch(found[0]) if len(found) == 1 else None
    if match is None:
        raise _bad(f"it has not exactly one valid {prefix.strip()} line")
    return match


def _bad(reason: str) -> SignalingError:
    return SignalingError(f"The session description is refused: {reason}.", code="bad-sdp")
