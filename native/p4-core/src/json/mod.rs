//! The JSON of the protocol: a strict reader and the canonical writer (RFC 8785, RFC 7493).
//!
//! The reader takes only what the canonical form can express. So everything that was read can be signed again
//! with the same bytes by any implementation.

mod read;
mod value;
mod write;

pub(crate) use read::parse_object_within;
pub use read::{parse, parse_object};
pub use value::{Object, Value};
pub use write::canonical;
pub(crate) use write::{write_object, write_string};

/// Objects and arrays within each other, the outermost counting as 1.
pub const MAX_DEPTH: usize = 32;

/// The greatest magnitude of a number, integer or fraction: 2^53-1. Up to here every integer has exactly one
/// double, and every double one integer (RFC 7493 section 2.2).
pub const SAFE_INTEGER: i64 = (1 << 53) - 1;

#[allow(clippy::cast_precision_loss)] // exact, that is its point
const SAFE_FLOAT: f64 = SAFE_INTEGER as f64;
