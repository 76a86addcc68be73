//! Server-sent events (WHATWG HTML, section 9.2.6), as far as the daemon uses them.

use std::collections::VecDeque;
use std::sync::Arc;

use http_body_util::BodyExt;
use tokio::time::{sleep, timeout};

use crate::connection::Connection;
use crate::error::Result;
use crate::limits;
use crate::transport::Answer;

/// One event: its `event` field (`message` if it has none) and its `data` lines.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ServerSentEvent {
    pub(crate) kind: String,
    pub(crate) data: String,
}

/// Makes events of the bytes of a body. An event that the end cuts off is dropped, as the standard says.
#[derive(Default)]
pub(crate) struct Parser {
    line: Vec<u8>,
    kind: String,
    data: Option<String>,
    ready: VecDeque<ServerSentEvent>,
}

impl Parser {
    /// Takes what arrived. False if a line has become too long to be one of the daemon's.
    pub(crate) fn push(&mut self, mut bytes: &[u8]) -> bool {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.line.extend_from_slice(&bytes[..end]);
            bytes = &bytes[end + 1..];
            let line = std::mem::take(&mut self.line);
            self.take_line(String::from_utf8_lossy(&line).trim_end_matches('\r'));
        }
        self.line.extend_from_slice(bytes);
        self.line.len() <= limits::EVENT_BYTES
    }

    pub(crate) fn next(&mut self) -> Option<ServerSentEvent> {
        self.ready.pop_front()
    }

    fn take_line(&mut self, line: &str) {
        if line.is_empty() {
            let kind = std::mem::take(&mut self.kind);
            if let Some(data) = self.data.take() {
                let kind = if kind.is_empty() { "message".into() } else { kind };
                self.ready.push_back(ServerSentEvent { kind, data });
            }
            return;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match (field, &mut self.data) {
            ("data", Some(data)) => {
                data.push('\n');
                data.push_str(value);
            }
            ("data", None) => self.data = Some(value.into()),
            ("event", _) => self.kind = value.into(),
            _ => {}
        }
    }
}

/// The events of a path, across restarts of the daemon.
pub(crate) struct EventSource {
    connection: Arc<Connection>,
    path: String,
    body: Option<(Answer, Parser)>,
    begun: bool,
}

/// What comes out of an [`EventSource`].
pub(crate) enum Told {
    /// The stream begins here (again): events may have been missed before.
    Opened,
    Event(ServerSentEvent),
}

impl EventSource {
    pub(crate) fn new(connection: Arc<Connection>, path: String) -> Self {
        Self { connection, path, body: None, begun: false }
    }

    /// The next event. Fails if the daemon refuses, or is gone and does not come back in time.
    pub(crate) async fn next(&mut self) -> Result<Told> {
        loop {
            let Some((answer, parser)) = &mut self.body else {
                if self.begun {
                    sleep(limits::FIRST_PAUSE).await;
                }
                let answer = self.connection.open_events(&self.path).await?;
                self.body = Some((answer, Parser::default()));
                self.begun = true;
                return Ok(Told::Opened);
            };
            if let Some(event) = parser.next() {
                return Ok(Told::Event(event));
            }
            // A daemon that lives says something now and then.
            let goes_on = match timeout(limits::SILENCE, answer.response.body_mut().frame()).await {
                Ok(Some(Ok(frame))) => frame.data_ref().is_none_or(|data| parser.push(data)),
                _ => false,
            };
            if !goes_on {
                self.body = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_in_any_pieces() {
        let text =
            b": hello\n\nevent: message\r\ndata: {\"a\":\r\ndata: 1}\n\ndata:x\n\nevent: cut\ndata: off\n";
        for size in 1..text.len() {
            let mut parser = Parser::default();
            for piece in text.chunks(size) {
                assert!(parser.push(piece));
            }
            let event =
                |kind: &str, data: &str| Some(ServerSentEvent { kind: kind.into(), data: data.into() });
            assert_eq!(parser.next(), event("message", "{\"a\":\n1}"));
            assert_eq!(parser.next(), event("message", "x"));
            assert_eq!(parser.next(), None);
        }
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let mut parser = Parser::default();
        assert!(!parser.push(&vec![b'x'; limits::EVENT_BYTES + 1]));
    }
}
