"""All checks, in the order in which a person reads them: the quick ones first."""

from __future__ import annotations

from p4.diagnosis import clock, directory, mapping, nat, tor, turn, versions

__all__ = ["CHECKS"]

CHECKS = (versions.CHECK, directory.CHECK, clock.CHECK, turn.CHECK, nat.CHECK, mapping.CHECK, tor.CHECK)
