//! How many durable messages a second one program hands over, one by one by many tasks, and many in a request:
//! `cargo run --release --example durable_sends -- CONTACT [COUNT] [AT_ONCE]`; `P4_STATE_DIR` names the device.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use p4_client::{Options, Result};
use tokio::task::JoinSet;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let contact = words.next().unwrap_or_else(|| "bob".into());
    let mut number = |otherwise: u64| words.next().and_then(|word| word.parse().ok()).unwrap_or(otherwise);
    let (count, at_once) = (number(5000), number(32));
    let options = match std::env::var_os("P4_STATE_DIR") {
        Some(directory) => Options::default().state_dir(directory),
        None => Options::default(),
    };
    let contact = options.connect().await?.contact(&contact)?;

    let (next, began) = (Arc::new(AtomicU64::new(0)), Instant::now());
    let mut senders = JoinSet::new();
    for _ in 0..at_once {
        let (contact, next) = (contact.clone(), Arc::clone(&next));
        senders.spawn(async move {
            loop {
                let value = next.fetch_add(1, Ordering::Relaxed);
                if value >= count {
                    return Ok(());
                }
                contact.send("bench", value).await?;
            }
        });
    }
    report(&format!("sent by {at_once} tasks"), count, began, senders.join_all().await)?;

    let began = Instant::now();
    let mut sent = Vec::new();
    for start in (0..count).step_by(256) {
        sent.push(contact.send_many("bench", start..count.min(start + 256)).await.map(drop));
    }
    report("256 messages a request", count, began, sent)
}

#[expect(clippy::cast_precision_loss, reason = "counts are small")]
fn report(what: &str, count: u64, began: Instant, outcomes: Vec<Result<()>>) -> Result<()> {
    outcomes.into_iter().collect::<Result<()>>()?;
    let seconds = began.elapsed().as_secs_f64();
    println!("{what}: {:.0} durable messages/s ({count} in {seconds:.2} s)", count as f64 / seconds);
    Ok(())
}
