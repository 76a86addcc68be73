"""Identities of version 1, made by its published core."""

from __future__ import annotations

from typing import Any

import p4_core  # type: ignore[import-untyped]

Json = dict[str, Any]

CORE = p4_core.P4Core()


def new_identity() -> Json:
    """An identity in the format of ``identity_ed25519.json``."""
    identity: Json = CORE.generate_identity()
    return identity


def new_identities() -> tuple[Json, Json]:
    """Two identities: the one with the lower peer id, which dials, and the other."""
    one, other = sorted((new_identity(), new_identity()), key=lambda identity: str(identity["peer_id"]))
    return one, other
