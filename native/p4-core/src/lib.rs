#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod address;
pub mod envelope;
mod error;
mod identity;
mod invite;
pub mod json;
#[cfg(feature = "random")]
mod random;
mod replay;
pub mod v1;

pub use address::{RendezvousAddress, Transport};
pub use error::{Code, Error};
pub use identity::{Identity, PeerId, PublicKey};
pub use invite::{INVITE_BYTES, Invite};
#[cfg(feature = "random")]
pub use random::nonce;
pub use replay::ReplayWindow;
