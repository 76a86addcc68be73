//! Bytes and handles that pass the boundary.

use std::ffi::c_uchar;
use std::{ptr, slice};

use crate::boundary::{Failure, MAX_INPUT_BYTES, guard};

type Result<T> = std::result::Result<T, Failure>;

/// # Safety
/// The pointer is NULL, or `N` bytes that nobody changes while they are used.
pub(crate) unsafe fn fixed<'call, const N: usize>(name: &str, pointer: *const u8) -> Result<&'call [u8; N]> {
    // SAFETY: promised by the caller; an array of bytes has no alignment.
    unsafe { pointer.cast::<[u8; N]>().as_ref() }.ok_or_else(|| Failure::null(name))
}

/// # Safety
/// The pointer is NULL, or `count` values that nobody changes while they are used. With a count of 0 it may be anything.
pub(crate) unsafe fn slice<'call, T>(name: &str, pointer: *const T, count: usize) -> Result<&'call [T]> {
    if count == 0 {
        return Ok(&[]);
    }
    if pointer.is_null() {
        return Err(Failure::null(name));
    }
    if count > MAX_INPUT_BYTES / size_of::<T>() {
        return Err(Failure::too_long(name));
    }
    // SAFETY: promised by the caller, and not too long for a slice.
    Ok(unsafe { slice::from_raw_parts(pointer, count) })
}

/// # Safety
/// The pointer is NULL, or a handle of this library that was not freed and that nobody changes meanwhile.
pub(crate) unsafe fn handle<'call, T>(name: &str, pointer: *const T) -> Result<&'call T> {
    // SAFETY: promised by the caller.
    unsafe { pointer.as_ref() }.ok_or_else(|| Failure::null(name))
}

/// # Safety
/// The pointer is NULL, or a handle of this library that was not freed and that nobody else uses meanwhile.
pub(crate) unsafe fn handle_mut<'call, T>(name: &str, pointer: *mut T) -> Result<&'call mut T> {
    // SAFETY: promised by the caller.
    unsafe { pointer.as_mut() }.ok_or_else(|| Failure::null(name))
}

/// # Safety
/// The pointer is NULL, or room for the values that nobody uses meanwhile.
pub(crate) unsafe fn fill<T: Copy>(name: &str, room: *mut T, values: &[T]) -> Result<()> {
    if values.is_empty() {
        return Ok(());
    }
    if room.is_null() {
        return Err(Failure::null(name));
    }
    // SAFETY: promised by the caller; our own values do not lie in a caller's room.
    unsafe { ptr::copy_nonoverlapping(values.as_ptr(), room, values.len()) };
    Ok(())
}

pub(crate) fn boxed<T>(make: impl FnOnce() -> Result<T>) -> *mut T {
    guard(ptr::null_mut(), || Ok(Box::into_raw(Box::new(make()?))))
}

pub(crate) fn flag(act: impl FnOnce() -> Result<()>) -> c_uchar {
    guard(0, || act().map(|()| 1))
}
