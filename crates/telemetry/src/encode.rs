//! Field values as bytes of a log line: JSON (RFC 8259) or plain text without control characters.

use std::error::Error;
use std::fmt::{self, Write as _};
use std::io::Write as _;

/// Bytes of one value that are kept; the rest becomes `…`.
const VALUE_LIMIT: usize = 16 << 10;

/// How text is made harmless.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Escape {
    /// As the inside of a JSON string.
    Json,
    /// Control characters only, so that a logged value can neither forge a line nor command a terminal.
    Control,
}

/// A field's value as `tracing` hands it over.
pub(crate) enum Value<'v> {
    /// Numbers and truth values, whose `Debug` form is also their JSON form.
    Bare(&'v dyn fmt::Debug),
    Text(&'v str),
    Debug(&'v dyn fmt::Debug),
    /// Written with its chain of causes.
    Error(&'v (dyn Error + 'static)),
}

impl Value<'_> {
    /// Appends the value; as JSON, text is put in quotes.
    pub(crate) fn write(&self, out: &mut Vec<u8>, escape: Escape) {
        match self {
            // Writing to a Vec cannot fail.
            Value::Bare(value) => drop(write!(out, "{value:?}")),
            _ if escape == Escape::Json => {
                out.push(b'"');
                self.write_unquoted(out, escape);
                out.push(b'"');
            }
            _ => self.write_unquoted(out, escape),
        }
    }

    /// Appends the value's text, escaped, without quotes.
    pub(crate) fn write_unquoted(&self, out: &mut Vec<u8>, escape: Escape) {
        let mut writer = Limited {
            out,
            escape,
            left: VALUE_LIMIT,
        };
        // An error here is a `Debug` implementation that gave up or the limit: what was written stays.
        let _ = match self {
            Value::Text(text) => writer.write_str(text),
            Value::Bare(value) | Value::Debug(value) => write!(writer, "{value:?}"),
            Value::Error(error) => write_chain(&mut writer, *error),
        };
    }
}

fn write_chain(out: &mut Limited<'_>, error: &(dyn Error + 'static)) -> fmt::Result {
    write!(out, "{error}")?;
    let mut cause = error.source();
    while let Some(error) = cause {
        write!(out, ": {error}")?;
        cause = error.source();
    }
    Ok(())
}

struct Limited<'a> {
    out: &'a mut Vec<u8>,
    escape: Escape,
    left: usize,
}

impl fmt::Write for Limited<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let kept = text
            .get(..text.floor_char_boundary(self.left))
            .unwrap_or_default();
        push(self.out, kept, self.escape);
        if kept.len() < text.len() {
            push(self.out, "…", self.escape);
            self.left = 0;
            return Err(fmt::Error);
        }
        self.left -= kept.len();
        Ok(())
    }
}

/// Appends text, escaped.
pub(crate) fn push(out: &mut Vec<u8>, text: &str, escape: Escape) {
    match escape {
        Escape::Json => push_json(out, text),
        Escape::Control => push_plain(out, text),
    }
}

fn push_json(out: &mut Vec<u8>, text: &str) {
    let special = |byte: &u8| matches!(byte, 0..0x20 | b'"' | b'\\' | 0x7f);
    // Runs of ordinary bytes are copied whole.
    for run in text.as_bytes().split_inclusive(special) {
        match run.split_last() {
            Some((last, before)) if special(last) => {
                out.extend_from_slice(before);
                push_special(out, *last);
            }
            _ => out.extend_from_slice(run),
        }
    }
}

fn push_special(out: &mut Vec<u8>, byte: u8) {
    match byte {
        b'"' => out.extend_from_slice(b"\\\""),
        b'\\' => out.extend_from_slice(b"\\\\"),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        _ => drop(write!(out, "\\u{byte:04x}")),
    }
}

fn push_plain(out: &mut Vec<u8>, text: &str) {
    for char in text.chars() {
        if char.is_control() {
            let _ = write!(out, "{}", char.escape_default());
        } else {
            out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(value: Value<'_>) -> serde_json::Value {
        let mut out = Vec::new();
        value.write(&mut out, Escape::Json);
        serde_json::from_slice(&out).unwrap()
    }

    // covers: OB-04
    #[test]
    fn any_text_is_valid_json_and_comes_back() {
        let all: String = (0..=0x10ffff)
            .step_by(7)
            .chain(0..0x100)
            .filter_map(char::from_u32)
            .collect();
        for part in all.chars().collect::<Vec<_>>().chunks(1000) {
            let text: String = part.iter().collect();
            assert_eq!(json(Value::Text(&text)), text);
        }
        assert_eq!(json(Value::Bare(&1e300)), 1e300);
        assert_eq!(json(Value::Debug(&Some("a\"b"))), "Some(\"a\\\"b\")");
    }

    #[test]
    fn values_are_limited_and_terminals_safe() {
        let text = "é".repeat(VALUE_LIMIT);
        let shown = json(Value::Text(&text));
        let shown = shown.as_str().unwrap();
        assert!(shown.ends_with("é…") && shown.len() <= VALUE_LIMIT + "…".len());

        let mut out = Vec::new();
        Value::Text("a\u{1b}[2J\nb \"q\"").write(&mut out, Escape::Control);
        assert_eq!(out, b"a\\u{1b}[2J\\nb \"q\"");
    }

    #[test]
    fn errors_show_their_causes() {
        let error = crate::Error::Thread {
            name: "t",
            source: std::io::Error::other("no more"),
        };
        let mut out = Vec::new();
        Value::Error(&error).write(&mut out, Escape::Control);
        assert!(String::from_utf8(out).unwrap().ends_with(": no more"));
    }
}
