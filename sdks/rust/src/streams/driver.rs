//! The task that carries a stream over one socket after the other.

use std::sync::Arc;

use serde_json::Value as Json;
use tokio::time::sleep;

use super::state::{Shared, State, Word};
use crate::connection::Connection;
use crate::error::{Error, ErrorKind, Result};
use crate::limits;
use crate::socket::{self, Arrived, Receiver, Sender};

/// Close code: another connection uses the stream now.
const TAKEN_OVER: u16 = 4001;

/// A socket, and the `open` that it began with.
pub(super) type Opened = (Sender, Receiver, Json);

/// How one socket ended.
enum End {
    /// The stream is over.
    Done,
    /// The daemon has gone, and the stream has not.
    Lost,
}

/// Opens a path of streams, and waits for the stream.
pub(super) async fn open(connection: &Connection, path: &str) -> Result<Opened> {
    let (sender, mut receiver) = socket::open(connection, path).await?;
    loop {
        match receiver.next().await? {
            Arrived::Json(word) if word["type"] == "open" => return Ok((sender, receiver, word)),
            Arrived::End(_) => return Err(Error::connection_lost()),
            _ => {}
        }
    }
}

/// As [`open`], also over restarts of the daemon: opening the same twice gives the same.
pub(super) async fn open_patiently(connection: &Connection, path: &str) -> Result<Opened> {
    loop {
        match open(connection, path).await {
            Err(error) if error.code() == "connection-lost" => sleep(limits::FIRST_PAUSE).await,
            outcome => return outcome,
        }
    }
}

/// Carries the stream, which has adopted its first socket, until it is over or has failed. `path` gives this stream, and begins no other.
pub(super) async fn drive(
    connection: Arc<Connection>,
    path: String,
    shared: Arc<Shared>,
    (mut sender, mut receiver, _): Opened,
) {
    loop {
        match carry(&shared, &mut sender, &mut receiver).await {
            Ok(End::Lost) => {}
            Ok(End::Done) => {
                sender.close().await;
                return shared.change(over);
            }
            Err(error) => return shared.change(|state| state.error = Some(error)),
        }
        sleep(limits::FIRST_PAUSE).await;
        match open_patiently(&connection, &path).await {
            Ok(next) => {
                let opened;
                (sender, receiver, opened) = next;
                if let Err(error) = shared.change(|state| state.adopt(&opened, false)) {
                    return shared.change(|state| state.error = Some(error));
                }
            }
            Err(error) => {
                return shared.change(|state| {
                    let left = state.leaving.is_some() || state.knows_end && state.writing_ended;
                    if error.code() == "over" && left { over(state) } else { state.error = Some(error) }
                });
            }
        }
    }
}

fn over(state: &mut State) {
    (state.ended, state.done) = (true, true);
    if state.leaving.is_none() {
        state.take_stored(state.written);
    }
}

async fn carry(shared: &Shared, sender: &mut Sender, receiver: &mut Receiver) -> Result<End> {
    let reading = async {
        loop {
            match receiver.next().await? {
                Arrived::Bytes(data) => {
                    shared.change(|state| state.take_bytes(data));
                    // More may be said of what is consumed.
                    shared.wanted.notify_one();
                }
                Arrived::Json(word) => {
                    shared.change(|state| {
                        state.confirmed = state.confirmed.max(word["confirmed"].as_u64().unwrap_or_default());
                        state.take_stored(word["written"].as_u64().unwrap_or_default());
                        match word["type"].as_str() {
                            Some("flushed") => state.synced(),
                            Some("end") => (state.ended, state.told.end_arrived) = (true, true),
                            _ => {}
                        }
                    });
                    shared.wanted.notify_one();
                    if word["type"] == "done" {
                        return Ok(End::Done);
                    }
                }
                Arrived::End(Some(TAKEN_OVER)) => {
                    let text = "Another connection uses this stream now.";
                    return Err(Error::new(ErrorKind::Stream, "taken-over", text));
                }
                Arrived::End(_) => return Ok(End::Lost),
            }
        }
    };
    let writing = async {
        loop {
            let word = shared.change(State::next_word);
            let sent = match word {
                Some(Word::Json(word)) => sender.json(&word).await,
                Some(Word::Bytes(data)) => sender.bytes(data).await,
                None => {
                    shared.wanted.notified().await;
                    Ok(())
                }
            };
            if sent.is_err() {
                return std::future::pending::<()>().await; // reading learns why
            }
        }
    };
    tokio::select! {
        ended = reading => ended,
        () = writing => Ok(End::Lost),
    }
}
