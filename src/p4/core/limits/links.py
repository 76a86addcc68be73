"""Links and their lanes (spec/link.md, spec/lanes.md)."""

from __future__ import annotations

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

GATHER_RELAYED_SECONDS = 0.3
"""Once there is a relayed candidate the others have so much longer: a relay takes more round trips."""

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

HEARTBEAT_MISSES = 2.3
"""Silent intervals after which the link counts as dead: the second unanswered ping has had 0.3 s, and three
round trips."""

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

LANE_FIRST_WINDOW_BYTES = (64 * 1024, 256 * 1024)
"""The same at first: on a peer lane, which is there because each connection is slow, and on a stream lane."""

LANE_QUEUE_SECONDS = 0.25
"""DATA that took so much longer on a lane than on the quickest occasion says that it has too much."""

LINK_BESIDE_LANES_BYTES = 64 * 1024
"""DATA queued on the link while lanes carry some, too: what waits there holds up what came after it."""
