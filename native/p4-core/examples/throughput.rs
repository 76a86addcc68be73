//! How many envelopes one core signs and verifies in a second: `cargo run --release --example throughput`.
//!
//! With a number as its argument it fails when even the best batch of both together is slower.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use p4_core::json::Object;
use p4_core::{Error, Identity, envelope};

/// Many short batches: on a busy machine the best of them comes nearest to what the code can do.
const BATCHES: u32 = 40;
const BATCH: u32 = 500;
const NOW_MS: u64 = 1_700_000_000_000;

fn main() -> Result<ExitCode, Error> {
    let (alice, bob) = (Identity::from_seed(&[1; 32]), Identity::from_seed(&[2; 32]));
    let (key, me) = (alice.public_key(), bob.peer_id());
    let payload = Object::from([("session_id", "6f1a1f0e-8a34-4f0b-9d0e-0b5a1d6c2f11"), ("type", "ping")]);
    let sign = |nonce: u32| {
        let nonce = u128::from(nonce).to_be_bytes();
        envelope::seal(&alice, me, &payload, NOW_MS, nonce)
    };
    let verify = |line: &String| envelope::parse(line.as_bytes())?.verify(&key, me, NOW_MS, 0);

    let (mut signing, mut verifying, mut both) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..BATCHES {
        let started = Instant::now();
        let lines = (0..BATCH).map(sign).collect::<Result<Vec<_>, _>>()?;
        let signed = started.elapsed();
        for line in &lines {
            verify(line)?;
        }
        let total = started.elapsed();
        signing.push(signed);
        verifying.push(total.saturating_sub(signed));
        both.push(total);
    }
    println!("{:<16}{:>10}{:>10}", "per second", "median", "best");
    show("sign", &mut signing);
    show("verify", &mut verifying);
    let best = show("sign and verify", &mut both);
    let required = std::env::args().nth(1).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    Ok(if best < required { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Prints the rates of the median and the best batch, and returns the latter.
fn show(what: &str, batches: &mut [Duration]) -> f64 {
    batches.sort();
    let rate = |batch: Duration| f64::from(BATCH) / batch.as_secs_f64();
    let best = rate(batches[0]);
    println!("{what:<16}{:>10.0}{best:>10.0}", rate(batches[batches.len() / 2]));
    best
}
