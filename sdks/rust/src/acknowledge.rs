//! Which messages the program has, which it has done, and what of that the daemon knows.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value as Json, json};
use tokio::sync::{Notify, oneshot};

use crate::connection::{Ask, Connection};
use crate::error::{Error, Result};
use crate::limits;
use crate::value::record;

/// Contact id and message id: together they name a message for ever.
type Key = (String, String);

/// Whether the program is to be given a message that arrives.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    New,
    Before,
}

#[derive(Default)]
struct Books {
    /// Given to the program, and not yet known to be done by the daemon.
    handed_out: HashSet<Key>,
    /// Done by the program, and not yet known to be so by the daemon; and who waits for that.
    done: HashMap<Key, Vec<oneshot::Sender<Result<()>>>>,
    /// Of these, those that are still to be told; in order.
    untold: VecDeque<Key>,
    /// Done, and not known to the daemon when it was told: it had either noted that before, or has restarted
    /// and not handed them out again yet. The oldest go.
    unknown: (BTreeSet<Key>, VecDeque<Key>),
    telling: bool,
    left: bool,
    ended: bool,
}

impl Books {
    fn say(&mut self, key: &Key) {
        if !self.untold.contains(key) {
            self.untold.push_back(key.clone());
        }
    }

    fn remember_unknown(&mut self, key: Key) {
        if self.unknown.0.insert(key.clone()) {
            self.unknown.1.push_back(key);
        }
        while self.unknown.1.len() > limits::UNKNOWN_MESSAGES {
            if let Some(oldest) = self.unknown.1.pop_front() {
                self.unknown.0.remove(&oldest);
            }
        }
    }

    fn take_unknown(&mut self, key: &Key) -> bool {
        let known = self.unknown.0.remove(key);
        if known {
            self.unknown.1.retain(|other| other != key);
        }
        known
    }

    fn settle(&mut self, key: &Key) {
        for waiter in self.done.remove(key).into_iter().flatten() {
            let _ = waiter.send(Ok(())); // nobody need wait
        }
        self.handed_out.remove(key);
    }

    /// It stays among those that are done: if it comes again, the daemon is told again.
    fn fail(&mut self, key: &Key, error: &Error) {
        for waiter in self.done.get_mut(key).into_iter().flat_map(std::mem::take) {
            let text = format!(
                "That the message is done could not be noted: it comes again to the next subscription. {error}"
            );
            let _ = waiter.send(Err(Error::new(error.kind(), error.code(), text)));
        }
    }
}

/// The books of one subscription. A task of its own tells the daemon.
pub(crate) struct Ledger {
    books: Mutex<Books>,
    changed: Notify,
    told: Notify,
}

impl Ledger {
    pub(crate) fn start(connection: Arc<Connection>, path: String) -> Arc<Self> {
        let ledger = Arc::new(Self { books: Mutex::default(), changed: Notify::new(), told: Notify::new() });
        tokio::spawn(Arc::clone(&ledger).tell(connection, path));
        ledger
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The daemon has handed out a message.
    pub(crate) fn arrived(&self, contact: &str, id: &str) -> Seen {
        let key = (contact.to_owned(), id.to_owned());
        let mut books = self.books();
        let done = books.take_unknown(&key);
        if done {
            books.done.entry(key.clone()).or_default();
        }
        if done || books.done.contains_key(&key) {
            // The daemon restarted before it had noted it.
            books.handed_out.insert(key.clone());
            books.say(&key);
            self.changed.notify_one();
            return Seen::Before;
        }
        // Otherwise the program has it, and will say when it is done.
        if books.handed_out.insert(key) { Seen::New } else { Seen::Before }
    }

    /// The program has dealt with a message.
    pub(crate) fn done(&self, contact: String, id: String) -> oneshot::Receiver<Result<()>> {
        let (sender, receiver) = oneshot::channel();
        let key = (contact, id);
        let mut books = self.books();
        if !books.handed_out.contains(&key) {
            let _ = sender.send(Ok(())); // the daemon knows already
        } else if books.ended {
            let _ = sender.send(Err(Error::closed()));
        } else {
            books.done.entry(key.clone()).or_default().push(sender);
            books.say(&key);
            self.changed.notify_one();
        }
        receiver
    }

    /// The subscription is left: what is done is still told, and then nothing more.
    pub(crate) fn leave(&self) {
        self.books().left = true;
        self.changed.notify_one();
    }

    /// Waits until everything that is done has been told. Fails if it could not be.
    pub(crate) async fn settled(&self) -> Result<()> {
        loop {
            let told = self.told.notified();
            {
                let books = self.books();
                if books.untold.is_empty() && !books.telling {
                    return if books.done.is_empty() { Ok(()) } else { Err(Error::connection_lost()) };
                }
            }
            told.await;
        }
    }

    async fn tell(self: Arc<Self>, connection: Arc<Connection>, path: String) {
        loop {
            let (keys, ended): (Vec<Key>, bool) = {
                let mut books = self.books();
                let count = books.untold.len().min(limits::ACKNOWLEDGED);
                books.telling = count > 0;
                books.ended = books.left && count == 0;
                (books.untold.drain(..count).collect(), books.ended)
            };
            if keys.is_empty() {
                self.told.notify_waiters();
                if ended {
                    return;
                }
                self.changed.notified().await;
                continue;
            }
            let entries: Vec<Json> =
                keys.iter().map(|(contact, id)| json!({"contact": contact, "id": id})).collect();
            let ask = Ask::post(&path, json!({"messages": entries})).repeatable(true);
            let answer = match connection.request(ask).await {
                Ok(data) => record::<Json>(&data),
                Err(error) => Err(error),
            };
            let mut books = self.books();
            match answer {
                Ok(answer) => {
                    for entry in answer["unknown"].as_array().into_iter().flatten() {
                        if let (Some(contact), Some(id)) = (entry["contact"].as_str(), entry["id"].as_str()) {
                            let key = (contact.into(), id.into());
                            if !books.untold.contains(&key) {
                                books.remember_unknown(key);
                            }
                        }
                    }
                    // What came again meanwhile may have been told before it was handed out: it is told once more.
                    for key in
                        keys.iter().filter(|key| !books.untold.contains(key)).cloned().collect::<Vec<_>>()
                    {
                        books.settle(&key);
                    }
                }
                Err(error) => {
                    for key in &keys {
                        books.fail(key, &error);
                    }
                }
            }
        }
    }
}
