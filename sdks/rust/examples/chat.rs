//! A small chat: `cargo run --example chat -- CONTACT`, where `P4_STATE_DIR` may name another device than `~/.p4`.
//!
//! What a person types is said to the contact, also while it is away; what it says is shown, also what it said
//! while this program did not run. A line ends with ✓ when it is on the contact's disk.

use std::io::Write;

use p4_client::{ChatEntry, Client, Event, FEED_OPENED, Options, Result};
use tokio::io::{AsyncBufReadExt, BufReader};

#[tokio::main]
async fn main() -> Result<()> {
    let Some(contact) = std::env::args().nth(1) else {
        eprintln!("usage: chat CONTACT");
        std::process::exit(2);
    };
    let options = match std::env::var_os("P4_STATE_DIR") {
        Some(directory) => Options::default().state_dir(directory),
        None => Options::default(),
    };
    let me = options.connect().await?;
    let status = me.contact(&contact)?.status().await?;
    println!("Chat with {}; Ctrl-D ends it.", status.label());

    let mut shown = 0;
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    // The feed begins with FEED_OPENED, and again after each restart of the daemon: then the history is read.
    let mut events = me.events(&[FEED_OPENED, "chat.message", "chat.receipt"]);
    loop {
        tokio::select! {
            line = lines.next_line() => match line {
                Ok(Some(line)) if line.trim().is_empty() => {}
                Ok(Some(line)) => drop(me.chat().say(&status.id, line.trim()).await?),
                _ => return Ok(()),
            },
            Some(event) = events.next() => show(&me, &status.id, &event?, &mut shown).await?,
        }
    }
}

/// Shows what is new, each entry once: places in the history only rise.
async fn show(me: &Client, contact: &str, event: &Event, shown: &mut u64) -> Result<()> {
    if event.kind != FEED_OPENED && event.kind != "feed.missed" && event.data["contact"]["id"] != contact {
        return Ok(());
    }
    if event.kind == "chat.receipt" {
        for entry in event.data["entries"].as_array().into_iter().flatten() {
            if entry["state"] == "delivered" {
                println!("  ✓ {}", printable(entry["text"].as_str().unwrap_or_default()));
            }
        }
        return Ok(());
    }
    let page = me.chat().page(contact, None, 50).await?;
    let fresh = |entry: &&ChatEntry| entry.id.parse().is_ok_and(|place: u64| place > *shown);
    let entries: Vec<&ChatEntry> = page.entries.iter().filter(fresh).collect();
    for entry in &entries {
        println!("{} {}", if entry.mine { ">" } else { "<" }, printable(&entry.text));
    }
    let _ = std::io::stdout().flush(); // whoever reads it may have gone
    if let Some(last) = entries.last() {
        *shown = last.id.parse().unwrap_or(*shown);
        me.chat().mark_read(contact, &last.id).await?;
    }
    Ok(())
}

/// A stranger's text on our terminal: without what would steer it.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
