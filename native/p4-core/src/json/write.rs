//! The canonical form of RFC 8785.

use std::fmt::Write;

use super::{MAX_DEPTH, Object, SAFE_FLOAT, SAFE_INTEGER, Value};
use crate::{Code, Error};

/// The one text that stands for a JSON value (RFC 8785).
///
/// # Errors
/// `bad-number` or `too-deep`: the value has no canonical form within the protocol.
pub fn canonical(value: &Value) -> Result<String, Error> {
    let mut out = String::new();
    write_value(&mut out, value, 0)?;
    Ok(out)
}

/// `depth` is the number of objects and arrays around the value that count.
fn write_value(out: &mut String, value: &Value, depth: usize) -> Result<(), Error> {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Integer(number) => write_integer(out, *number)?,
        Value::Float(number) => write_float(out, *number)?,
        Value::String(text) => write_string(out, text),
        Value::Array(items) => {
            let depth = deeper(depth, MAX_DEPTH)?;
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_value(out, item, depth)?;
            }
            out.push(']');
        }
        Value::Object(object) => write_object(out, object, depth)?,
    }
    Ok(())
}

pub(crate) fn write_object(out: &mut String, object: &Object, depth: usize) -> Result<(), Error> {
    let depth = deeper(depth, MAX_DEPTH)?;
    out.push('{');
    for (index, (key, value)) in object.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_string(out, key);
        out.push(':');
        write_value(out, value, depth)?;
    }
    out.push('}');
    Ok(())
}

/// RFC 8785 section 3.2.2.2: only what must be escaped is.
pub(crate) fn write_string(out: &mut String, text: &str) {
    out.push('"');
    let mut plain = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= b' ' && byte != b'"' && byte != b'\\' {
            continue;
        }
        // Escaped bytes are ASCII, so both cuts are between characters.
        out.push_str(&text[plain..at]);
        plain = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\x08' => out.push_str("\\b"),
            b'\t' => out.push_str("\\t"),
            b'\n' => out.push_str("\\n"),
            b'\x0c' => out.push_str("\\f"),
            b'\r' => out.push_str("\\r"),
            control => push(out, format_args!("\\u{control:04x}")),
        }
    }
    out.push_str(&text[plain..]);
    out.push('"');
}

pub(super) fn deeper(depth: usize, limit: usize) -> Result<usize, Error> {
    if depth >= limit {
        return Err(Error::new(Code::TooDeep, format!("The JSON is nested deeper than {limit} levels.")));
    }
    Ok(depth + 1)
}

pub(super) fn bad_number() -> Error {
    Error::new(Code::BadNumber, "A number is beyond 2^53-1 or not finite.")
}

fn write_integer(out: &mut String, number: i64) -> Result<(), Error> {
    if !(-SAFE_INTEGER..=SAFE_INTEGER).contains(&number) {
        return Err(bad_number());
    }
    push(out, format_args!("{number}"));
    Ok(())
}

/// ECMAScript's `Number::toString` (ECMA-262 section 6.1.6.1.20), as RFC 8785 section 3.2.2.3 asks.
fn write_float(out: &mut String, number: f64) -> Result<(), Error> {
    // NaN fails the comparison too.
    if !(-SAFE_FLOAT..=SAFE_FLOAT).contains(&number) {
        return Err(bad_number());
    }
    // Not Rust's own digits: of two that are equally near, RFC 8785 wants the even one.
    out.push_str(ryu_js::Buffer::new().format_finite(number));
    Ok(())
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = out.write_fmt(text);
}
