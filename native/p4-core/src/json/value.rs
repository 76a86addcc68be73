//! JSON values, with the members of objects in canonical order.

use std::cmp::Ordering;

use crate::{Code, Error};

/// A JSON value.
///
/// Integers and fractions are told apart as they are written: `1` is an integer, `1.0` a fraction. Their
/// canonical form is the same.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number written without fraction and exponent.
    Integer(i64),
    /// A number written with a fraction or an exponent.
    Float(f64),
    /// A string.
    String(String),
    /// An array.
    Array(Vec<Value>),
    /// An object.
    Object(Object),
}

impl Value {
    /// The text, if it is a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    /// The number, if it is written as an integer.
    #[must_use]
    pub const fn as_integer(&self) -> Option<i64> {
        if let Self::Integer(number) = self { Some(*number) } else { None }
    }

    /// The members, if it is an object.
    #[must_use]
    pub const fn as_object(&self) -> Option<&Object> {
        if let Self::Object(object) = self { Some(object) } else { None }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::String(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::String(value)
    }
}

impl From<Vec<Value>> for Value {
    fn from(value: Vec<Value>) -> Self {
        Self::Array(value)
    }
}

impl From<Object> for Value {
    fn from(value: Object) -> Self {
        Self::Object(value)
    }
}

/// The members of a JSON object. No key is there twice; their order is that of RFC 8785 section 3.2.3.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object {
    members: Vec<(String, Value)>,
}

impl Object {
    /// An object without members.
    #[must_use]
    pub const fn new() -> Self {
        Self { members: Vec::new() }
    }

    /// An object of members in any order.
    ///
    /// # Errors
    /// `duplicate-key`
    pub fn from_members(mut members: Vec<(String, Value)>) -> Result<Self, Error> {
        members.sort_by(|(left, _), (right, _)| order(left, right));
        if members.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            // Readers differ in which of the two they take: one signature, two meanings.
            return Err(Error::new(Code::DuplicateKey, "An object has the same key twice."));
        }
        Ok(Self { members })
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.find(key).ok().map(|index| &self.members[index].1)
    }

    /// Sets a key and returns the value that it had.
    pub fn insert(&mut self, key: impl Into<String>, value: impl Into<Value>) -> Option<Value> {
        let (key, value) = (key.into(), value.into());
        match self.find(&key) {
            Ok(index) => Some(std::mem::replace(&mut self.members[index].1, value)),
            Err(index) => {
                self.members.insert(index, (key, value));
                None
            }
        }
    }

    /// Takes a key out and returns its value.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        self.find(key).ok().map(|index| self.members.remove(index).1)
    }

    /// Keys and values in canonical order.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.members.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// The number of members.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there is no member.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    fn find(&self, key: &str) -> Result<usize, usize> {
        self.members.binary_search_by(|(known, _)| order(known, key))
    }
}

impl<Key: Into<String>, Item: Into<Value>, const N: usize> From<[(Key, Item); N]> for Object {
    /// Of equal keys the last counts.
    fn from(members: [(Key, Item); N]) -> Self {
        members.into_iter().collect()
    }
}

impl<Key: Into<String>, Item: Into<Value>> FromIterator<(Key, Item)> for Object {
    /// Of equal keys the last counts.
    fn from_iter<Members: IntoIterator<Item = (Key, Item)>>(members: Members) -> Self {
        let mut object = Self::new();
        for (key, value) in members {
            object.insert(key, value);
        }
        object
    }
}

/// By UTF-16 code units. Byte order would be that of code points, and differ outside the BMP.
fn order(left: &str, right: &str) -> Ordering {
    left.encode_utf16().cmp(right.encode_utf16())
}
