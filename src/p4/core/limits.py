"""Every number the protocol and the node live by, with its unit and its reason.

First what spec/ fixes (both sides depend on it), then what this implementation chose.
"""

from __future__ import annotations

# --- specification --------------------------------------------------------------------------------

PROTOCOL_VERSION = 1
"""``protocol_version`` of every envelope; version 2 announces itself in the payload (spec/envelope.md)."""

SIGNALING_LINE_BYTES = 64 * 1024
"""Longest signaling line including its newline; v1 reads no more (spec/signaling.md)."""

NONCE_BYTES = 16
"""Length of an envelope's nonce before hex coding (spec/envelope.md)."""

SAFE_INTEGER = 2**53 - 1
"""Largest integer magnitude that RFC 8785 can represent exactly; larger ones are refused."""

V1_REPLY_SECONDS = 25.0
"""How long a v1 dialler waits for a reply, and how long it may hold its lock (spec/signaling.md)."""

ONION_PORT = 80
"""Virtual port of every P4 onion service (spec/invite.md)."""

# --- envelopes and replay -------------------------------------------------------------------------

MAX_SKEW_MS = 24 * 60 * 60 * 1000
"""Accepted difference of clocks. As wide as v1's: a device with a wrong clock still reconnects, and
the persisted replay window, not the clock, is what stops replays."""

REPLAY_NONCES = 4096
"""Nonces remembered per sender; beyond it the oldest go and everything as old as they is refused."""

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

HOLD_SECONDS = 1.5
"""How long the lower id lets a glaring offer wait for the answer to its own (spec/signaling.md)."""

STABLE_SECONDS = 5.0
"""A link that lived this long was a success; one that breaks sooner counts as a failed attempt."""

STAGGER_SECONDS = 0.3
"""After a loss that both sides notice, the higher id waits this long for the lower one's offer."""

BUSY_SECONDS = 2.0
"""After a ``busy`` the contact's own offer should arrive; if not we try again after once to twice this."""

WITHDRAWN_SECONDS = 5.0
"""A link whose signaling stream ended must open within this."""

# --- links ----------------------------------------------------------------------------------------

LINK_MESSAGE_BYTES = 64 * 1024
"""Largest data-channel message every library takes (aiortc and some browsers stop there)."""

LINK_LOW_WATER_BYTES = 256 * 1024
"""Sending resumes when a channel's queue has drained to this."""

LINK_HIGH_WATER_BYTES = 1024 * 1024
"""Sending pauses at this; wrtc itself fails at 16 MiB."""

GATHER_SECONDS = 2.0
"""Cap on candidate gathering: an unreachable STUN server must not hold back the offer."""

GATHER_SILENT_SECONDS = 0.5
"""The same right after a gathering in which a server was silent: most answer in half a second or never."""

GATHER_SHORT_TIMES = 4
"""Gatherings with the shorter cap before the full one is tried again."""

HEARTBEAT_SECONDS = 1.0
"""Interval of pings on a v2 link while nothing else arrives."""

HEARTBEAT_FOLLOW_SECONDS = 1.5
"""The same for the side that answered: it normally hears the other's ping before."""

IDLE_SECONDS = 30.0
"""A link that carried nothing but heartbeats for this long is idle."""

HEARTBEAT_IDLE_FACTOR = 10
"""On an idle link the intervals are so much longer. Its loss costs nobody anything; what is handed over ends
the idleness, and the end of the warm stream tells of a dead process at once all the same."""

HEARTBEAT_MISSES = 2.5
"""Silent intervals after which the link counts as dead: the second unanswered ping has had half a second."""

FIRST_PONG_SECONDS = 15.0
"""The first answer to a ping on a new link may take this long: the round trip is not known yet."""

STALL_SECONDS = 1.0
"""A heartbeat this late means that our own process stood still: the link gets a probe, no verdict."""

GOODBYE_SECONDS = 0.1
"""A link that is closed on purpose lingers this long, so that its last frame gets out."""

CLOSE_SECONDS = 0.5
"""A node that ends waits this long for writes and farewells of a contact."""

PROBE_SECONDS = 0.8
"""With another sign of death (warm stream ended) a link must answer within this, or three round trips."""

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

WARM_HEAD_START_SECONDS = 0.6
"""The same for an open stream to that address."""

TRICKLE_SECONDS = 0.08
"""A description waits this long for candidates before it goes out; the others follow."""

CANDIDATES_SECONDS = 0.02
"""Candidates found within this time follow together."""

IMPROVE_SECONDS = (5.0, 60.0)
"""A link over a relay: first and longest delay before a direct one is tried beside it."""

# --- messages -------------------------------------------------------------------------------------

OUTBOX_MESSAGES = 1_000_000
"""Unacknowledged messages per contact before ``send`` refuses more."""

OUTBOX_BYTES = 1024 * 1024 * 1024
"""Bytes of their bodies, likewise."""

SEND_WINDOW_MESSAGES = 2048
"""Messages under way without acknowledgement; bounds what a receiver must keep in memory."""

INBOX_UNCONSUMED = 100_000
"""Received messages that the application has not taken; beyond it the node stops accepting more."""

INBOX_WINDOW = 256
"""Messages of one contact and service kept in memory for an application that reads them."""

INBOX_BYTES = 256 * 1024 * 1024
"""The same in bytes of bodies."""

APPEND_MESSAGES = 512
"""Messages that are accepted in one write to disk: those that came while the last one was under way."""

APPEND_BYTES = 4 * 1024 * 1024
"""The same in bytes of bodies, or one hand-over."""

READ_MESSAGES = 512
"""Accepted messages read from disk at a time."""

READ_BYTES = 1024 * 1024
"""The same in bytes of bodies, or one message."""

RETIRED_EPOCHS = 8
"""Earlier names of an outbox remembered per contact and direction: as many restored backups are survived."""

V1_CONFIRM_SECONDS = 2.0
"""A text to a v1 peer counts as delivered when the channel has been empty this long (spec/link.md)."""

DISK_RETRY_SECONDS = 5.0
"""Interval at which received messages are offered again to a disk that refused them; senders keep them."""

DISK_WARNING_SECONDS = 600.0
"""A disk that refuses writes is reported to the application once in this time, not once per write."""

WAITING_EVENTS = 64
"""Events of one kind and contact kept for a reader that does not take them; the oldest go."""

# --- session (spec/session.md) ----------------------------------------------------------------------

BODY_BYTES = 1024 * 1024
"""Longest body of a message, an argument or a result."""

LONG_FRAME_BYTES = BODY_BYTES + 4096
"""Longest frame that comes in parts: a body and everything before it."""

PART_BYTES = 16 * 1024
"""Size of the parts we send: small, so that other frames get between them."""

BUNDLE_BYTES = 16 * 1024
"""Size at which a bundle of small frames is sent."""

SERVICE_BYTES = 64
"""Longest name of a service."""

KEY_BYTES = 255
"""Longest key of a latest-value message, in UTF-8."""

TTL_MS = 366 * 24 * 3_600_000
"""Longest time to live; for longer, none is needed."""

GRANTS = 256
"""Most grants of a contact."""

CONSUMED_SERVICES = 64
"""Services of which a waiting message is reported at the beginning of a link."""

SEND_WINDOW_BYTES = 4 * 1024 * 1024
"""Bodies under way without acknowledgement, or one message."""

EARLY_FRAMES = 1024
"""Frames kept between the proof of a link and its adoption."""

CALL_PATIENCE_MS = 24 * 3_600_000
"""Longest patience of a call."""

CALL_SECONDS = 30.0
"""Patience of a call whose caller names none."""

CALL_MEMORY_SECONDS = 60.0
"""A finished call is remembered this long after its patience, so that no copy of it is executed."""

REPLIED_SECONDS = 0.05
"""The confirmation of a reply waits this long for another frame to travel with."""

CONTACT_CALLS = 64
"""Calls of a contact that run at a time, and calls to it that are under way at a time; further ones wait."""

QUEUED_CALLS = 1024
"""Calls to a contact that wait for a link or for their turn; further ones are refused here."""

KEPT_CALLS = 256
"""Finished calls of a contact that it has not confirmed; beyond it nothing more is executed for it."""

KEPT_CALL_BYTES = 16 * 1024 * 1024
"""The same for the results of those calls."""

DATAGRAM_BYTES = 1100
"""Longest datagram: with everything around it one packet, so that one lost packet loses one datagram."""

WAITING_DATAGRAMS = 256
"""Datagrams for an application that does not keep up; then the oldest go."""

# --- streams (spec/stream.md) -----------------------------------------------------------------------

STREAM_NAME_BYTES = 1024
"""Longest name of a stream and longest sentence of a reset, in UTF-8."""

STREAM_DATA_BYTES = LINK_MESSAGE_BYTES - 17
"""Most bytes in one DATA frame: it then fills a message of a data channel."""

STREAM_SPOOL_BYTES = 64 * 1024 * 1024
"""Bytes of a stream on the writer's disk that the reader has not consumed; then the writer waits."""

CONTACT_STREAMS_OPEN = 256
"""Streams with a contact at a time."""

CONTACT_STREAMS_OFFERED = 64
"""Those of them that the contact opened and our application has not accepted."""

STREAM_FIRST_WINDOW_BYTES = 256 * 1024
"""Bytes that a reader grants at first: enough for 5 MB/s at 50 ms."""

STREAM_WINDOW_BYTES = 8 * 1024 * 1024
"""Most that it grants, to an application that keeps up: 80 MB/s at 100 ms."""

STREAM_LEAST_WINDOW_BYTES = 4096
"""What a reader grants however little memory is left, so that no stream stands still."""

STREAM_WINDOWS_BYTES = 48 * 1024 * 1024
"""What all readers of a node grant together."""

STREAM_GAPS = 4096
"""Holes in what a reader holds of a stream; a contact that makes more does not send what it is asked for."""

STREAM_COMMIT_SECONDS = (0.05, 1.0)
"""Consumed bytes are put on disk when the application paused this long, and after this time at the latest."""

STREAM_TURN_BYTES = STREAM_DATA_BYTES
"""Most bytes of a stream that are sent before the next one's turn."""

STREAM_RECENT_BYTES = (1024 * 1024, 4 * 1024 * 1024)
"""Bytes just written that stay in memory, to be sent without being read back: of a stream, of a contact."""

STREAM_FETCH_BYTES = 2 * STREAM_TURN_BYTES
"""Bytes read back from the disk at a time: two turns."""

# --- lanes (spec/lanes.md) --------------------------------------------------------------------------

LANE_SDP_BYTES = 16_000
"""Longest session description of a lane: with its head it fits a frame that does not come in parts."""

LANE_ADDRESSES = 16
"""Most addresses in an invitation to a stream lane."""

LANE_TOKEN_BYTES = 32
"""Length of the one-time token of a stream lane."""

LANE_DATA_BYTES = 1024 * 1024
"""Most bytes in one DATA frame on a stream lane."""

PEER_LANES = 8
"""Peer lanes that one side may have begun on a link."""

STREAM_LANES = 2
"""Stream lanes that one side may have begun on a link."""

LANE_OPEN_SECONDS = 10.0
"""From the first frame of a lane until it is open; then it is given up."""

LANE_TOKEN_SECONDS = 5.0
"""A connection to a listener that has not shown the token after this time is closed."""

LANE_STRANGERS = 4
"""Connections to a listener that have not shown the token."""

LANE_SILENCE_SECONDS = 2.5
"""DATA on a lane must be confirmed within this and three round trips."""

LANE_IDLE_SECONDS = 30.0
"""Lanes are ended when no DATA was sent or received on them for this long."""

LANE_RECEIVED_BYTES = 256 * 1024
"""RECEIVED is sent at the latest after so many bytes of DATA."""

LANE_RECEIVED_SECONDS = 0.02
"""RECEIVED is sent at the latest so long after the first DATA that it tells of."""

LANE_BACKLOG_SECONDS = 0.5
"""Streams must have waited this long for the link before a lane is begun."""

LANE_ROUND_TRIP_SECONDS = 0.02
"""On shorter paths peer lanes bring nothing: there is no window to fill."""

LANE_AMPLE_RATE = 20_000_000.0
"""Bytes per second. What brings more is not limited by the path but by the processor, and is best alone."""

LANE_GAIN = 1.2
"""A step to more peer lanes must bring this factor, or is taken back."""

LANE_STEPS = (1, 3, 7)
"""Peer lanes after each step: with the link 2, 4, 8 connections."""

LANE_SETTLE_SECONDS = 1.5
"""After a step, what the lanes bring is measured after this time (congestion control begins slowly) ..."""

LANE_MEASURE_SECONDS = 1.5
"""... and over this one."""

LANE_RETRY_SECONDS = 60.0
"""After a kind of lane could not be opened or did not help, it is tried again after this time."""

LANE_FRAME_BYTES = (16 * 1024, 256 * 1024)
"""Most bytes in a DATA frame that we send: on a peer lane, on a stream lane. Large ones cost less work, small
ones hold up less; from the disk's cache nothing longer than 256 KiB comes in one piece."""

LANE_WINDOW_BYTES = (64 * 1024, 4 * 1024 * 1024)
"""Least and most bytes that are under way on a lane without RECEIVED."""

LANE_FIRST_WINDOW_BYTES = 256 * 1024
"""The same at first."""

LANE_QUEUE_SECONDS = 0.25
"""DATA that took so much longer on a lane than on the quickest occasion says that it has too much."""

LINK_BESIDE_LANES_BYTES = 64 * 1024
"""DATA queued on the link while lanes carry some, too: what waits there holds up what came after it."""

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

PUNCH_PAUSE_SECONDS = 60.0
"""Time between the beginnings of two attempts with one contact."""

PUNCH_AT_A_TIME = 2
"""Attempts of a node that search at the same time; a further one is not begun."""

PUNCH_STUN_SECONDS = 2.0
"""Time to find out the kind of our own NAT for an attempt: a slow round trip, or one repetition."""

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
