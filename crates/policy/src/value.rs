//! Attribute values, and how a resource, a context or a row hands them over without copying.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// One attribute value as it is stored in a condition or with a subject.
///
/// In JSON: `null`, `true`, `42`, `"text"`, and `{"uuid": "…"}` for an id, so that a text which looks like an
/// id stays a text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected null, a boolean, an integer, a string or {\"uuid\": \"…\"}"
)]
pub enum Value {
    /// Absent: every comparison with it is unknown.
    #[default]
    Null,
    /// A boolean.
    Bool(bool),
    /// A 64-bit integer; times are epoch milliseconds.
    Int(i64),
    /// A text, compared byte by byte (PostgreSQL's collation "C").
    Text(String),
    /// An id.
    Uuid(#[serde(with = "uuid_object")] Uuid),
}

mod uuid_object {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use uuid::Uuid;

    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wrapped {
        uuid: Uuid,
    }

    pub(super) fn serialize<S: Serializer>(uuid: &Uuid, serializer: S) -> Result<S::Ok, S::Error> {
        Wrapped { uuid: *uuid }.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Uuid, D::Error> {
        Wrapped::deserialize(deserializer).map(|wrapped| wrapped.uuid)
    }
}

impl Value {
    /// The value, borrowed.
    pub fn as_ref(&self) -> ValueRef<'_> {
        match self {
            Self::Null => ValueRef::Null,
            Self::Bool(b) => ValueRef::Bool(*b),
            Self::Int(i) => ValueRef::Int(*i),
            Self::Text(t) => ValueRef::Text(t),
            Self::Uuid(u) => ValueRef::Uuid(*u),
        }
    }
}

/// A borrowed [`Value`]: what evaluation works on, so that a decision allocates nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueRef<'a> {
    /// Absent.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A text.
    Text(&'a str),
    /// An id.
    Uuid(Uuid),
}

impl ValueRef<'_> {
    /// Orders two values as PostgreSQL does; `None` when one is null or the types differ, which is "unknown".
    pub fn compare(self, other: ValueRef<'_>) -> Option<Ordering> {
        match (self, other) {
            (Self::Bool(a), ValueRef::Bool(b)) => Some(a.cmp(&b)),
            (Self::Int(a), ValueRef::Int(b)) => Some(a.cmp(&b)),
            (Self::Text(a), ValueRef::Text(b)) => Some(a.cmp(b)),
            (Self::Uuid(a), ValueRef::Uuid(b)) => Some(a.cmp(&b)),
            _ => None,
        }
    }

    /// An owned copy.
    pub fn to_value(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(b) => Value::Bool(b),
            Self::Int(i) => Value::Int(i),
            Self::Text(t) => Value::Text(t.to_owned()),
            Self::Uuid(u) => Value::Uuid(u),
        }
    }
}

impl From<Option<Uuid>> for ValueRef<'_> {
    fn from(id: Option<Uuid>) -> Self {
        id.map_or(Self::Null, Self::Uuid)
    }
}

impl<'a> From<Option<&'a str>> for ValueRef<'a> {
    fn from(text: Option<&'a str>) -> Self {
        text.map_or(Self::Null, Self::Text)
    }
}

/// Something with named attributes: a row, a resource, the context of a request.
///
/// The names are those of the resource's [`Schema`](crate::Schema); a value must have the type declared there.
pub trait Attributes {
    /// The value of one attribute; [`ValueRef::Null`] when it is absent or unknown.
    fn attribute(&self, name: &str) -> ValueRef<'_>;
}

impl Attributes for BTreeMap<String, Value> {
    fn attribute(&self, name: &str) -> ValueRef<'_> {
        self.get(name).map_or(ValueRef::Null, Value::as_ref)
    }
}

impl<const N: usize> Attributes for [(&str, Value); N] {
    fn attribute(&self, name: &str) -> ValueRef<'_> {
        self.iter()
            .find(|(key, _)| *key == name)
            .map_or(ValueRef::Null, |(_, value)| value.as_ref())
    }
}
