//! Datagrams: now, or not at all (spec/daemon-api, "Datagrams").

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value as Json, json};
use tokio::sync::{Notify, mpsc};
use tokio::task::AbortHandle;
use tokio::time::sleep;

use crate::connection::Connection;
use crate::error::{Error, Result};
use crate::limits;
use crate::records::ContactName;
use crate::socket::{self, Arrived, Receiver, Sender};
use crate::value::quoted;

/// A datagram of a contact.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Datagram {
    /// Whose.
    pub contact: ContactName,
    /// What it carries.
    pub data: Bytes,
}

/// Datagrams of a service, from and to all contacts, also over restarts of the daemon; meanwhile they are lost.
///
/// A reader that is too slow loses the oldest ones.
pub struct Datagrams {
    shared: Arc<Shared>,
    sending: mpsc::Sender<Json>,
    running: AbortHandle,
}

#[derive(Default)]
struct Shared {
    state: Mutex<(VecDeque<Datagram>, Option<Error>)>,
    changed: Notify,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, (VecDeque<Datagram>, Option<Error>)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Datagrams {
    pub(crate) async fn open(connection: &Arc<Connection>, service: &str) -> Result<Self> {
        let path = format!("/v1/datagrams/{}", quoted(service)?);
        let mut socket = socket::open(connection, &path).await?;
        let shared = Arc::new(Shared::default());
        let (sending, mut waiting) = mpsc::channel(limits::WAITING_DATAGRAMS);
        let (connection, state) = (Arc::clone(connection), Arc::clone(&shared));
        let running = tokio::spawn(async move {
            let error = loop {
                if let Err(error) = carry(socket, &state, &mut waiting).await {
                    break error;
                }
                sleep(limits::FIRST_PAUSE).await;
                match socket::open(&connection, &path).await {
                    Ok(next) => socket = next,
                    Err(error) => break error,
                }
            };
            state.state().1 = Some(error);
            state.changed.notify_waiters();
        });
        Ok(Self { shared, sending, running: running.abort_handle() })
    }

    /// Sends one, at most 1100 bytes, to a contact by its name or id; it may be lost.
    ///
    /// Fails if an earlier one was refused, such as with `not-granted`: then these datagrams have ended.
    pub fn send(&self, contact: &str, data: &[u8]) -> Result<()> {
        if let Some(error) = &self.shared.state().1 {
            return Err(error.clone());
        }
        // One that cannot be sent now is lost: that is what datagrams are.
        let _ = self.sending.try_send(json!({"contact": contact, "base64": STANDARD.encode(data)}));
        Ok(())
    }

    /// The next one, after waiting for it. Fails as [`send`](Datagrams::send) when there are no more. Safe to
    /// cancel.
    pub async fn recv(&self) -> Result<Datagram> {
        loop {
            let changed = self.shared.changed.notified();
            {
                let mut state = self.shared.state();
                if let Some(datagram) = state.0.pop_front() {
                    return Ok(datagram);
                }
                if let Some(error) = &state.1 {
                    return Err(error.clone());
                }
            }
            changed.await;
        }
    }
}

impl Drop for Datagrams {
    fn drop(&mut self) {
        self.running.abort();
    }
}

/// Carries datagrams over one socket until that ends. Fails with what the daemon says.
async fn carry(
    (mut sender, mut receiver): (Sender, Receiver),
    shared: &Shared,
    queue: &mut mpsc::Receiver<Json>,
) -> Result<()> {
    // One after the other inside each direction; neither waits for the other.
    let reading = async {
        loop {
            match receiver.next().await? {
                Arrived::Json(mut word) => {
                    let contact = serde_json::from_value(word["contact"].take());
                    let data = STANDARD.decode(word["base64"].as_str().unwrap_or_default());
                    if let (Ok(contact), Ok(data)) = (contact, data) {
                        let mut state = shared.state();
                        if state.0.len() >= limits::WAITING_DATAGRAMS {
                            state.0.pop_front();
                        }
                        state.0.push_back(Datagram { contact, data: data.into() });
                        shared.changed.notify_waiters();
                    }
                }
                Arrived::Bytes(_) => {}
                Arrived::End(_) => return Ok::<(), Error>(()),
            }
        }
    };
    let writing = async {
        while let Some(datagram) = queue.recv().await {
            if sender.json(&datagram).await.is_err() {
                break;
            }
        }
        std::future::pending::<()>().await; // the other direction learns why
    };
    tokio::select! {
        ended = reading => ended,
        () = writing => Ok(()),
    }
}
