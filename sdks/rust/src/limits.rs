//! How long programs wait for the daemon, and how much they take from it.

use std::time::Duration;

/// A daemon that is restarted is back within this time; a request waits for it that long.
pub(crate) const RESTART: Duration = Duration::from_secs(20);
/// Between the first two attempts to reach a daemon that is away. Doubles each time.
pub(crate) const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// Between two attempts, at most.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// One attempt of a request that has no deadline of its own.
pub(crate) const ANSWER: Duration = Duration::from_secs(60);
/// How long one request waits for a state; then it is sent again.
pub(crate) const WAIT: Duration = Duration::from_secs(60);
/// A daemon that lives says something on every stream of events within this time (it does each 20 s).
pub(crate) const SILENCE: Duration = Duration::from_secs(60);
/// The daemon keeps idle connections for 65 s; ones that are older than this are not used again.
pub(crate) const IDLE: Duration = Duration::from_secs(30);
/// Idle connections that are kept.
pub(crate) const IDLE_CONNECTIONS: usize = 32;
/// One answer of the daemon. Its largest, a list of messages, is far below.
pub(crate) const ANSWER_BYTES: usize = 64 * 1024 * 1024;
/// One line of a stream of events: a message of 1 MiB in base64 and JSON escapes fits.
pub(crate) const EVENT_BYTES: usize = 8 * 1024 * 1024;
/// Messages that one request hands over; the daemon takes 1000.
pub(crate) const SENT_TOGETHER: usize = 500;
/// Bytes of their values, but for one alone; the daemon takes 2 MiB.
pub(crate) const SENT_TOGETHER_BYTES: usize = 1_000_000;
/// Messages that one request says are done.
pub(crate) const ACKNOWLEDGED: usize = 256;
/// The most messages that the daemon hands out before some are done.
pub(crate) const LARGEST_WINDOW: u16 = 256;
/// Messages that a subscription is given before it says that some are done.
pub(crate) const WINDOW: u16 = 64;
/// Messages that a subscription remembers to be done although the daemon did not know them: after a restart
/// there are at most as many as a window holds, so this is enough for four in a row.
pub(crate) const UNKNOWN_MESSAGES: usize = 4 * 256;
/// Bytes of a stream in one WebSocket message.
pub(crate) const STREAM_PIECE_BYTES: usize = 256 * 1024;
/// Bytes of a stream that wait here until the daemon has them; then writing waits.
pub(crate) const STREAM_WAITING_BYTES: usize = 4 * 1024 * 1024;
/// Datagrams that wait for a slow reader, or for the daemon; beyond it the oldest are lost.
pub(crate) const WAITING_DATAGRAMS: usize = 1024;
/// What a call has if its caller says nothing else.
pub(crate) const CALL: Duration = Duration::from_secs(30);
