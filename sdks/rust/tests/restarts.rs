//! Daemons that are killed while the client works with them: nothing is lost, nothing comes twice.

mod common;

use std::collections::HashSet;
use std::time::Duration;

use common::{pair, within};
use p4_client::{ErrorKind, Options, Value};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// kill -9 and up again, while the other tasks of the test go on.
fn restart(device: &common::Device) {
    tokio::task::block_in_place(|| {
        device.kill();
        device.up();
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_come_once_while_the_daemon_is_killed_at_every_point() {
    let (devices, anna, bob) = pair("notes").await;
    let contact = anna.contact("bob").unwrap();
    let mut notes = bob.messages_within("notes", 16).unwrap();
    let mut waiting = Vec::new();
    for round in 0..3_u64 {
        contact.send_many("notes", (round * 40..round * 40 + 40).map(Value::from)).await.unwrap();
        // Some are done and noted, some done and on their way, some read only when the daemon dies.
        for place in 0..20 {
            let message = within(notes.next()).await.unwrap().unwrap();
            assert_eq!(message.value().unwrap().decode::<u64>().unwrap(), round * 40 + place);
            match place {
                0..5 => message.done().await.unwrap(),
                5..15 => drop(message.done()),
                _ => waiting.push(message),
            }
        }
        restart(&devices.bob);
        waiting.drain(..).for_each(|message| drop(message.done()));
        for place in 20..40 {
            let message = within(notes.next()).await.unwrap().unwrap();
            assert_eq!(message.value().unwrap().decode::<u64>().unwrap(), round * 40 + place);
            drop(message.done());
        }
    }
    within(notes.close()).await.unwrap();
    // All that was done is so on disk: the next reader gets what is sent now, and nothing before it.
    contact.send("notes", "last").await.unwrap();
    let mut notes = bob.messages("notes").unwrap();
    let last = within(notes.next()).await.unwrap().unwrap();
    assert_eq!(last.value().unwrap(), &Value::from("last"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_done_comes_to_the_next_run_of_the_program() {
    let (_devices, anna, bob) = pair("notes").await;
    let mut receipts = anna.contact("bob").unwrap().send_many("notes", ["a", "b", "c"]).await.unwrap();
    let mut notes = bob.messages("notes").unwrap();
    let first = within(notes.next()).await.unwrap().unwrap();
    let second = within(notes.next()).await.unwrap().unwrap();
    first.done().await.unwrap();
    assert_eq!(second.value().unwrap().as_str(), Some("b"));
    drop(notes);
    let mut notes = bob.messages("notes").unwrap();
    let mut seen = HashSet::new();
    for _ in 0..2 {
        let message = within(notes.next()).await.unwrap().unwrap();
        assert!(seen.insert(message.value().unwrap().as_str().unwrap().to_owned()));
        message.done().await.unwrap();
    }
    assert_eq!(seen, HashSet::from(["b".into(), "c".into()]));
    within(receipts[2].consumed()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_goes_on_while_both_daemons_are_killed() {
    let (devices, anna, bob) = pair("films").await;
    let size = 6_000_000_usize;
    let film: Vec<u8> = (0..size).map(|place| u8::try_from(place * 7 % 251).unwrap()).collect();
    let mut outgoing = within(anna.contact("bob").unwrap().stream("films", "film.mkv")).await.unwrap();
    let sent = film.clone();
    let sending = tokio::spawn(async move {
        outgoing.write_all(&sent).await.unwrap();
        outgoing.shutdown().await.unwrap();
        outgoing.finished().await.unwrap();
    });
    let mut incoming = within(bob.next_stream("films")).await.unwrap();
    assert_eq!(incoming.name(), "film.mkv");
    let mut arrived = vec![0; size / 3];
    within(incoming.read_exact(&mut arrived)).await.unwrap();
    restart(&devices.bob);
    let mut more = vec![0; size / 3];
    within(incoming.read_exact(&mut more)).await.unwrap();
    arrived.append(&mut more);
    restart(&devices.anna);
    within(incoming.read_to_end(&mut arrived)).await.unwrap();
    assert!(arrived == film, "{} of {size} bytes, or others", arrived.len());
    within(incoming.shutdown()).await.unwrap();
    within(incoming.finished()).await.unwrap();
    within(sending).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serving_asking_and_watching_go_on() {
    let (devices, anna, bob) = pair("home").await;
    let _serving = bob.serve("home", |call| async move { Ok(call.argument) }).await.unwrap();
    let mut events = bob.events(&["link.up"]);
    let contact = anna.contact("bob").unwrap();
    assert_eq!(within(contact.call("home", "a")).await.unwrap(), Value::from("a"));
    let before = bob.status().await.unwrap().pid;
    tokio::task::block_in_place(|| devices.bob.kill());
    let asking = tokio::spawn({
        let bob = bob.clone();
        async move { bob.status().await }
    });
    tokio::task::block_in_place(|| devices.bob.up());
    assert_ne!(within(asking).await.unwrap().unwrap().pid, before);
    // Its feed opens some time after the daemon, perhaps behind the link, and tells what happens from then on.
    let next = within(async {
        loop {
            match tokio::time::timeout(Duration::from_secs(2), events.next()).await {
                Ok(event) => return event,
                Err(_) => drop(bob.contact("anna").unwrap().drop_link().await),
            }
        }
    });
    assert_eq!(next.await.unwrap().unwrap().kind, "link.up");
    let answer = within(async {
        loop {
            match contact.call("home", "b").await {
                Err(error) if !error.may_have_run() => tokio::time::sleep(Duration::from_millis(100)).await,
                answer => return answer,
            }
        }
    });
    assert_eq!(answer.await.unwrap(), Value::from("b"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_that_does_not_come_back_is_said_to_be_away() {
    let devices = common::strangers();
    let options = Options::default().state_dir(devices.anna.state());
    let client = options.clone().restart_patience(Duration::from_millis(300)).connect().await.unwrap();
    let mut events = client.events(&[]);
    tokio::task::block_in_place(|| devices.anna.kill());
    for error in [
        client.status().await.unwrap_err(),
        options.connect().await.unwrap_err(),
        within(events.next()).await.unwrap().unwrap_err(),
    ] {
        assert_eq!((error.kind(), error.code()), (ErrorKind::Local, "no-daemon"));
        assert!(error.message().contains("p4 up"), "{error}");
    }
    assert!(within(events.next()).await.is_none());
}
