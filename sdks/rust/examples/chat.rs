//! A small chat with one contact:
//!
//! ```text
//! cargo run --example chat -- CONTACT [STATE_DIRECTORY]
//! ```
//!
//! It shows the last lines of the history, then what is said from now on; each line that you type is sent. The
//! daemon may restart meanwhile.

use std::io::Write;
use std::process::ExitCode;

use p4_client::{ChatEntry, Client, ContactStatus, Event, FEED_OPENED, Options, Result};
use tokio::io::{AsyncBufReadExt, BufReader};

/// Lines of the history.
const SHOWN: u16 = 20;

#[tokio::main]
async fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let Some(contact) = words.next() else {
        eprintln!("Usage: chat CONTACT [STATE_DIRECTORY]");
        return ExitCode::from(2);
    };
    let options = words.next().map_or_else(Options::default, |at| Options::default().state_dir(at));
    match chat(options, &contact).await {
        Ok(()) => std::process::exit(0), // a line that is being typed holds nobody up
        Err(error) => {
            eprintln!("{} [{}]", error.message(), error.code());
            ExitCode::FAILURE
        }
    }
}

async fn chat(options: Options, contact: &str) -> Result<()> {
    let me = options.connect().await?;
    let contact = me.contact(contact)?.status().await?;
    let mut typed = BufReader::new(tokio::io::stdin()).lines();
    let mut events = me.events(&[FEED_OPENED, "chat.message"]);
    let mut shown = 0;
    loop {
        tokio::select! {
            line = typed.next_line() => match line {
                Ok(Some(text)) if text.trim().is_empty() => {}
                Ok(Some(text)) => drop(me.chat().say(&contact.id, &text).await?),
                _ => return Ok(()),
            },
            Some(event) = events.next() => show(&me, &contact, &event?, &mut shown).await?,
        }
    }
}

/// Whenever events begin anew some may have been missed, so the history is asked. It has each line once.
async fn show(me: &Client, contact: &ContactStatus, event: &Event, shown: &mut u64) -> Result<()> {
    if event.kind != FEED_OPENED && event.data["contact"]["id"] != *contact.id {
        return Ok(());
    }
    let page = me.chat().page(&contact.id, None, SHOWN).await?;
    for entry in &page.entries {
        let place = entry.id.parse().unwrap_or(0);
        if place > *shown {
            println!("{}", line(entry, contact));
            *shown = place;
        }
    }
    let _ = std::io::stdout().flush(); // whoever reads it may have gone
    match page.entries.last() {
        Some(last) if !last.mine => me.chat().mark_read(&contact.id, &last.id).await,
        _ => Ok(()),
    }
}

fn line(entry: &ChatEntry, contact: &ContactStatus) -> String {
    // The text is a stranger's: nothing in it may steer the terminal, nor turn its direction.
    let steers = |c: char| {
        c.is_control()
            || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0001}'..='\u{e007f}')
    };
    let text: String = entry.text.chars().map(|c| if steers(c) { '·' } else { c }).collect();
    format!("{}: {text}", if entry.mine { "me" } else { contact.label() })
}
