#![doc = include_str!("../README.md")]

mod acknowledge;
mod chat;
mod client;
mod connection;
mod contact;
mod datagrams;
mod endpoint;
mod error;
mod events;
mod limits;
mod messages;
mod outbox;
mod pairing;
mod receipts;
mod records;
mod serving;
mod socket;
mod sse;
mod streams;
mod transport;
mod value;

pub use p4_core as core;

pub use chat::Chat;
pub use client::{Client, Options, connect};
pub use contact::{Contact, SendOptions};
pub use datagrams::{Datagram, Datagrams};
pub use error::{Error, ErrorKind, Result};
pub use events::{Event, Events, FEED_OPENED};
pub use messages::{Done, Message, Messages};
pub use pairing::{InviteKind, Pairing};
pub use receipts::{MessageState, Receipt};
pub use records::{
    ChatEntry, ChatPage, ContactName, ContactStatus, Conversation, DeviceIdentity, DeviceStatus, Invite,
    Path, Service, Token, Verification,
};
pub use serving::{IncomingCall, Serving};
pub use streams::Stream;
pub use value::Value;
