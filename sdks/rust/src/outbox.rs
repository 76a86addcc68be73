//! Messages on their way to the daemon.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::connection::{Ask, Connection};
use crate::error::{Error, Result};
use crate::limits;
use crate::receipts::Entry;
use crate::value::{Value, member, record};

/// Statuses of a refusal that may be the fault of one message among many. Nothing of a request was accepted.
const REFUSED: [u16; 5] = [400, 409, 413, 422, 507];

/// Path of a contact's messages, and a service.
type Line = (String, String);

struct Parcel {
    /// The member `value` or `base64`, as JSON without the braces around it.
    value: String,
    /// Other members of its request; messages with the same go together.
    members: String,
    alone: bool,
    receipt: oneshot::Sender<Result<Entry>>,
}

/// Those of one contact and service go in their order, one request at a time: what is handed over while one is
/// under way goes together in the next, with one write to disk for all of it.
#[derive(Default)]
pub(crate) struct Outbox {
    /// What waits behind a request that is under way; absent where there is none.
    lines: Mutex<HashMap<Line, VecDeque<Parcel>>>,
}

impl Outbox {
    fn lines(&self) -> MutexGuard<'_, HashMap<Line, VecDeque<Parcel>>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nobody carries this line, so that the caller has to begin it.
    fn join(&self, line: &Line, parcel: Parcel) -> bool {
        let mut lines = self.lines();
        let idle = !lines.contains_key(line);
        lines.entry(line.clone()).or_default().push_back(parcel);
        idle
    }

    /// The next ones that go together; none ends the line.
    fn take(&self, line: &Line) -> Vec<Parcel> {
        let mut lines = self.lines();
        let mut together: Vec<Parcel> = Vec::new();
        let Some(waiting) = lines.get_mut(line) else { return together };
        waiting.retain(|parcel| !parcel.receipt.is_closed()); // nobody waits for these any more: not sent
        let mut bytes = 0;
        while let Some(next) = waiting.front() {
            bytes += next.value.len();
            let fits = together.first().is_none_or(|first| {
                let room = together.len() < limits::SENT_TOGETHER && bytes <= limits::SENT_TOGETHER_BYTES;
                room && !first.alone && !next.alone && first.members == next.members
            });
            if !fits {
                break;
            }
            together.extend(waiting.pop_front());
        }
        if together.is_empty() {
            lines.remove(line);
        }
        together
    }
}

/// Hands over a message; gives its receipt when it is on the daemon's disk.
pub(crate) async fn send(
    connection: &Arc<Connection>,
    path: String,
    service: &str,
    value: Value,
    members: String,
    alone: bool,
) -> Result<Entry> {
    let value = value.encoded().to_string();
    let value = value[1..value.len() - 1].to_owned();
    let (sender, receiver) = oneshot::channel();
    let parcel = Parcel { value, members, alone, receipt: sender };
    let line = (path, service.to_owned());
    if connection.outbox.join(&line, parcel) {
        tokio::spawn(Carrier { connection: Arc::clone(connection), line, ended: false }.run());
    }
    receiver.await.unwrap_or_else(|_| Err(Error::closed()))
}

/// Works on one line, to its end.
struct Carrier {
    connection: Arc<Connection>,
    line: Line,
    ended: bool,
}

impl Drop for Carrier {
    fn drop(&mut self) {
        if !self.ended {
            // The runtime ends: whoever waits is told so, and nobody joins a line without a carrier.
            self.connection.outbox.lines().remove(&self.line);
        }
    }
}

impl Carrier {
    async fn run(mut self) {
        loop {
            let together = self.connection.outbox.take(&self.line);
            if together.is_empty() {
                self.ended = true;
                return;
            }
            let problem = self.hand(together).await;
            let Some(error) = problem.filter(|error| error.code() == "no-daemon") else { continue };
            // Who waited behind these has waited for the daemon, too.
            if let Some(waiting) = self.connection.outbox.lines().get_mut(&self.line) {
                tell(waiting.drain(..), &error);
            }
        }
    }

    /// Hands over some that go together; gives the error if there was one at last. Everybody is told.
    async fn hand(&self, together: Vec<Parcel>) -> Option<Error> {
        let mut groups = vec![together];
        let mut last = None;
        while let Some(mut group) = groups.pop() {
            match self.ask(&group).await {
                Ok(entries) => {
                    for (parcel, entry) in group.into_iter().zip(entries) {
                        let _ = parcel.receipt.send(Ok(entry)); // nobody need wait
                    }
                    last = None;
                }
                // All or none: one of them may be the reason, and the others are not to suffer from it.
                Err(error) if group.len() > 1 && error.status().is_some_and(|one| REFUSED.contains(&one)) => {
                    let rest = group.split_off(group.len() / 2);
                    groups.extend([rest, group]);
                }
                Err(error) => {
                    tell(group, &error);
                    last = Some(error);
                }
            }
        }
        last
    }

    async fn ask(&self, together: &[Parcel]) -> Result<Vec<Entry>> {
        let (path, service) = &self.line;
        let service = serde_json::Value::from(service.as_str());
        let members = &together[0].members;
        if let [alone] = together {
            let body = format!("{{\"service\":{service}{members},{}}}", alone.value);
            let ask = Ask::new(hyper::Method::POST, path.as_str()).text(body);
            return Ok(vec![record(&self.connection.request(ask).await?)?]);
        }
        let values: Vec<String> = together.iter().map(|parcel| format!("{{{}}}", parcel.value)).collect();
        let body = format!("{{\"service\":{service}{members},\"values\":[{}]}}", values.join(","));
        let ask = Ask::new(hyper::Method::POST, format!("{path}/batch")).text(body);
        let entries: Vec<Entry> = member(&self.connection.request(ask).await?, "receipts")?;
        if entries.len() == together.len() {
            Ok(entries)
        } else {
            Err(Error::not_understood("there are not as many receipts as messages"))
        }
    }
}

fn tell(parcels: impl IntoIterator<Item = Parcel>, error: &Error) {
    for parcel in parcels {
        let _ = parcel.receipt.send(Err(error.clone())); // nobody need wait
    }
}
