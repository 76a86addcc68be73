//! Byte streams with contacts, which outlive links, restarts and this program (spec/daemon-api, "Streams").

mod driver;
mod state;

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use serde_json::{Value as Json, json};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::AbortHandle;

use self::driver::Opened;
use self::state::{Shared, State};
use crate::connection::Connection;
use crate::error::{Error, ErrorKind, Result};
use crate::limits;
use crate::records::ContactName;
use crate::value::{quoted, with_query};

/// A byte stream with a contact: tokio's [`AsyncRead`] and [`AsyncWrite`].
///
/// It goes on by itself when the link breaks and when either daemon restarts: no byte is lost or comes twice. A
/// program that restarts opens it again under the same service and name, or waits for it again, and goes on
/// writing at [`written`](Stream::written) and reading at [`position`](Stream::position).
///
/// What is read counts as consumed, and does not come again to the next run of the program; a program that has to
/// bring it to its own disk first says so itself: [`consume_explicitly`](Stream::consume_explicitly).
///
/// - `flush` waits until everything written is with the daemon, and so arrives whatever becomes of this program;
///   [`sync`](Stream::sync) also until it is safe from a power failure.
/// - `shutdown` ends this direction. A stream is over when both have ended and everything is consumed:
///   [`finished`](Stream::finished).
/// - Dropping it lets go of it without ending it; what was not flushed may be lost then.
pub struct Stream {
    shared: Arc<Shared>,
    running: AbortHandle,
    id: String,
    contact: ContactName,
    service: String,
    name: String,
}

impl Stream {
    pub(crate) async fn open(
        connection: &Arc<Connection>,
        contact: &str,
        service: &str,
        name: &str,
    ) -> Result<Self> {
        let path = format!("{contact}/streams/{}", quoted(service)?);
        let opened = driver::open_patiently(connection, &with_query(&path, &[("name", name)])).await?;
        let again = |stream: &Self| {
            let contact = quoted(&stream.contact.id)?;
            let path = format!("/v1/contacts/{contact}/streams/{}", quoted(&stream.service)?);
            Ok(with_query(&path, &[("name", &stream.name), ("id", &stream.id)]))
        };
        Self::start(connection, opened, again)
    }

    pub(crate) async fn incoming(connection: &Arc<Connection>, service: &str, contact: &str) -> Result<Self> {
        let path = with_query(&format!("/v1/streams/{}", quoted(service)?), &[("contact", contact)]);
        let opened = driver::open_patiently(connection, &path).await?;
        let again = |stream: &Self| {
            let path = format!("/v1/streams/{}", quoted(&stream.service)?);
            Ok(with_query(&path, &[("contact", &stream.contact.id), ("id", &stream.id)]))
        };
        Self::start(connection, opened, again)
    }

    fn start(
        connection: &Arc<Connection>,
        opened: Opened,
        again: impl FnOnce(&Self) -> Result<String>,
    ) -> Result<Self> {
        let word: &Json = &opened.2;
        let text = |name: &str| word[name].as_str().unwrap_or_default().to_owned();
        let shared = Arc::new(Shared::default());
        shared.change(|state| state.adopt(word, true))?;
        let mut stream = Self {
            id: text("id"),
            contact: serde_json::from_value(word["contact"].clone()).map_err(Error::not_understood)?,
            service: text("service"),
            name: text("name"),
            running: tokio::spawn(std::future::ready(())).abort_handle(),
            shared: Arc::clone(&shared),
        };
        let path = again(&stream)?;
        let driving = driver::drive(Arc::clone(connection), path, shared, opened);
        stream.running = tokio::spawn(driving).abort_handle();
        Ok(stream)
    }

    /// Names the stream among those with this contact.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// With whom.
    #[must_use]
    pub fn contact(&self) -> &ContactName {
        &self.contact
    }

    /// To which service.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.service
    }

    /// As it was opened; may be empty.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Offset of the next byte that is read, from the stream's beginning.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.shared.state().position
    }

    /// Bytes of ours that this stream has accepted, in this and earlier runs: go on here.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.shared.state().written
    }

    /// Bytes of ours that the contact's program has consumed.
    #[must_use]
    pub fn confirmed(&self) -> u64 {
        self.shared.state().confirmed
    }

    /// From now on only what [`consumed`](Stream::consumed) says counts as consumed; the rest comes again to the
    /// next run of this program. At most 4 MiB come ahead of that.
    pub fn consume_explicitly(&self) {
        self.shared.change(|state| state.explicit = true);
    }

    /// The program has done with everything before this offset, and, if it has read the end, with that.
    pub fn consumed(&self, offset: u64) {
        self.want(|state| {
            state.consumed = offset.clamp(state.consumed, state.position.max(state.consumed));
            state.knows_end |= state.read_end && state.consumed == state.received;
        });
    }

    /// Waits until everything written is safe from a power failure here.
    pub async fn sync(&self) -> Result<()> {
        let mut wanted = 0;
        self.want(|state| {
            state.syncs_wanted += 1;
            wanted = state.syncs_wanted;
        });
        self.shared.until(|state| state.syncs_done >= wanted || state.done).await
    }

    /// Waits until the contact's program has consumed our bytes before an offset.
    pub async fn wait_confirmed(&self, through: u64) -> Result<()> {
        self.shared.until(|state| state.confirmed >= through || (state.done && state.leaving.is_none())).await
    }

    /// Waits until the stream is over: both directions have ended and are consumed, there and here.
    ///
    /// The contact's end counts as known by this if everything before it was read.
    pub async fn finished(&self) -> Result<()> {
        let ended = |state: &mut State| state.done || state.ended && state.incoming.is_empty();
        self.shared.until(ended).await?;
        self.want(|state| {
            state.read_end = true;
            if !state.explicit || state.consumed == state.received {
                (state.consumed, state.knows_end) = (state.received, true);
            }
        });
        self.shared.until(|state| state.done).await
    }

    /// Leaves the stream well: nothing more is read or written; what was written still arrives.
    pub async fn close(self) -> Result<()> {
        self.shared.until(|state| state.stored >= state.written || state.done).await?;
        self.leave(json!({"type": "close"})).await
    }

    /// Ends both directions at once; the contact's program gets an error with the reason.
    pub async fn reset(self, reason: &str) -> Result<()> {
        self.leave(json!({"type": "reset", "reason": reason})).await
    }

    async fn leave(&self, word: Json) -> Result<()> {
        self.want(|state| state.leaving = Some(word));
        self.shared.until(|state| state.done).await
    }

    fn want(&self, change: impl FnOnce(&mut State)) {
        self.shared.change(change);
        self.shared.wanted.notify_one();
    }

    /// Ready when something is so, otherwise wakes the task that writes when something changes.
    fn poll_until(&self, context: &mut Context<'_>, so: impl FnOnce(&State) -> bool) -> Poll<io::Result<()>> {
        let mut state = self.shared.state();
        if state.done || so(&state) {
            return Poll::Ready(Ok(()));
        }
        if let Some(error) = &state.error {
            return Poll::Ready(Err(error.clone().into()));
        }
        state.writer = Some(context.waker().clone());
        Poll::Pending
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.shared.state();
        if let Some(piece) = state.incoming.front_mut() {
            let part = piece.split_to(piece.len().min(buffer.remaining()));
            buffer.put_slice(&part);
            if piece.is_empty() {
                state.incoming.pop_front();
            }
            state.position += part.len() as u64;
        } else if state.ended {
            state.read_end = true;
            state.knows_end |= !state.explicit;
        } else if let Some(error) = &state.error {
            return Poll::Ready(Err(error.clone().into()));
        } else {
            state.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        if !state.explicit {
            state.consumed = state.position;
        }
        drop(state);
        self.shared.wanted.notify_one();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let mut state = self.shared.state();
        if let Some(error) = &state.error {
            return Poll::Ready(Err(error.clone().into()));
        }
        if state.writing_ended || state.done {
            let text = "Writing to this stream has ended. Nothing was sent.";
            return Poll::Ready(Err(Error::new(ErrorKind::Stream, "ended", text).into()));
        }
        let room = limits::STREAM_WAITING_BYTES.saturating_sub(state.outgoing.len());
        if room == 0 {
            state.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        let accepted = &data[..data.len().min(room)];
        state.outgoing.extend(accepted);
        state.written += accepted.len() as u64;
        drop(state);
        self.shared.wanted.notify_one();
        Poll::Ready(Ok(accepted.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_until(context, |state| state.stored >= state.written)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.shared.state().writing_ended {
            self.want(|state| state.writing_ended = true);
        }
        self.poll_until(context, |state| state.stored >= state.written && state.told.end)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.running.abort();
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Stream({} to {:?} with {:?})", self.id, self.service, self.contact.label())
    }
}
