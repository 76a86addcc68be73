"""Whether a router lost its mappings: it sends the seconds since it began, and we compare (pure)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Epoch"]

_SLACK_SECONDS = 2


@dataclass(frozen=True, slots=True)
class Epoch:
    """One reading of a router's count of seconds.

    Args:
        server: the router's count, seconds.
        client: our clock when it arrived, seconds.
    """

    server: int
    client: float

    def continued_by(self, later: Epoch) -> bool:
        """Whether the router kept its state from this reading to the later one (RFC 6887 section 8.5).

        Clocks may differ by a sixteenth and two seconds. NAT-PMP's own rule (RFC 6886 section 3.6) allows an
        eighth, and only looks for counts that are too small; the stricter rule serves both, because asking
        once too often costs one packet.
        """
        server, client = later.server - self.server, later.client - self.client
        if server < -1:
            return False
        # Negative by one second is a rounding, and none of the products below may gain from it.
        server = max(server, 0)
        return not (
            client + _SLACK_SECONDS < server - server / 16 or server + _SLACK_SECONDS < client - client / 16
        )
