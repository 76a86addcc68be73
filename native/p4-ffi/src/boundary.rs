//! What lies between C and Rust: strings in, strings out, errors, and panics that stay on our side.

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use p4::Error;

/// The longest string that is read, in bytes. An envelope of version 1 has no limit of its own.
pub(crate) const MAX_INPUT_BYTES: usize = 16 * 1024 * 1024;

thread_local! {
    static LAST_ERROR: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Why a call fails: `code: sentence`.
pub(crate) struct Failure(String);

impl Failure {
    pub(crate) fn new(code: &str, message: &str) -> Self {
        Self(format!("{code}: {message}"))
    }

    pub(crate) fn null(name: &str) -> Self {
        Self::new("null-pointer", &format!("{name} is NULL."))
    }

    pub(crate) fn too_long(name: &str) -> Self {
        Self::new("too-long", &format!("{name} is longer than {MAX_INPUT_BYTES} bytes."))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::new(error.code().as_str(), error.message())
    }
}

/// A string that C passed to us.
pub(crate) struct Argument<'call> {
    name: &'static str,
    value: Option<&'call CStr>,
}

impl Argument<'_> {
    /// # Safety
    /// The pointer is NULL, or a string that ends with NUL and is not changed while the argument lives.
    pub(crate) unsafe fn new(name: &'static str, pointer: *const c_char) -> Self {
        // SAFETY: promised by the caller.
        let value = (!pointer.is_null()).then(|| unsafe { CStr::from_ptr(pointer) });
        Self { name, value }
    }

    pub(crate) fn bytes(&self) -> Result<&[u8], Failure> {
        let name = self.name;
        let value = self.value.ok_or_else(|| Failure::null(name))?.to_bytes();
        if value.len() > MAX_INPUT_BYTES {
            return Err(Failure::too_long(name));
        }
        Ok(value)
    }

    pub(crate) fn text(&self) -> Result<&str, Failure> {
        std::str::from_utf8(self.bytes()?)
            .map_err(|_| Failure::new("not-utf8", &format!("{} is not valid UTF-8.", self.name)))
    }
}

/// A copy for the caller, who gives it back to `p4_free_string`.
pub(crate) fn hand_out(text: &str) -> Result<*mut c_char, Failure> {
    // Exactly as large as needed: growing would leave a copy of a private key behind.
    let mut bytes = Vec::with_capacity(text.len() + 1);
    bytes.extend_from_slice(text.as_bytes());
    bytes.push(0);
    CString::from_vec_with_nul(bytes)
        .map(CString::into_raw)
        .map_err(|_| Failure::new("internal-error", "A result has a NUL inside."))
}

/// Runs a call: remembers why it failed, forgets earlier failures if it did not, and lets no panic through.
pub(crate) fn guard<T>(failed: T, call: impl FnOnce() -> Result<T, Failure>) -> T {
    let (result, reason) = match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(result)) => (result, String::new()),
        Ok(Err(Failure(reason))) => (failed, reason),
        Err(panic) => {
            // Dropping what somebody panicked with could panic again.
            if let Err(worse) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
                std::mem::forget(worse);
            }
            let report = "The library has a defect; nothing was done. Please report it.";
            (failed, Failure::new("internal-error", report).0)
        }
    };
    // Not there while the thread ends; nobody can ask any more then.
    let _ = LAST_ERROR.try_with(|last| last.replace(reason));
    result
}

/// The reason of this thread's last failure, handed out. Unlike the other calls it changes nothing.
pub(crate) fn last_error() -> *mut c_char {
    let copy = || LAST_ERROR.try_with(|last| hand_out(&last.borrow()).ok()).ok().flatten();
    catch_unwind(copy).ok().flatten().unwrap_or(ptr::null_mut())
}
