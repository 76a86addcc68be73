"""The daemon's local interface (spec/daemon-api)."""

from __future__ import annotations

API_BODY_BYTES = 2 * 1024 * 1024
"""Largest body of a request: a message of `BODY_BYTES` in base64, with room for its envelope."""

API_HEADER_BYTES = 64 * 1024
"""Largest head of a request: a path of 4096 characters is up to 48 KiB of it."""

API_HEADER_SECONDS = 10.0
"""How long the head of a request may take to arrive: one byte a minute holds no connection."""

API_BODY_SECONDS = 30.0
"""How long the body of a request may take to arrive."""

API_CONNECTIONS = 512
"""Connections at a time on one listener; more are refused with 503."""

API_IDLE_SECONDS = 65
"""How long an idle connection is kept for the next request."""

API_FRAME_BYTES = 2 * 1024 * 1024
"""Largest message of a WebSocket that a program sends: like a request's body, it may be a whole value."""

API_PING_SECONDS = 20.0
"""A WebSocket or an event stream that is silent for so long gets a sign of life."""

API_WAIT_SECONDS = 300.0
"""Longest that a request may wait for a state or for something to arrive."""

API_UNACKNOWLEDGED = 256
"""Messages a subscription hands out before it waits for acknowledgements."""

API_DONE_BEFORE = 4096
"""Messages of a service that were done before the daemon handed them out, as after its restart."""

API_CALLS_AT_ONCE = 64
"""Calls under way at a time for one registration of a service."""

API_FEED_EVENTS = 1024
"""Events that wait for one slow reader of the event feed; beyond it it is told that it has missed some."""

TOKEN_BYTES = 32
"""Random bytes of a token: 256 bits cannot be guessed, so a plain SHA-256 is enough to store it."""

TOKENS = 256
"""App tokens at a time."""

TOKEN_FAILURES = 20
"""Failed attempts with a token or login code within `TOKEN_FAILURE_SECONDS`; further ones have to wait."""

TOKEN_FAILURE_SECONDS = 60.0
"""See `TOKEN_FAILURES`."""

TOKEN_FAILURE_WAIT_SECONDS = 1.0
"""How long an attempt beyond `TOKEN_FAILURES` waits for its refusal."""

LOGIN_CODE_SECONDS = 60.0
"""How long a one-time link to the web page may be used."""

LOGIN_CODES = 16
"""Unused login codes at a time; the oldest go."""

WEB_SESSION_SECONDS = 12 * 60 * 60
"""How long a browser stays logged in without being used."""

WEB_SESSIONS = 32
"""Browsers logged in at a time; those that were not used for longest go."""

API_END_SECONDS = 0.7
"""How long requests may take to end when the daemon ends; the rest of 2 s is for the node."""

API_LAST_ANSWER_SECONDS = 0.1
"""How long an answer that is nearly ready has when the daemon, or a token, ends."""

LOG_BYTES = 4 * 1024 * 1024
"""Size at which the daemon's log begins a new file."""

LOG_FILES = 3
"""Older log files that are kept."""

API_RECEIPTS = 100_000
"""Receipts of messages sent through the API that can be asked for; the oldest are forgotten."""

API_BATCH = 1000
"""Messages that one request sends, or says to be done with."""

API_LEASE_SECONDS = 3600.0
"""Longest that a program without a connection may keep messages without having done with them."""

API_UNCONSUMED_BYTES = 4 * 1024 * 1024
"""Bytes of a stream sent to a program ahead of its word that it has consumed them."""

API_PROGRESS_SECONDS = 0.1
"""How often a program that writes to a stream is told how far it has come, at most."""

API_GATHER_SECONDS = 0.02
"""How long a request that has one message waits for the next one that it would take along."""
