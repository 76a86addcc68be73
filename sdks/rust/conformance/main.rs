//! Reads requests and answers them, one after the other, until the input ends: conformance/README.md.

mod channels;
mod device;
mod native;
mod protocol;

use std::io::{self, Write};

use serde_json::{Value as Json, json};
use tokio::io::{AsyncBufReadExt, BufReader};

use channels::Channels;
use device::Device;
use protocol::{Answer, Arguments, Problem};

const CHANNELS: [&str; 5] = ["messages.", "serving.", "stream.", "datagrams.", "events."];
const NATIVE: [&str; 5] = ["identity.", "canonical.", "envelope.", "replay.", "invite."];

#[tokio::main]
async fn main() -> io::Result<()> {
    let (mut device, mut channels) = (Device::new(), Channels::new());
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let mut request: Json = serde_json::from_str(&line)?;
        let Json::Object(arguments) = request["arguments"].take() else {
            return Err(io::Error::other("the arguments of a request are an object"));
        };
        let operation = request["operation"].as_str().unwrap_or_default();
        let mut answer = match answer(&mut device, &mut channels, operation, &Arguments(arguments)).await {
            Ok(result) => json!({"result": result}),
            Err(Problem::Refused(error)) => json!({"error": error}),
            Err(Problem::Failed(text)) => json!({"failed": text}),
            Err(Problem::Unknown) => json!({"unsupported": format!("this command knows no {operation}")}),
        };
        answer["id"] = request["id"].take();
        let mut output = io::stdout().lock();
        writeln!(output, "{answer}")?;
        output.flush()?;
    }
    Ok(())
}

async fn answer(device: &mut Device, channels: &mut Channels, operation: &str, given: &Arguments) -> Answer {
    let begins = |names: &[&str]| names.iter().any(|name| operation.starts_with(name));
    if begins(&NATIVE) {
        native::answer(operation, given)
    } else if begins(&CHANNELS) {
        channels.answer(&mut device.clients, operation, given).await
    } else {
        device.answer(operation, given).await
    }
}
