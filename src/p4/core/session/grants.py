"""Who may use which service (spec/session.md, Services and grants)."""

from __future__ import annotations

from p4.core import limits

__all__ = ["GrantTable", "covers"]


def covers(grant: str, service: str) -> bool:
    """Whether a grant allows a service: by its name, as the beginning of its name before a dot, or ``*``."""
    return grant in ("*", service) or service.startswith(grant + ".")


class GrantTable:
    """Grants that are asked for every message: what was found is remembered.

    Args:
        grants: names of services, or ``*``.
    """

    def __init__(self, grants: tuple[str, ...]) -> None:
        self.grants = grants
        self._known: dict[str, bool] = {}

    def allows(self, service: str) -> bool:
        """Whether one of the grants covers the service."""
        known = self._known.get(service)
        if known is None:
            known = any(covers(grant, service) for grant in self.grants)
            if len(self._known) < limits.GRANTS:
                # A contact may name as many services as it likes; they must not fill the memory.
                self._known[service] = known
        return known
