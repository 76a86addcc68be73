"""Signaling: its endpoint, dialling, the ways to a contact (spec/signaling.md)."""

from __future__ import annotations

# --- signaling endpoint (design section 3) --------------------------------------------------------

STRANGER_STREAMS = 64
"""Inbound streams that have not yet proved to be a contact; further ones are closed at once."""

FIRST_BYTE_SECONDS = 5.0
"""A stranger that sends no complete line within this time is closed."""

CONTACT_STREAMS = 4
"""Inbound streams per contact; the oldest goes when a fifth proves itself."""

BUCKET_CAPACITY = 20
"""Envelopes a contact may send in a burst."""

BUCKET_PER_SECOND = 2.0
"""Envelopes per second a contact may send for ever."""

REPLY_SECONDS = 30.0
"""How long we wait for the reply to an offer over a slow Tor circuit."""

WARM_REPLY_SECONDS = 8.0
"""The same on a warm stream, whose circuit stands: silence means that it is dead."""

WARM_PING_SECONDS = 60.0
"""A warm stream that was quiet this long is tried with a ping; its opener does that."""

WARM_SILENCE_SECONDS = 150.0
"""The other end closes a warm stream on which nothing arrived for this long."""

WARM_REDIAL_SECONDS = (2.0, 300.0)
"""First and longest delay before a lost warm stream is opened again while the link is up."""

SEALED_REFUSALS = 3
"""Sealed offers that a contact refuses in a row before one goes to it in clear (spec/sealing.md)."""

# --- dialling -------------------------------------------------------------------------------------

DIAL_SECONDS = 20.0
"""Own time-out of one rendezvous dial; Tor's would be 120 s."""

RETRY_FIRST_SECONDS = 0.4
"""Delay before the second attempt; doubles with each failure."""

RETRY_MAX_SECONDS = 30.0
"""Longest delay between attempts, as long as the user wants the peer."""

WAKE_AT_ONCE = 64
"""Contacts that a starting node dials at once; the others follow at the pace of DIALS_PER_SECOND."""

DIALS_PER_SECOND = 20.0
"""Pace of dials to contacts that do not answer, all together: with many contacts each is tried less often."""

RETRY_JITTER = 0.3
"""Each delay is multiplied by a number between 1 - this and 1 + this."""

LINK_OPEN_SECONDS = 30.0
"""From the answer to an open, proven link. Long: a path with 2 s round trips and 30 % loss must open."""

QUIET_SECONDS = (4.0, 8.0)
"""How long the higher peer id waits for a contact that may be v1 before it dials itself."""

QUIET_V1_SECONDS = (35.0, 60.0)
"""The same towards a known v1 node, whose lock may last V1_REPLY_SECONDS and more."""

HOLD_SECONDS, HOLD_QUICK_SECONDS = 1.5, 0.3
"""How long the lower id lets a glaring offer wait for the answer to its own: one that came through Tor, and
one that came straight (spec/signaling.md)."""

STABLE_SECONDS = 2.0
"""A link that lived this long was a success; one that breaks sooner counts as a failed attempt. Less than
silence takes to be noticed: a path that died without a word had been one."""

STAGGER_SECONDS = 0.15
"""After a loss that both sides notice, the higher id waits this long for the lower one's offer."""

BUSY_SECONDS = 2.0
"""After a ``busy`` the contact's own offer should arrive; if not we try again after once to twice this."""

WITHDRAWN_SECONDS = 5.0
"""A link whose signaling stream ended must open within this."""

# --- ways to a contact (spec/signaling.md) ----------------------------------------------------------

SIGNAL_BYTES = 60 * 1024
"""Longest line of signaling on a link."""

COPY_SECONDS = 60.0
"""An offer that arrives again within this time, over another stream, is a copy and not a replay."""

OFFER_COPIES = 8
"""Copies of an offer that are taken."""

NEGOTIATION_CANDIDATES = 64
"""Candidates that may follow a description."""

ENDPOINT_SECONDS = 3.0
"""Time for a TCP connection to an address that a contact announced or the local network told."""

ENDPOINT_DIALS = 6
"""Such addresses tried at a time."""

ROUNDABOUT_SECONDS = 0.15
"""Head start of what is quick to try before the address of the invite is dialled."""

WARM_HEAD_START_SECONDS = 1.0
"""The same for an open stream to that address."""

STALE_OFFER_SECONDS = 1.5
"""An offer this old for which a server was asked in vain is made anew for a stream that opens at last: the
path was gone and has come back."""

TRICKLE_SECONDS = 0.08
"""A description waits this long for candidates before it goes out; the others follow."""

NEW_ADDRESS_SECONDS = 2.2
"""libwebrtc looks for new addresses every 2 s; an offer that is made because of one waits for that."""

CANDIDATES_SECONDS = 0.02
"""Candidates found within this time follow together."""

IMPROVE_SECONDS = (5.0, 60.0)
"""A link over a relay: first and longest delay before a direct one is tried beside it."""

DIRECT_OPENING_SECONDS = 1.5
"""When the link over a relay ends meanwhile, the direct one must open within this."""

PATH_PROBE_SECONDS = 0.3
"""The same after a change of our own network, when a link on the old path is most likely dead."""

# --- introductions (spec/introduction.md) -----------------------------------------------------------

CONVEYED_LINE_BYTES = 32 * 1024
"""Longest line that a common contact passes on."""

INTRODUCTION_STREAMS = 16
"""Streams that a contact began here, or that are brought to one, at a time: a device with many contacts
looks for all of them at once after a change of network."""

INTRODUCTION_BURST = 32
"""Streams that a contact begins at once."""

INTRODUCTIONS_PER_SECOND = 2.0
"""Streams that it begins for ever."""

INTRODUCTION_BYTES = 512 * 1024
"""Bytes that a contact has passed on at once: some 50 negotiations."""

INTRODUCTION_BYTES_PER_SECOND = 32 * 1024
"""Bytes for ever."""

INTRODUCTION_LINE_COST = 256
"""What each line counts in bytes besides its own, so that short ones are not free."""

INTRODUCTION_SECONDS = 45.0
"""Life of an introduced stream: a negotiation with its slowest candidates, no more."""

INTRODUCTION_HEAD_START_SECONDS = 0.05
"""Head start of open streams and of addresses before common contacts are asked."""

INTRODUCERS_ASKED = 3
"""Common contacts asked at a time."""

INTRODUCER_SECONDS = 2.0
"""How long a dial waits for the link to a common contact that is expected back."""

INTRODUCER_EXPECTED_SECONDS = 10.0
"""A common contact is expected back this long after its link was lost, or after the start."""

INTRODUCER_NEWS_SECONDS = 0.3
"""Contacts are told of a new common contact when there was no other news of that kind for so long."""
