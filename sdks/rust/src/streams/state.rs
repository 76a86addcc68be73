//! What both sides of a stream share: the program's handle, and the task that speaks with the daemon.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use bytes::Bytes;
use serde_json::Value as Json;
use tokio::sync::Notify;

use crate::error::{Error, ErrorKind, Result};
use crate::limits;

/// One stream, whatever socket carries it at the moment. Offsets count bytes from the stream's beginning.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent of each other")]
pub(super) struct State {
    /// Arrived, and not read by the program yet: up to `received`.
    pub(super) incoming: VecDeque<Bytes>,
    /// Of the next byte that the program reads.
    pub(super) position: u64,
    pub(super) received: u64,
    /// The program has done with everything before it.
    pub(super) consumed: u64,
    /// The contact has ended its direction; and the program has been told so; and has done with that.
    pub(super) ended: bool,
    pub(super) read_end: bool,
    pub(super) knows_end: bool,
    /// Whether the program says itself what it has consumed.
    pub(super) explicit: bool,

    /// Bytes of ours from `stored` to `written`.
    pub(super) outgoing: VecDeque<u8>,
    /// Ours that are with the daemon, and survive its end.
    pub(super) stored: u64,
    pub(super) written: u64,
    /// Ours that the contact's program has consumed.
    pub(super) confirmed: u64,
    pub(super) writing_ended: bool,
    /// How often everything was to be safe from a power failure, and has been.
    pub(super) syncs_wanted: u64,
    pub(super) syncs_done: u64,
    /// `close` or `reset`: the program leaves.
    pub(super) leaving: Option<Json>,

    /// Both directions have ended and are consumed.
    pub(super) done: bool,
    pub(super) error: Option<Error>,
    pub(super) reader: Option<Waker>,
    pub(super) writer: Option<Waker>,
    /// What this socket has been told, and has told.
    pub(super) told: Told,
}

#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent of each other")]
pub(super) struct Told {
    pub(super) sent: u64,
    /// Offset of the next byte that this socket brings, and whether it has brought the end: what is consumed
    /// beyond that is said when it has come again.
    arrived: u64,
    pub(super) end_arrived: bool,
    consumed: u64,
    knows_end: bool,
    pub(super) end: bool,
    syncs: u64,
    leaving: bool,
}

/// What is to be said next.
pub(super) enum Word {
    Json(Json),
    Bytes(Bytes),
}

impl State {
    /// A socket begins: from `written` on our bytes are sent (again), from `position` on the contact's come.
    pub(super) fn adopt(&mut self, opened: &Json, first: bool) -> Result<()> {
        let number = |name: &str| opened[name].as_u64().unwrap_or_default();
        let (written, position) = (number("written"), number("position"));
        if first {
            (self.stored, self.written) = (written, written);
            (self.position, self.received, self.consumed) = (position, position, position);
            self.writing_ended = opened["writing_ended"] == true;
        } else if written < self.stored || written > self.written || position > self.received {
            let text = "After a restart the daemon knows less of this stream than it had said, or another \
                        program used it meanwhile. Open it again and go on at its offsets.";
            return Err(Error::new(ErrorKind::Stream, "lost-place", text));
        }
        self.take_stored(written);
        self.confirmed = self.confirmed.max(number("confirmed"));
        self.told = Told { sent: written, arrived: position, consumed: position, ..Told::default() };
        self.told.end = opened["writing_ended"] == true;
        self.told.syncs = self.syncs_done;
        Ok(())
    }

    /// The daemon has our bytes up to here.
    pub(super) fn take_stored(&mut self, written: u64) {
        let more = written.min(self.written).saturating_sub(self.stored);
        self.outgoing.drain(..usize::try_from(more).unwrap_or(usize::MAX));
        self.stored += more;
    }

    /// Bytes of the contact; what came over an earlier socket is passed over.
    pub(super) fn take_bytes(&mut self, mut data: Bytes) {
        let known = self.received.saturating_sub(self.told.arrived);
        self.told.arrived += data.len() as u64;
        if let Ok(known) = usize::try_from(known) {
            if known < data.len() {
                self.received += (data.len() - known) as u64;
                self.incoming.push_back(data.split_off(known));
            }
        }
    }

    /// The next thing that this socket is to be told.
    pub(super) fn next_word(&mut self) -> Option<Word> {
        if self.told.leaving {
            return None;
        }
        if let Some(word) = &self.leaving {
            self.told.leaving = true;
            return Some(Word::Json(word.clone()));
        }
        let consumed = self.consumed.min(self.told.arrived);
        let knows_end = self.knows_end && self.told.end_arrived;
        if consumed > self.told.consumed || knows_end && !self.told.knows_end {
            (self.told.consumed, self.told.knows_end) = (consumed, knows_end);
            return Some(Word::Json(serde_json::json!({
                "type": "consumed", "offset": consumed, "knows_end": knows_end,
            })));
        }
        let start = usize::try_from(self.told.sent.saturating_sub(self.stored)).unwrap_or(usize::MAX);
        if start < self.outgoing.len() {
            let end = self.outgoing.len().min(start + limits::STREAM_PIECE_BYTES);
            let piece = slice(&self.outgoing, start, end);
            self.told.sent += piece.len() as u64;
            return Some(Word::Bytes(piece));
        }
        if self.syncs_wanted > self.told.syncs {
            self.told.syncs = self.syncs_wanted;
            return Some(Word::Json(serde_json::json!({"type": "flush"})));
        }
        if self.writing_ended && !self.told.end {
            self.told.end = true;
            return Some(Word::Json(serde_json::json!({"type": "end"})));
        }
        None
    }

    /// The daemon has answered what was told of syncs.
    pub(super) fn synced(&mut self) {
        self.syncs_done = self.told.syncs;
    }
}

/// A part of a ring as one piece.
fn slice(ring: &VecDeque<u8>, start: usize, end: usize) -> Bytes {
    let (front, back) = ring.as_slices();
    let cut = front.len();
    let mut piece = Vec::with_capacity(end - start);
    piece.extend_from_slice(&front[start.min(cut)..end.min(cut)]);
    piece.extend_from_slice(&back[start.saturating_sub(cut)..end.saturating_sub(cut)]);
    piece.into()
}

#[derive(Default)]
pub(super) struct Shared {
    state: Mutex<State>,
    /// The program wants something: for the task.
    pub(super) wanted: Notify,
    /// Something has changed: for the program.
    pub(super) changed: Notify,
}

impl Shared {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, and wakes everybody who waits for that.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state();
        let result = change(&mut state);
        let wakers = [state.reader.take(), state.writer.take()];
        drop(state);
        wakers.into_iter().flatten().for_each(Waker::wake);
        self.changed.notify_waiters();
        result
    }

    /// Waits until something is so. Fails with the stream's error if it never will be.
    pub(super) async fn until(&self, mut so: impl FnMut(&mut State) -> bool) -> Result<()> {
        loop {
            let changed = self.changed.notified();
            {
                let mut state = self.state();
                if so(&mut state) {
                    return Ok(());
                }
                if let Some(error) = &state.error {
                    return Err(error.clone());
                }
            }
            changed.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn bytes_of(word: Option<Word>) -> Vec<u8> {
        match word {
            Some(Word::Bytes(bytes)) => bytes.to_vec(),
            _ => panic!("bytes were expected"),
        }
    }

    #[test]
    fn what_the_daemon_does_not_have_is_sent_again() {
        let mut state = State::default();
        state.adopt(&json!({"written": 10, "position": 5}), true).unwrap();
        state.outgoing.extend(b"abcdef");
        state.written += 6;
        assert_eq!(bytes_of(state.next_word()), b"abcdef");
        assert!(state.next_word().is_none());
        state.adopt(&json!({"written": 13, "position": 5}), false).unwrap();
        assert_eq!(bytes_of(state.next_word()), b"def");
        state.take_stored(16);
        assert!(state.outgoing.is_empty());
        assert_eq!(
            state.adopt(&json!({"written": 12, "position": 5}), false).unwrap_err().code(),
            "lost-place"
        );
    }

    #[test]
    fn what_comes_again_is_passed_over_and_its_consumption_said_again() {
        let mut state = State::default();
        state.adopt(&json!({"written": 0, "position": 5}), true).unwrap();
        state.take_bytes(Bytes::from_static(b"abc"));
        state.consumed = 8;
        state.adopt(&json!({"written": 0, "position": 5}), false).unwrap();
        assert!(state.next_word().is_none(), "this socket has brought nothing yet");
        state.take_bytes(Bytes::from_static(b"ab"));
        assert!(matches!(state.next_word(), Some(Word::Json(word)) if word["offset"] == 7));
        state.take_bytes(Bytes::from_static(b"cde"));
        assert!(matches!(state.next_word(), Some(Word::Json(word)) if word["offset"] == 8));
        assert_eq!(state.incoming.iter().flatten().copied().collect::<Vec<_>>(), b"abcde");
        assert_eq!(state.received, 10);
    }

    #[test]
    fn a_ring_that_wraps() {
        let mut ring: VecDeque<u8> = VecDeque::with_capacity(8);
        ring.extend(0..8);
        ring.drain(..5);
        ring.extend(8..13);
        for start in 0..8 {
            for end in start..=8 {
                let wanted: Vec<u8> = ring.range(start..end).copied().collect();
                assert_eq!(slice(&ring, start, end), wanted);
            }
        }
    }
}
