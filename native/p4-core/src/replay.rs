//! Replay protection, one window per sender.

use std::collections::BTreeSet;

use crate::envelope::MAX_SKEW_MS;
use crate::{Code, Error};

/// Which envelopes of one sender were accepted. Store it before acting on an envelope.
///
/// Whatever was accepted once is refused for ever: its nonce is among the entries, or its time is not above the
/// floor. The floor only rises, and only to times of envelopes that were accepted, never to a time that our own
/// clock gave: a clock that was wrong for a day cannot shut a contact out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayWindow {
    floor_ms: u64,
    entries: BTreeSet<(u64, [u8; 16])>,
    capacity: usize,
}

impl Default for ReplayWindow {
    fn default() -> Self {
        Self::new(Self::CAPACITY)
    }
}

impl ReplayWindow {
    /// How many entries are kept by default.
    pub const CAPACITY: usize = 4096;

    /// The window of a sender from whom nothing was accepted yet.
    #[must_use]
    pub const fn new(capacity: usize) -> Self {
        Self { floor_ms: 0, entries: BTreeSet::new(), capacity }
    }

    /// The window that was stored: its floor and its entries (time and nonce), in any order.
    #[must_use]
    pub fn restore(
        floor_ms: u64,
        entries: impl IntoIterator<Item = (u64, [u8; 16])>,
        capacity: usize,
    ) -> Self {
        let entries = entries.into_iter().filter(|(when, _)| *when > floor_ms).collect();
        let mut window = Self { floor_ms, entries, capacity };
        window.evict();
        window
    }

    /// Accepts an envelope, in whatever order envelopes arrive. `timestamp_ms` is the envelope's own time.
    ///
    /// # Errors
    /// `replayed`: accepted before, or too old to tell. The window is unchanged.
    pub fn accept(&mut self, nonce: [u8; 16], timestamp_ms: u64) -> Result<(), Error> {
        if timestamp_ms <= self.floor_ms {
            return Err(Error::new(Code::Replayed, "The envelope is older than what we remember."));
        }
        if self.entries.iter().any(|(_, known)| *known == nonce) {
            return Err(Error::new(Code::Replayed, "The envelope was received before."));
        }
        self.entries.insert((timestamp_ms, nonce));
        self.evict();
        Ok(())
    }

    /// Forgets entries that are too old to be accepted by time anyway. `now_ms` is Unix time.
    pub fn prune(&mut self, now_ms: u64) {
        let oldest_ms = now_ms.saturating_sub(MAX_SKEW_MS);
        while self.entries.first().is_some_and(|(when, _)| *when < oldest_ms) {
            self.forget_first();
        }
    }

    /// Nothing that is not newer than this is accepted.
    #[must_use]
    pub const fn floor_ms(&self) -> u64 {
        self.floor_ms
    }

    /// Times and nonces of accepted envelopes above the floor, oldest first.
    #[must_use]
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = &(u64, [u8; 16])> + ExactSizeIterator {
        self.entries.iter()
    }

    fn evict(&mut self) {
        while self.entries.len() > self.capacity {
            self.forget_first();
        }
    }

    /// With the oldest go all of the same time: the floor hides them.
    fn forget_first(&mut self) {
        if let Some((when, _)) = self.entries.pop_first() {
            self.floor_ms = when;
        }
        while self.entries.first().is_some_and(|(when, _)| *when <= self.floor_ms) {
            self.entries.pop_first();
        }
    }
}
