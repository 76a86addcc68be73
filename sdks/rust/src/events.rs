//! What happens in the daemon (spec/daemon-api, "Events").

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use serde_json::Value as Json;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::connection::Connection;
use crate::error::{Error, Result};
use crate::sse::{EventSource, Told};
use crate::value::with_query;

/// Kind of an event of this client's own: events come from here on, and may have been missed before. Look at how
/// things are whenever it comes.
pub const FEED_OPENED: &str = "feed.opened";

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Event {
    /// Such as `link.up`: a subject, a dot, what happened.
    pub kind: String,
    /// What it is about; its parts depend on the kind.
    pub data: Json,
}

/// What happens in the daemon from now on, over its restarts: a [`Stream`] that ends only with an error.
///
/// Besides the kinds that are wanted, `feed.missed` comes if this was read too slowly, and [`FEED_OPENED`] if it
/// is named, whenever events come from then on.
pub struct Events {
    arriving: mpsc::Receiver<Result<Event>>,
    reading: AbortHandle,
}

impl Events {
    pub(crate) fn new(connection: &Arc<Connection>, kinds: &[&str]) -> Self {
        let subjects: BTreeSet<&str> = kinds.iter().filter_map(|kind| kind.split('.').next()).collect();
        let subjects = subjects.into_iter().collect::<Vec<_>>().join(",");
        let source =
            EventSource::new(Arc::clone(connection), with_query("/v1/events", &[("types", &subjects)]));
        let wanted: BTreeSet<String> = kinds.iter().map(|kind| (*kind).to_owned()).collect();
        // Few: the daemon keeps what waits, and tells how many were missed.
        let (sender, arriving) = mpsc::channel(16);
        Self { arriving, reading: tokio::spawn(read(source, wanted, sender)).abort_handle() }
    }

    /// The next event, after waiting for it. None after an error. Safe to cancel.
    pub async fn next(&mut self) -> Option<Result<Event>> {
        self.arriving.recv().await
    }
}

impl Stream for Events {
    type Item = Result<Event>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.arriving.poll_recv(context)
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

async fn read(mut source: EventSource, wanted: BTreeSet<String>, sender: mpsc::Sender<Result<Event>>) {
    loop {
        let event = match source.next().await {
            Ok(Told::Opened) => Ok(Event { kind: FEED_OPENED.into(), data: Json::Null }),
            Ok(Told::Event(event)) => serde_json::from_str(&event.data)
                .map(|data| Event { kind: event.kind, data })
                .map_err(Error::not_understood),
            Err(error) => Err(error),
        };
        let last = event.is_err();
        let pass = event.as_ref().map_or(true, |event| match event.kind.as_str() {
            "feed.missed" => true,
            FEED_OPENED => wanted.contains(FEED_OPENED),
            kind => wanted.is_empty() || wanted.contains(kind),
        });
        if pass && (sender.send(event).await.is_err() || last) {
            return;
        }
    }
}
