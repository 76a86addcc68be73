//! The strict reader.

use super::write::{bad_number, deeper};
use super::{MAX_DEPTH, Object, SAFE_FLOAT, SAFE_INTEGER, Value};
use crate::{Code, Error};

/// Reads exactly one JSON object. White space around it is allowed. The caller bounds the size.
///
/// # Errors
/// `not-utf8`; otherwise the first problem in reading order: `not-json`, `duplicate-key`, `bad-number` (not
/// finite, or beyond 2^53-1 either way), `bad-string` (half of a surrogate pair), `too-deep`; or `not-object`.
pub fn parse_object(bytes: &[u8]) -> Result<Object, Error> {
    parse_object_within(bytes, MAX_DEPTH)
}

/// As [`parse_object`], with another limit of levels.
pub(crate) fn parse_object_within(bytes: &[u8], limit: usize) -> Result<Object, Error> {
    match read(bytes, limit)? {
        Value::Object(object) => Ok(object),
        _ => Err(Error::new(Code::NotObject, "The outermost JSON value is not an object.")),
    }
}

/// As [`parse_object`], for any JSON value.
///
/// # Errors
/// As [`parse_object`], without `not-object`.
pub fn parse(bytes: &[u8]) -> Result<Value, Error> {
    read(bytes, MAX_DEPTH)
}

fn read(bytes: &[u8], limit: usize) -> Result<Value, Error> {
    let text =
        std::str::from_utf8(bytes).map_err(|_| Error::new(Code::NotUtf8, "The text is not valid UTF-8."))?;
    let mut reader = Reader { text, at: 0, limit };
    reader.skip_white_space();
    let value = reader.value(0)?;
    reader.skip_white_space();
    if reader.at == text.len() { Ok(value) } else { Err(not_json()) }
}

fn not_json() -> Error {
    Error::new(Code::NotJson, "The text is not valid JSON.")
}

fn bad_string() -> Error {
    Error::new(Code::BadString, "A string has half of a surrogate pair.")
}

/// Recursion is bounded by the limit of depth.
struct Reader<'text> {
    text: &'text str,
    at: usize,
    limit: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, expected: &str) -> bool {
        let found = self.text.as_bytes()[self.at..].starts_with(expected.as_bytes());
        if found {
            self.at += expected.len();
        }
        found
    }

    fn skip_white_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value, Error> {
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string().map(Value::String),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ if self.take("null") => Ok(Value::Null),
            _ if self.take("true") => Ok(Value::Bool(true)),
            _ if self.take("false") => Ok(Value::Bool(false)),
            // What many writers make of numbers that JSON does not have.
            _ if self.take("NaN") || self.take("Infinity") => Err(bad_number()),
            _ => Err(not_json()),
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value, Error> {
        let depth = deeper(depth, self.limit)?;
        let mut items = Vec::new();
        self.at += 1;
        self.skip_white_space();
        if self.take("]") {
            return Ok(Value::Array(items));
        }
        loop {
            self.skip_white_space();
            items.push(self.value(depth)?);
            self.skip_white_space();
            if self.take("]") {
                return Ok(Value::Array(items));
            }
            if !self.take(",") {
                return Err(not_json());
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, Error> {
        let depth = deeper(depth, self.limit)?;
        let mut members = Vec::new();
        self.at += 1;
        self.skip_white_space();
        if self.take("}") {
            return Ok(Value::Object(Object::new()));
        }
        loop {
            self.skip_white_space();
            if self.peek() != Some(b'"') {
                return Err(not_json());
            }
            let key = self.string()?;
            self.skip_white_space();
            if !self.take(":") {
                return Err(not_json());
            }
            self.skip_white_space();
            members.push((key, self.value(depth)?));
            self.skip_white_space();
            if self.take("}") {
                return Object::from_members(members).map(Value::Object);
            }
            if !self.take(",") {
                return Err(not_json());
            }
        }
    }

    fn digits(&mut self) -> Result<(), Error> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == start { Err(not_json()) } else { Ok(()) }
    }

    fn number(&mut self) -> Result<Value, Error> {
        let start = self.at;
        if self.take("-") && self.take("Infinity") {
            return Err(bad_number());
        }
        if !self.take("0") {
            self.digits()?;
        }
        let mut whole = true;
        if self.take(".") {
            whole = false;
            self.digits()?;
        }
        if self.take("e") || self.take("E") {
            whole = false;
            let _sign = self.take("+") || self.take("-");
            self.digits()?;
        }
        let text = &self.text[start..self.at];
        if whole {
            // What does not fit into 64 bits is beyond the limit, too.
            let number = text.parse::<i64>().map_err(|_| bad_number())?;
            return if (-SAFE_INTEGER..=SAFE_INTEGER).contains(&number) {
                Ok(Value::Integer(number))
            } else {
                Err(bad_number())
            };
        }
        let number = text.parse::<f64>().map_err(|_| bad_number())?;
        if (-SAFE_FLOAT..=SAFE_FLOAT).contains(&number) {
            Ok(Value::Float(number))
        } else {
            Err(bad_number())
        }
    }

    fn string(&mut self) -> Result<String, Error> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let start = self.at;
            while self.peek().is_some_and(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
                self.at += 1;
            }
            out.push_str(&self.text[start..self.at]);
            if self.take("\"") {
                return Ok(out);
            }
            if !self.take("\\") {
                return Err(not_json()); // a control character, or the end
            }
            out.push(self.escaped()?);
        }
    }

    fn escaped(&mut self) -> Result<char, Error> {
        let letter = self.peek().ok_or_else(not_json)?;
        self.at += 1;
        Ok(match letter {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\x08',
            b'f' => '\x0c',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.code_unit()?;
                if let Some(character) = char::from_u32(first.into()) {
                    return Ok(character);
                }
                if !self.take("\\u") {
                    return Err(bad_string());
                }
                let pair = [first, self.code_unit()?];
                char::decode_utf16(pair).next().and_then(Result::ok).ok_or_else(bad_string)?
            }
            _ => return Err(not_json()),
        })
    }

    fn code_unit(&mut self) -> Result<u16, Error> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4).ok_or_else(not_json)?;
        let mut unit = 0;
        for digit in digits {
            let value = char::from(*digit).to_digit(16).ok_or_else(not_json)?;
            unit = unit << 4 | value;
        }
        self.at += 4;
        u16::try_from(unit).map_err(|_| not_json())
    }
}
