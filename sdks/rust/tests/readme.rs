//! The first example of the README is `examples/hello.rs`, and it runs; so does the chat.

mod common;

use std::path::PathBuf;
use std::process::Stdio;

use common::{pair, root, within};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::ChildStdout;

/// A program of `examples/`, which `cargo test` has built beside this one.
fn example(name: &str) -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let built = tests.parent().unwrap().parent().unwrap().join("examples").join(name);
    let built = built.with_extension(std::env::consts::EXE_EXTENSION);
    assert!(built.exists(), "{} was not built: cargo build --examples", built.display());
    built
}

#[test]
fn the_readme_begins_with_the_example() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let (_, rest) = readme.split_once("```rust,no_run\n").expect("an example");
    let shown = rest.split_once("```").unwrap().0;
    assert_eq!(shown, std::fs::read_to_string(root().join("examples/hello.rs")).unwrap());
}

#[tokio::test]
async fn the_example_runs() {
    let (devices, anna, bob) = pair("notes").await;
    anna.contact("bob").unwrap().rename("phone").await.unwrap();
    let program = devices.anna.command(example("hello")).stdout(Stdio::piped()).spawn().unwrap();
    let mut notes = bob.messages("notes").unwrap();
    let message = within(notes.next()).await.unwrap().unwrap();
    assert_eq!(message.value().unwrap().as_str(), Some("hello"));
    bob.contact("anna").unwrap().send_many("notes", ["hi", "bye"]).await.unwrap();
    let ended = tokio::task::spawn_blocking(|| program.wait_with_output().unwrap());
    let ended = within(ended).await.unwrap();
    assert!(ended.status.success());
    let printed = String::from_utf8(ended.stdout).unwrap();
    assert!(printed.starts_with("delivered to phone\n"), "{printed}");
    assert!(printed.contains("phone says") && printed.contains("bye"), "{printed}");
}

#[tokio::test]
async fn two_people_chat() {
    let (devices, _anna, bob) = pair("notes").await;
    bob.contact("anna").unwrap().say("are you there?").await.unwrap();
    let mut command = tokio::process::Command::from(devices.anna.command(example("chat")));
    command.arg("bob").arg(devices.anna.state());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut program = command.spawn().unwrap();
    let mut output = BufReader::new(program.stdout.take().unwrap()).lines();
    assert_eq!(line(&mut output).await, "bob: are you there?");
    let mut input = program.stdin.take().unwrap();
    input.write_all(b"good morning\n").await.unwrap();
    assert_eq!(line(&mut output).await, "me: good morning");
    bob.chat().say("anna", "and \u{1b}[31myou").await.unwrap();
    assert_eq!(line(&mut output).await, "bob: and ·[31myou");
    drop(input);
    assert!(within(program.wait()).await.unwrap().success());
    assert_eq!(output.next_line().await.unwrap(), None);
}

async fn line(output: &mut Lines<BufReader<ChildStdout>>) -> String {
    within(output.next_line()).await.unwrap().expect("it goes on")
}
