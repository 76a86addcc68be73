"""Comparison codes, the rotation of keys, and backups (spec/verification.md, spec/rotation.md)."""

from __future__ import annotations

# --- specification --------------------------------------------------------------------------------

COMPARISON_WORDS = 6
"""Words of a comparison code, 11 bits each."""

COMPARISON_SCRYPT_COST = 2**15
"""scrypt's N for a comparison code, with r = 8 and p = 1: 32 MiB and about 0.1 s. Somebody between looks
for two keys of his own with one code, about 2^33 tries for each side; this makes each of them dear."""

ROTATIONS_OF_A_CONTACT = 256
"""Rotations that are remembered of one contact, and of ourselves: more than a lifetime needs, and a bound on
what a contact can have us keep."""

# --- choices of this implementation ------------------------------------------------------------------

FORMER_KEY_DAYS = 730
"""How long a former key is kept for contacts that have not heard of the new one: they may be away for long.
After that they pair again."""

BACKUP_BYTES = 1024 * 1024 * 1024
"""Most bytes in a backup: it is sealed in memory, and takes about three times as much there."""

BACKUP_FILES = 100_000
"""Most files in a backup."""

PASSPHRASE_CHARACTERS = 8
"""Fewest characters of a new passphrase: whoever has the file can try as many as he has time for."""
