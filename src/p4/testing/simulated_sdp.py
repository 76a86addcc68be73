"""What simulated links tell of themselves in their descriptions: text with the lines that a real one has."""

from __future__ import annotations

import re
from dataclasses import dataclass

from p4.core import limits
from p4.errors import LinkError

__all__ = ["SDP_ATTRIBUTES", "Credentials"]

SDP_ATTRIBUTES = re.compile(r"^a=(ice-ufrag|ice-pwd|fingerprint):(.+?)\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What an SDP says about one end; a link opens only if both ends hold the other's true ones."""

    ufrag: str
    password: str
    fingerprint: str

    def to_sdp(self, setup: str) -> str:
        """A description with these credentials; ``setup`` is ``actpass`` or ``active``."""
        lines = (
            "v=0",
            "o=- 1 1 IN IP4 0.0.0.0",
            "s=-",
            "t=0 0",
            "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
            "c=IN IP4 0.0.0.0",
            "a=mid:0",
            f"a=ice-ufrag:{self.ufrag}",
            f"a=ice-pwd:{self.password}",
            f"a=fingerprint:sha-256 {self.fingerprint}",
            f"a=setup:{setup}",
            "a=sctp-port:5000",
            f"a=max-message-size:{limits.LINK_MESSAGE_BYTES}",
            "a=candidate:1 1 udp 2130706431 192.0.2.1 50000 typ host",
            "a=end-of-candidates",
        )
        return "".join(f"{line}\r\n" for line in lines)

    @classmethod
    def from_sdp(cls, sdp: str) -> Credentials:
        """Those of a description. Raises LinkError (``bad-sdp``)."""
        found = dict(SDP_ATTRIBUTES.findall(sdp))
        fingerprint = found.get("fingerprint", "").removeprefix("sha-256 ")
        if len(found) != 3 or not fingerprint:
            raise LinkError("The simulated library does not understand this SDP.", code="bad-sdp")
        return cls(found["ice-ufrag"], found["ice-pwd"], fingerprint)
