"""Numbers of pairing (spec/pairing.md)."""

from __future__ import annotations

# --- fixed by the specification -------------------------------------------------------------------------

PAIRING_VERSION = 1
"""Of links and of the exchange."""

PAIRING_LINK_CHARACTERS = 1024
"""Longest link that is read."""

PAIRING_SECRET_BYTES = 16
"""The secret of a link: nobody guesses it."""

PAIRING_CODE_WORDS = 8
"""Words of a code for everywhere."""

PAIRING_LOCAL_WORDS = 2
"""Words of a code for the local network."""

PAIRING_PLACE_WORDS = 5
"""Of a code for everywhere, the words that lead to the place; the others are the password."""

PAIRING_SCRYPT_COST = 2**16
"""N of scrypt: 64 MiB and some 0.15 s of a core for each guess at a place."""

PAIRING_CARD_BYTES = 8 * 1024
"""Longest card; a real one has about 400."""

PAIRING_SECONDS = 600
"""How long an invite lives unless chosen otherwise."""

PAIRING_SHORTEST_SECONDS, PAIRING_LONGEST_SECONDS = 60, 7 * 24 * 3600
"""What can be chosen."""

PAIRING_INVITES = 32
"""Open invites of a device."""

PAIRING_LOCAL_INVITES = 8
"""Open codes of two words of a device: each has one of 16 shelves to itself."""

PAIRING_LINE_SECONDS = 20.0
"""How long each line but the first is waited for: a round trip through Tor and the other side's disk."""

MEETING_VISITORS = 8
"""Visitors of one meeting place at a time; the oldest is closed for a new one. One is enough; more let a
device in while somebody else only knocks."""

# --- chosen here ----------------------------------------------------------------------------------------

PAIRING_PATIENCE_SECONDS = 120.0
"""How long a guest looks for the host unless told otherwise: an onion service takes its time to appear."""

PAIRING_ROUNDABOUT_SECONDS = 0.3
"""Head start of the local network before an onion is visited beside it."""

PAIRING_AGAIN_SECONDS = 1.0
"""Pause of a guest before it goes to a place again."""

PAIRING_TRIES = 8
"""Exchanges that a guest begins at one place before it gives that place up."""

DEVICE_NAME_CHARACTERS = 64
"""Longest name of a device, as of a contact."""
