//! Everything that two devices do with each other through their daemons.

mod common;

use std::collections::HashSet;
use std::future::Future;
use std::time::Duration;

use common::{pair, within};
use p4_client::{Error, ErrorKind, MessageState, Options, SendOptions, Value};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn contacts_grants_and_the_device() {
    let (devices, anna, bob) = pair("notes").await;
    let identity = anna.identity().await.unwrap();
    let status = bob.status().await.unwrap();
    assert_eq!(status.contacts.len(), 1);
    assert_eq!(status.contacts[0].id, identity.id);
    let contact = bob.contact(&identity.id[..8]).unwrap();
    assert!(contact.grant(&["home.light"]).await.unwrap().contains(&"home.light".to_owned()));
    contact.revoke("home.light").await.unwrap();
    assert!(!contact.grants().await.unwrap().contains(&"home.light".to_owned()));
    assert_eq!(contact.rename("Änna").await.unwrap().label(), "Änna");
    assert_eq!(bob.contact("änna").unwrap().status().await.unwrap().id, identity.id);
    let words = contact.verification().await.unwrap();
    assert_eq!(words.words, anna.contact("bob").unwrap().verification().await.unwrap().words);
    assert_eq!(contact.verify(&words.public_key, true).await.unwrap().verification, "verified");
    assert!(within(contact.ping()).await.unwrap() > Duration::ZERO);
    let _serving = anna.serve("notes", |call| async move { Ok(call.argument) }).await.unwrap();
    let services = anna.services().await.unwrap();
    assert!(services.iter().any(|service| service.service == "notes" && service.serves_calls));
    assert_eq!(anna.request("GET", "/v1/transfers", None).await.unwrap(), json!({"transfers": []}));

    let error = anna.contact("nobody").unwrap().send("notes", 1).await.unwrap_err();
    assert_eq!((error.kind(), error.code(), error.status()), (ErrorKind::Contact, "unknown", Some(404)));
    assert_eq!(error.data()["type"], "ContactError");
    assert_eq!(anna.contact("a/b").unwrap_err().code(), "bad-name");
    contact.remove().await.unwrap();
    assert!(bob.contacts().await.unwrap().is_empty());
    drop(devices);
}

#[tokio::test]
async fn an_app_with_a_token_over_tcp() {
    let (devices, anna, bob) = pair("notes").await;
    let token = bob.new_token("notebook", Some(&["notes"]), None, None).await.unwrap();
    let url = format!("http://127.0.0.1:{}", devices.bob.endpoint().unwrap()["port"]);
    let app = Options::default().address(&url, &token.token).connect().await.unwrap();
    anna.contact("bob").unwrap().send("notes", vec![0, 255]).await.unwrap();
    let message = within(app.messages("notes").unwrap().next()).await.unwrap().unwrap();
    assert_eq!(message.value().unwrap(), &Value::from(vec![0, 255]));
    message.done();
    let error = app.status().await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Access, "owner-only"));
    let error = app.next_stream("films").await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Access, "not-granted"));
    bob.revoke_token(&token.id).await.unwrap();
    assert_eq!(app.identity().await.unwrap_err().code(), "bad-token");
    assert!(!format!("{token:?}").contains(&token.token));
}

#[tokio::test]
async fn messages_receipts_and_chat() {
    let (_devices, anna, bob) = pair("notes").await;
    let contact = anna.contact("bob").unwrap();
    let mut receipt = contact.send("notes", json!({"a": [1, null]})).await.unwrap();
    within(receipt.delivered()).await.unwrap();
    let mut notes = bob.messages("notes").unwrap();
    let message = within(notes.next()).await.unwrap().unwrap();
    assert_eq!(message.id, receipt.id());
    assert_eq!(message.contact.label(), "anna");
    assert_eq!(message.value().unwrap().as_json(), Some(&json!({"a": [1, null]})));
    message.done().await.unwrap();
    within(receipt.consumed()).await.unwrap();
    assert_eq!(receipt.state(), MessageState::Consumed);

    let short = SendOptions::default().ttl(Duration::from_millis(1)).latest("place");
    let mut dropped = contact.send_with("elsewhere", "x", short).await.unwrap();
    let error = within(dropped.delivered()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Delivery);

    let mut events = bob.events(&["chat.message"]);
    let said = contact.say("hello").await.unwrap();
    within(anna.chat().wait("bob", &said, "delivered")).await.unwrap();
    let page = bob.chat().page("anna", None, 10).await.unwrap();
    assert_eq!(page.entries[0].text, "hello");
    bob.chat().mark_read("anna", &page.entries[0].id).await.unwrap();
    within(anna.chat().wait("bob", &said, "seen")).await.unwrap();
    assert_eq!(anna.chat().conversations().await.unwrap()[0].last.as_ref().unwrap().state, "seen");
    assert_eq!(within(events.next()).await.unwrap().unwrap().data["entries"][0]["text"], "hello");
    let error = within(bob.messages("chat").unwrap().next()).await.unwrap().unwrap_err();
    assert_eq!(error.code(), "in-use");
}

#[tokio::test]
async fn calls_and_what_becomes_of_them() {
    let (_devices, anna, bob) = pair("home").await;
    let (cancelled, mut was_cancelled) = tokio::sync::mpsc::unbounded_channel();
    let serving = bob
        .serve("home", move |call| {
            let cancelled = cancelled.clone();
            async move {
                match call.service.as_str() {
                    "home.light" => Ok(Value::from(format!("{} asked", call.contact.label()))),
                    "home.fire" => Err(Error::call_failed("hot", "It burns.", json!({"degrees": 900}))),
                    "home.secret" => Err(Error::new(ErrorKind::Other, "x", "not to be told")),
                    "home.bug" => panic!("planted"),
                    _ => {
                        let _told_when_dropped = scopeguard(move || cancelled.send(()).unwrap_or_default());
                        std::future::pending().await
                    }
                }
            }
        })
        .await
        .unwrap();
    let contact = anna.contact("bob").unwrap();
    let answer = within(contact.call("home.light", ())).await.unwrap();
    assert_eq!(answer.as_str(), Some("anna asked"));
    let error = within(contact.call("home.fire", ())).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::CallFailed, "hot"));
    assert_eq!(error.data(), &json!({"degrees": 900}));
    for service in ["home.secret", "home.bug"] {
        let error = within(contact.call(service, ())).await.unwrap_err();
        assert_eq!(error.code(), "internal");
        assert!(!error.message().contains("not to be told"));
    }
    let slow = contact.call_within("home.slow", (), Duration::from_millis(300));
    assert_eq!(within(slow).await.unwrap_err().code(), "deadline");
    within(was_cancelled.recv()).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(300), contact.call("home.slow", ())).await.is_err());
    within(was_cancelled.recv()).await.unwrap();

    let twice = bob.serve("home", |call| async move { Ok(call.argument) }).await;
    assert_eq!(twice.err().unwrap().code(), "already-served");
    drop(serving);
    let gone = within(async {
        loop {
            match contact.call("home.light", ()).await {
                Ok(_) => {}
                Err(error) => return error,
            }
        }
    });
    assert_eq!(gone.await.kind(), ErrorKind::Call);
}

#[tokio::test]
async fn streams_both_ways_explicitly_consumed_and_reset() {
    let (_devices, anna, bob) = pair("films").await;
    let contact = anna.contact("bob").unwrap();
    let mut there = within(contact.stream("films", "talk")).await.unwrap();
    there.write_all(b"question").await.unwrap();
    within(there.sync()).await.unwrap();
    {
        let mut here = within(bob.next_stream("films")).await.unwrap();
        here.consume_explicitly();
        let mut text = [0; 8];
        within(here.read_exact(&mut text)).await.unwrap();
        assert_eq!(&text, b"question");
        here.consumed(5);
        within(there.wait_confirmed(5)).await.unwrap();
    } // let go of: what was not consumed comes again
    let mut here = within(bob.contact("anna").unwrap().next_stream("films")).await.unwrap();
    assert_eq!(here.position(), 5);
    let mut rest = [0; 3];
    within(here.read_exact(&mut rest)).await.unwrap();
    assert_eq!(&rest, b"ion");
    here.write_all(b"answer").await.unwrap();
    within(here.shutdown()).await.unwrap();
    let mut answer = String::new();
    within(there.read_to_string(&mut answer)).await.unwrap();
    assert_eq!(answer, "answer");
    assert_eq!((there.written(), there.confirmed()), (8, 8));
    within(there.close()).await.unwrap();
    within(here.finished()).await.unwrap();

    let mut there = within(contact.stream("films", "")).await.unwrap();
    there.write_all(b"x").await.unwrap();
    within(there.flush()).await.unwrap();
    let mut here = within(bob.next_stream("films")).await.unwrap();
    within(there.reset("changed my mind")).await.unwrap();
    let error = within(async {
        let mut all = Vec::new();
        here.read_to_end(&mut all).await
    });
    let error = error.await.unwrap_err().downcast::<Error>().unwrap();
    assert_eq!(error.kind(), ErrorKind::Stream);
    assert!(error.message().contains("changed my mind"), "{error}");
}

#[tokio::test]
async fn datagrams_there_and_back() {
    let (_devices, anna, bob) = pair("game").await;
    let (here, there) = (anna.datagrams("game").await.unwrap(), bob.datagrams("game").await.unwrap());
    let echo = tokio::spawn(async move {
        loop {
            let datagram = there.recv().await.unwrap();
            there.send(&datagram.contact.id, &datagram.data).unwrap();
        }
    });
    let answer = within(async {
        loop {
            here.send("bob", b"ping").unwrap(); // the link may not be there yet
            let patience = Duration::from_millis(200);
            if let Ok(answer) = tokio::time::timeout(patience, here.recv()).await {
                return answer.unwrap();
            }
        }
    });
    let answer = answer.await;
    assert_eq!((answer.contact.label(), &answer.data[..]), ("bob", &b"ping"[..]));
    echo.abort();
    here.send("bob", &[0; 2000]).unwrap();
    let error = within(async {
        loop {
            if let Err(error) = here.recv().await {
                return error;
            }
        }
    });
    assert_eq!(error.await.code(), here.send("bob", b"x").unwrap_err().code());
}

#[tokio::test]
async fn invites_that_nobody_takes() {
    let devices = common::strangers();
    let anna = devices.anna.client().await;
    let pairing = anna.pairing();
    let invite = pairing.invite().await.unwrap();
    assert!(invite.is_open() && !format!("{invite:?}").contains(&invite.text));
    assert_eq!(pairing.invites().await.unwrap().len(), 1);
    pairing.cancel(&invite.id).await.unwrap();
    let error = within(pairing.paired(&invite.id)).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Pairing, "cancelled"));
    let error = devices.bob.client().await.pairing().add("no invite", "").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invite);
}

/// Does something when it is dropped.
fn scopeguard(act: impl FnOnce()) -> impl Drop {
    struct Guard<F: FnOnce()>(Option<F>);
    impl<F: FnOnce()> Drop for Guard<F> {
        fn drop(&mut self) {
            self.0.take().into_iter().for_each(|act| act());
        }
    }
    Guard(Some(act))
}

#[tokio::test]
async fn messages_that_are_sent_at_a_time_keep_their_order_and_one_that_is_refused_harms_no_other() {
    let (_devices, anna, bob) = pair("notes").await;
    let contact = anna.contact("bob").unwrap();
    let mut sending = Vec::new();
    for number in 0..400_u64 {
        let value = if number == 200 { Value::from("x".repeat(1_200_000)) } else { Value::from(number) };
        let options = SendOptions::default();
        let options = if number % 100 == 50 { options.ttl(Duration::from_secs(60)) } else { options };
        let contact = contact.clone();
        // One thread polls tasks in the order in which they were spawned: that is the order of the calls.
        sending.push(tokio::spawn(async move { contact.send_with("notes", value, options).await }));
    }
    let mut ids = HashSet::new();
    for (number, sent) in sending.into_iter().enumerate() {
        match sent.await.unwrap() {
            Ok(receipt) => assert!(ids.insert(receipt.id().to_owned()) && number != 200),
            Err(error) => assert_eq!((number, error.status().is_some()), (200, true), "{error}"),
        }
    }
    let mut notes = bob.messages("notes").unwrap();
    for number in (0..400_u64).filter(|number| *number != 200) {
        let message = within(notes.next()).await.unwrap().unwrap();
        assert_eq!(message.value().unwrap(), &Value::from(number));
        drop(message.done());
    }
}

#[tokio::test]
async fn a_message_that_nobody_waits_for_before_its_turn_is_taken_back() {
    let (_devices, anna, bob) = pair("notes").await;
    let contact = anna.contact("bob").unwrap();
    let first = contact.send("notes", 1);
    let second = contact.send("notes", 2);
    let third = contact.send("notes", 3);
    let mut first = std::pin::pin!(first);
    {
        // Both have been handed over when this ends; the carrier has not run yet, and finds one of them.
        let mut second = std::pin::pin!(second);
        std::future::poll_fn(|context| {
            assert!(first.as_mut().poll(context).is_pending());
            assert!(second.as_mut().poll(context).is_pending());
            std::task::Poll::Ready(())
        })
        .await;
    }
    first.await.unwrap();
    third.await.unwrap();
    let mut notes = bob.messages("notes").unwrap();
    for number in [1, 3] {
        let message = within(notes.next()).await.unwrap().unwrap();
        assert_eq!(message.value().unwrap(), &Value::from(number));
        drop(message.done());
    }
}
