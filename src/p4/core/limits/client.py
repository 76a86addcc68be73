"""Of programs that use the daemon: how long they wait for it, and how much they take from it."""

__all__ = [
    "CLIENT_ACKNOWLEDGED",
    "CLIENT_ANSWER_BYTES",
    "CLIENT_EVENT_BYTES",
    "CLIENT_FIRST_PAUSE_SECONDS",
    "CLIENT_LONGEST_PAUSE_SECONDS",
    "CLIENT_RESTART_SECONDS",
    "CLIENT_STREAM_PIECE_BYTES",
    "CLIENT_UNKNOWN_MESSAGES",
    "CLIENT_WAIT_SECONDS",
    "CLIENT_WINDOW",
    "DAEMON_START_SECONDS",
]

CLIENT_RESTART_SECONDS = 20.0
"""A daemon that is restarted is back within this time; a request waits for it that long."""

CLIENT_FIRST_PAUSE_SECONDS = 0.05
"""Between the first two attempts to reach a daemon that is away. Doubles each time."""

CLIENT_LONGEST_PAUSE_SECONDS = 2.0
"""Between two attempts, at most: somebody who waits for a message notices no more."""

CLIENT_ANSWER_BYTES = 64 * 1024 * 1024
"""Of one answer or WebSocket message of the daemon. Its largest, a list of messages, is far below."""

CLIENT_EVENT_BYTES = 4 * 1024 * 1024
"""Of one line of a stream of events: a message of 1 MiB in base64 and JSON escapes fits."""

DAEMON_START_SECONDS = 20.0
"""A daemon answers within this time of its start, even on a busy machine. Tor comes later."""

CLIENT_WAIT_SECONDS = 60.0
"""How long one request waits for a state; then it is sent again."""

CLIENT_ACKNOWLEDGED = 256
"""Messages that one request says are done."""

CLIENT_WINDOW = 64
"""Messages that a subscription is given before it says that some are done."""

CLIENT_STREAM_PIECE_BYTES = 256 * 1024
"""Bytes of a stream in one WebSocket message: few messages, and none is long in the way of another."""

CLIENT_UNKNOWN_MESSAGES = 4 * 256
"""Messages that a subscription remembers to be done although the daemon did not know them: after a restart
there are at most as many as a window holds, so this is enough for four in a row."""
