//! How many envelopes one core signs and verifies in a second: `cargo run --release --example throughput`.
//!
//! With a number as its argument it fails when both together are slower.

use std::process::ExitCode;
use std::time::Instant;

use p4_core::json::Object;
use p4_core::{Error, Identity, envelope};

const ROUNDS: u32 = 20_000;
const NOW_MS: u64 = 1_700_000_000_000;

fn main() -> Result<ExitCode, Error> {
    let (alice, bob) = (Identity::from_seed(&[1; 32]), Identity::from_seed(&[2; 32]));
    let (key, me) = (alice.public_key(), bob.peer_id());
    let payload = Object::from([("session_id", "6f1a1f0e-8a34-4f0b-9d0e-0b5a1d6c2f11"), ("type", "ping")]);
    let sign = |round: u32| {
        let nonce = u128::from(round).to_be_bytes();
        envelope::seal(&alice, me, &payload, NOW_MS, nonce)
    };
    let verify = |line: &str| envelope::parse(line.as_bytes())?.verify(&key, me, NOW_MS, 0);

    let started = Instant::now();
    let lines = (0..ROUNDS).map(sign).collect::<Result<Vec<_>, _>>()?;
    let signing = started.elapsed().as_secs_f64();
    let started = Instant::now();
    for line in &lines {
        verify(line)?;
    }
    let verifying = started.elapsed().as_secs_f64();

    let rounds = f64::from(ROUNDS);
    let both = rounds / (signing + verifying);
    println!("sign            {:>8.0}/s", rounds / signing);
    println!("verify          {:>8.0}/s", rounds / verifying);
    println!("sign and verify {both:>8.0}/s");
    let required = std::env::args().nth(1).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    Ok(if both < required { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
