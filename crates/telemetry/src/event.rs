//! The parts of one log line, gathered from an event's fields.

use std::error::Error;
use std::fmt;

use tracing::field::{Field, Visit};

use crate::encode::{Escape, Value, push};
use crate::ids::{IdKind, Ids};
use crate::redact::{REDACTED, is_secret};

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    Json,
    Text { colour: bool },
}

impl Style {
    pub(crate) fn escape(self) -> Escape {
        match self {
            Self::Json => Escape::Json,
            Self::Text { .. } => Escape::Control,
        }
    }
}

/// What one event says; its buffers are used again for the next one.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    pub(crate) message: Vec<u8>,
    pub(crate) duration_ms: Vec<u8>,
    /// The target that a record of the `log` crate brings along.
    pub(crate) log_target: Vec<u8>,
    pub(crate) ids: Ids,
    /// All other fields, each with its separator before it.
    pub(crate) rest: Vec<u8>,
}

impl Parts {
    pub(crate) fn clear(&mut self) {
        self.message.clear();
        self.duration_ms.clear();
        self.log_target.clear();
        self.ids.clear();
        self.rest.clear();
    }
}

/// Sorts an event's fields into [`Parts`].
pub(crate) struct Gather<'a> {
    pub(crate) parts: &'a mut Parts,
    pub(crate) style: Style,
}

impl Gather<'_> {
    fn put(&mut self, name: &str, value: &Value<'_>) {
        let escape = self.style.escape();
        if let Some(kind) = IdKind::of_field(name) {
            return self.parts.ids.set(kind, value);
        }
        match name {
            "message" => value.write_unquoted(&mut self.parts.message, escape),
            "duration_ms" => value.write(&mut self.parts.duration_ms, escape),
            "log.target" => value.write_unquoted(&mut self.parts.log_target, escape),
            "log.module_path" | "log.file" | "log.line" => {}
            _ if is_secret(name) => self.field(name, &Value::Text(REDACTED)),
            _ => self.field(name, value),
        }
    }

    fn field(&mut self, name: &str, value: &Value<'_>) {
        let rest = &mut self.parts.rest;
        match self.style {
            Style::Json => {
                rest.extend_from_slice(b",\"");
                // A line has each key once.
                if matches!(name, "timestamp" | "level" | "service" | "instance" | "target") {
                    rest.extend_from_slice(b"field.");
                }
                push(rest, name, Escape::Json);
                rest.extend_from_slice(b"\":");
            }
            Style::Text { colour } => {
                rest.extend_from_slice(if colour { b" \x1b[2m" } else { b" " });
                push(rest, name, Escape::Control);
                rest.extend_from_slice(if colour { b"=\x1b[0m" } else { b"=" });
            }
        }
        value.write(rest, self.style.escape());
    }
}

impl Visit for Gather<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no word for infinity.
        if value.is_finite() {
            self.put(field.name(), &Value::Bare(&value));
        } else {
            self.put(field.name(), &Value::Debug(&value));
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field.name(), &Value::Bare(&value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field.name(), &Value::Bare(&value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field.name(), &Value::Bare(&value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field.name(), &Value::Text(value));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.put(field.name(), &Value::Error(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field.name(), &Value::Debug(value));
    }
}
