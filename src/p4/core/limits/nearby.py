"""The local network and port guessing (spec/lan.md, spec/punch.md)."""

from __future__ import annotations

# --- local network (spec/lan.md) ----------------------------------------------------------------------

LAN_PERIOD_SECONDS = 900
"""How long a tag is used."""

LAN_PERIODS_AROUND = 4
"""Periods before and after the present one whose tags are recognised: clocks may be an hour apart."""

LAN_TAG_BYTES = 10
"""Length of a tag: among 10 000 contacts and 9 periods a random one is recognised once in 10**19."""

LAN_TAGS = 96
"""Most tags in an announcement: with everything around them one packet."""

LAN_TAG_STEP = 16
"""An announcement has a multiple of this many tags, so that it does not tell the number of contacts."""

LAN_TURN_TAGS = 32
"""Tags of a full announcement that are for another part of the contacts in each period."""

LAN_JITTER_SECONDS = 60.0
"""A new period's tags are announced up to this long after its begin: not by all nodes at once."""

LAN_TICK_SECONDS = 60.0
"""How often the clock is read to see whether a period has begun: it may jump, and the machine may sleep."""

LAN_ADDRESSES = 8
"""Most addresses taken from an announcement."""

LAN_SIGHTINGS = 256
"""Announcements remembered at a time; further ones are not looked at."""

LAN_SIGHTING_BURST = 64
"""New or changed announcements looked at in a burst."""

LAN_SIGHTINGS_PER_SECOND = 16.0
"""The same for ever: our part of a flood, a look at 96 tags each, then takes a thousandth of a core."""

LAN_SOURCES = 4
"""Announcements of one contact used at a time: it has one, others are repeated by somebody else."""

LAN_FOUND_SECONDS = 2.0
"""Where a contact is on the network is told at most this often."""

LAN_GONE_SECONDS = 3.0
"""A contact counts as gone when it was not seen for this long: an announcement is replaced, not changed."""

LAN_CONTACTS_PER_TURN = 4
"""Keys of pairs computed before other work of the node gets its turn; one takes about 0.1 ms."""

# --- port guessing (spec/punch.md) ------------------------------------------------------------------

PUNCH_PROBES = 2000
"""Most ports that the easy side tries; all but one attempt in 2500 have met by then."""

PUNCH_PROBES_PER_SECOND = 400.0
"""Its highest pace, kept for PUNCH_FAST_SECONDS; then half of it."""

PUNCH_FAST_SECONDS = 2.0
"""In this time 19 of 20 attempts have met."""

PUNCH_TICK_SECONDS = 0.02
"""Interval in which packets are sent: a few at a time."""

PUNCH_EASY_SECONDS = 8.0
"""The easy side gives up after this."""

PUNCH_HARD_SECONDS = 12.0
"""The hard side's ports stay open longer: its answer may be on the way to the other for some seconds."""

PUNCH_SOCKETS = 256
"""Ports that the hard side opens."""

PUNCH_LEAST_SOCKETS = 64
"""With fewer, because the system gives no more, an attempt is not worth its packets."""

PUNCH_OPENS_PER_SECOND = 800.0
"""Pace at which they are opened."""

PUNCH_OPEN_AGAIN_SECONDS = 3.0
"""They are opened again after this time, in case a packet was lost."""

PUNCH_RUNS = 3
"""Most attempts with one contact that begin in PUNCH_RUNS_SECONDS: the one that opens a link is followed by
another when the contact moves soon after."""

PUNCH_RUNS_SECONDS = 180.0
"""See PUNCH_RUNS. A change of our own network begins a new count."""

PUNCH_AT_A_TIME = 2
"""Attempts of a node that search at the same time; a further one is not begun."""

PUNCH_STUN_SECONDS = 2.0
"""Time to find out the kind of our own NAT for an attempt: a slow round trip, or one repetition."""

PUNCH_STUN_REPEAT_SECONDS = 0.1
"""A request to a server is repeated after this time, then after twice that each time: a lost one must not
cost the attempt."""

PUNCH_UNKNOWN_SECONDS = 10.0
"""Servers that did not tell the kind of our NAT are not asked again for this long."""

PUNCH_NOTE_SECONDS = 0.15
"""An offer or answer waits this long for it, if it was not known before: no link shall come later for it."""

PUNCH_REFRESH_SECONDS = 10.0
"""A port that waits for an attempt is kept open at this interval."""

PUNCH_PREPARED_SECONDS = 60.0
"""It is given up if no attempt began by then."""

PUNCH_KEEP_SECONDS = 5.0
"""A bridge over which nothing was sent for this long keeps its pair of ports open."""

PUNCH_IDLE_SECONDS = 30.0
"""A bridge whose near or far end was silent for this long ends."""
