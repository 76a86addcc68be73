"""Messages, calls and streams (spec/session.md, spec/stream.md)."""

from __future__ import annotations

from p4.core.limits.links import LINK_MESSAGE_BYTES

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

STREAM_VOLATILE_BYTES = 16 * 1024 * 1024
"""The same in memory, of a stream that is not durable. More than the largest window of a reader and the half
of one by which its confirmations lag: one that keeps up is never slowed."""

CONTACT_VOLATILE_BYTES = 64 * 1024 * 1024
"""The same of all such streams with a contact."""

STREAM_VOLATILE_LEAST_BYTES = 1024 * 1024
"""So much one may hold whatever the others hold."""

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
