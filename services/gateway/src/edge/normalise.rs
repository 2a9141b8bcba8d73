//! Stage 1: one meaning for the path. What is decoded here once is what is routed, authorised and forwarded.

use super::Refusal;
use http::StatusCode;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::borrow::Cow;
use stoa_kernel::Problem;

/// The longest path, in bytes as received.
const MAX_PATH: usize = 4096;

/// Everything but `pchar` and `/` (RFC 3986, section 3.3).
const NOT_PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@')
    .remove(b'/');

/// Decodes a path once. Borrows when it is plain already, which nearly every path is.
///
/// # Errors
/// 400 with the reason, when the path could mean different things to different readers.
pub(super) fn normalise(raw: &str) -> Result<Cow<'_, str>, Refusal> {
    if raw.len() > MAX_PATH {
        return Err(Refusal::new(
            "path.too_long",
            Problem::new(
                StatusCode::URI_TOO_LONG,
                "request.path_too_long",
                "Path too long",
                "the path exceeds 4096 bytes; shorten it",
            ),
        ));
    }
    let decoded = decode(raw)?;
    check_segments(&decoded)?;
    Ok(decoded)
}

/// The one spelling of a normalised path that is forwarded; borrows when nothing needs encoding.
pub(super) fn encode(path: &str) -> Cow<'_, str> {
    utf8_percent_encode(path, NOT_PATH).into()
}

fn decode(raw: &str) -> Result<Cow<'_, str>, Refusal> {
    if !raw.starts_with('/') {
        return Err(bad("path.not_absolute", "the path must start with a slash"));
    }
    if raw.bytes().all(is_plain) {
        return Ok(Cow::Borrowed(raw));
    }
    let mut out = Vec::with_capacity(raw.len());
    let mut bytes = raw.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            match byte {
                b'\\' => return Err(bad("path.backslash", "the path must not contain a backslash")),
                0..=0x1f | 0x7f => return Err(control()),
                _ => out.push(byte),
            }
            continue;
        }
        let mut digit = || bytes.next().and_then(|b| char::from(b).to_digit(16));
        let (Some(high), Some(low)) = (digit(), digit()) else {
            return Err(bad(
                "path.bad_escape",
                "a % in the path must be followed by two hexadecimal digits",
            ));
        };
        match u8::try_from(high * 16 + low).unwrap_or_default() {
            b'/' => {
                return Err(bad(
                    "path.encoded_slash",
                    "the path must not contain an encoded slash (%2F)",
                ));
            }
            b'\\' => {
                return Err(bad(
                    "path.backslash",
                    "the path must not contain a backslash (%5C)",
                ));
            }
            0..=0x1f | 0x7f => return Err(control()),
            byte => out.push(byte),
        }
    }
    let text = String::from_utf8(out).map_err(|_| {
        bad(
            "path.not_utf8",
            "the path must be UTF-8 when decoded, each character in its shortest form",
        )
    })?;
    if is_encoded_twice(&text) {
        return Err(bad(
            "path.encoded_twice",
            "the path must not be percent-encoded twice",
        ));
    }
    Ok(Cow::Owned(text))
}

/// Whether the byte stands for itself in a path (`pchar` without `%`, or a slash).
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'/' | b'-'
                | b'.'
                | b'_'
                | b'~'
                | b'!'
                | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b';'
                | b'='
                | b':'
                | b'@'
        )
}

/// A decoded path that still spells a dot, slash, backslash or NUL in escapes is aimed at a second decoder.
fn is_encoded_twice(decoded: &str) -> bool {
    decoded.split('%').skip(1).any(|after| {
        let code = after.get(..2).unwrap_or_default();
        ["2e", "2f", "5c", "00"]
            .iter()
            .any(|hex| code.eq_ignore_ascii_case(hex))
    })
}

fn check_segments(path: &str) -> Result<(), Refusal> {
    let inner = path.strip_prefix('/').unwrap_or(path);
    let inner = inner.strip_suffix('/').unwrap_or(inner);
    if inner.is_empty() {
        return if path.len() > 1 { Err(empty()) } else { Ok(()) };
    }
    for segment in inner.split('/') {
        if segment.is_empty() {
            return Err(empty());
        }
        // Some servers drop what follows a semicolon, and then see the dots.
        let name = segment.split_once(';').map_or(segment, |(name, _)| name);
        if matches!(name, "." | ".." | "") {
            return Err(bad(
                "path.dot_segment",
                "the path must not have . or .. segments; resolve them before sending",
            ));
        }
    }
    Ok(())
}

fn empty() -> Refusal {
    bad(
        "path.empty_segment",
        "the path must not contain two slashes in a row",
    )
}

fn control() -> Refusal {
    bad("path.control", "the path must not contain control characters")
}

fn bad(reason: &'static str, detail: &str) -> Refusal {
    Refusal::new(reason, Problem::bad_request("request.path", detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    // covers: GW-03
    #[test]
    fn paths_with_two_meanings_are_refused() {
        for (raw, reason) in [
            ("", "path.not_absolute"),
            ("*", "path.not_absolute"),
            ("api", "path.not_absolute"),
            ("//", "path.empty_segment"),
            ("//api", "path.empty_segment"),
            ("/api//customers", "path.empty_segment"),
            ("/api/customers//", "path.empty_segment"),
            ("/api/./customers", "path.dot_segment"),
            ("/api/../admin", "path.dot_segment"),
            ("/api/..", "path.dot_segment"),
            ("/api/../", "path.dot_segment"),
            ("/.", "path.dot_segment"),
            ("/api/%2e%2e/admin", "path.dot_segment"),
            ("/api/%2E./admin", "path.dot_segment"),
            ("/api/.%2e/admin", "path.dot_segment"),
            ("/api/..;x=1/admin", "path.dot_segment"),
            ("/api/..%3b/admin", "path.dot_segment"),
            ("/api/;/admin", "path.dot_segment"),
            ("/api%2fadmin", "path.encoded_slash"),
            ("/api%2Fadmin", "path.encoded_slash"),
            ("/api/..%2fadmin", "path.encoded_slash"),
            ("/api\\admin", "path.backslash"),
            ("/api%5cadmin", "path.backslash"),
            ("/api%5C..%5Cadmin", "path.backslash"),
            ("/api%00", "path.control"),
            ("/api%0d%0aX:1", "path.control"),
            ("/api%7f", "path.control"),
            ("/api/%", "path.bad_escape"),
            ("/api/%2", "path.bad_escape"),
            ("/api/%zz", "path.bad_escape"),
            ("/api/%u002e", "path.bad_escape"),
            ("/api/%252e%252e/admin", "path.encoded_twice"),
            ("/api/%252fadmin", "path.encoded_twice"),
            ("/api/%255C", "path.encoded_twice"),
            ("/api/%2500", "path.encoded_twice"),
            // Overlong forms of "/" and ".", a lone continuation, a surrogate, an end without its rest.
            ("/api%c0%afadmin", "path.not_utf8"),
            ("/api/%c0%ae%c0%ae/admin", "path.not_utf8"),
            ("/api/%e0%80%ae", "path.not_utf8"),
            ("/api/%f0%80%80%af", "path.not_utf8"),
            ("/api/%80", "path.not_utf8"),
            ("/api/%ed%a0%80", "path.not_utf8"),
            ("/api/%c3", "path.not_utf8"),
        ] {
            let refused = normalise(raw).map_err(|refusal| refusal.reason);
            assert_eq!(refused.as_deref(), Err(&reason), "{raw}");
        }
        let long = normalise(&format!("/{}", "a".repeat(MAX_PATH))).unwrap_err();
        assert_eq!((long.reason, long.problem.status), ("path.too_long", 414));
    }

    // covers: GW-03
    #[test]
    fn one_value_is_routed_and_forwarded() {
        for (raw, decoded, forwarded) in [
            ("/", "/", "/"),
            ("/api/customers", "/api/customers", "/api/customers"),
            ("/api/customers/", "/api/customers/", "/api/customers/"),
            ("/api/cust%6fmers", "/api/customers", "/api/customers"),
            ("/api/%61dmin", "/api/admin", "/api/admin"),
            ("/n/Nguy%E1%BB%85n", "/n/Nguyễn", "/n/Nguy%E1%BB%85n"),
            ("/n/Nguyễn", "/n/Nguyễn", "/n/Nguy%E1%BB%85n"),
            ("/a%20b", "/a b", "/a%20b"),
            ("/100%25", "/100%", "/100%25"),
            ("/a%3fb", "/a?b", "/a%3Fb"),
            ("/a%23b", "/a#b", "/a%23b"),
            (
                "/~a/.well-known/x..y/...",
                "/~a/.well-known/x..y/...",
                "/~a/.well-known/x..y/...",
            ),
        ] {
            let path = normalise(raw).unwrap();
            assert_eq!(path, decoded, "{raw}");
            assert_eq!(encode(&path), forwarded, "{raw}");
            assert_eq!(normalise(&encode(&path)).unwrap(), path, "{raw} again");
        }
        assert!(matches!(normalise("/api/customers"), Ok(Cow::Borrowed(_))));
    }
}
