"""The gate: onion client authorization (spec/gate.md)."""

from __future__ import annotations

GATE_KEYS = 256
"""Most contacts admitted at our gate. Tor's descriptor has room for some 350 keys (50 000 bytes)."""

GATE_OPEN_SECONDS = 120.0
"""The open address stays this long after the last contact has confirmed that it knows the gate: until then
what was published of the gate has surely spread."""
