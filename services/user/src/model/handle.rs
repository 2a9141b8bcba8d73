//! Handles: the short names by which users mention each other.

use std::collections::HashSet;
use stoa_kernel::Validation;
use stoa_kernel::text::search_key;
use stoa_types::UserId;

/// The most characters of a handle.
const MAX: usize = 40;
/// Of these, what is kept free behind a handle that is made here, to tell namesakes apart.
const TAIL: usize = 9;
/// How many namesakes are numbered before one gets a tail that nobody has.
const NUMBERED: usize = 9;

/// A handle in lower case, without the `@` that it is mentioned with.
pub(crate) fn checked(check: &mut Validation, text: &str) -> String {
    let handle = normal(text);
    if !is_handle(&handle) {
        let rule = "must have 3 to 40 characters, a-z, 0-9 or, in between, one of `.`, `_`, `-`";
        check.refuse("/handle", "format", rule);
    }
    handle
}

/// A handle as it is compared.
pub(crate) fn normal(text: &str) -> String {
    let text = text.trim();
    text.strip_prefix('@').unwrap_or(text).to_lowercase()
}

/// `^[a-z0-9][a-z0-9._-]{1,38}[a-z0-9]$`
fn is_handle(text: &str) -> bool {
    let is_inner = |b: u8| is_outer(b) || matches!(b, b'.' | b'_' | b'-');
    let bytes = text.as_bytes();
    (3..=MAX).contains(&bytes.len())
        && bytes.iter().all(|b| is_inner(*b))
        && [bytes.first(), bytes.last()]
            .into_iter()
            .flatten()
            .all(|b| is_outer(*b))
}

fn is_outer(b: u8) -> bool {
    b.is_ascii_lowercase() || b.is_ascii_digit()
}

/// The handles that suit an e-mail address, the best first: its local part, and that with a number.
pub(crate) fn candidates(email: &str) -> Vec<String> {
    let base = base(email);
    let numbered = (2..=NUMBERED).map(|n| format!("{base}{n}"));
    std::iter::once(base.clone()).chain(numbered).collect()
}

/// The first candidate that is not taken, or the base with a part of the id.
pub(crate) fn choose(candidates: &[String], taken: &HashSet<String>, id: UserId) -> String {
    if let Some(free) = candidates.iter().find(|c| !taken.contains(*c)) {
        return free.clone();
    }
    let base = candidates.first().map_or("user", String::as_str);
    let id = id.uuid().simple().to_string();
    // The end of a UUIDv7 is random, its beginning is the time.
    let tail: String = id.chars().skip(id.len().saturating_sub(TAIL - 1)).collect();
    format!("{base}-{tail}")
}

fn base(email: &str) -> String {
    let local = email.rsplit_once('@').map_or(email, |(local, _)| local);
    let kept: String = search_key(local)
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '.' })
        .take(MAX - TAIL)
        .collect();
    let words: Vec<&str> = kept.split('.').filter(|word| !word.is_empty()).collect();
    match words.join(".") {
        empty if empty.is_empty() => "user".to_owned(),
        short if short.len() < 3 => format!("user.{short}"),
        base => base,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // covers: CRM-03
    #[test]
    fn handles_follow_their_pattern() {
        for (text, kept) in [
            ("@Alice", "alice"),
            (" a.b-c_9 ", "a.b-c_9"),
            (&*"x".repeat(40), &*"x".repeat(40)),
        ] {
            let mut check = Validation::new();
            assert_eq!(checked(&mut check, text), kept);
            assert!(check.finish(()).is_ok(), "{text}");
        }
        for bad in ["", "ab", ".ab", "ab-", "a b", "đức", "@@ab", &*"x".repeat(41)] {
            let mut check = Validation::new();
            checked(&mut check, bad);
            assert_eq!(
                check.finish(()).unwrap_err().errors[0].pointer,
                "/handle",
                "{bad}"
            );
        }
    }

    #[test]
    fn every_address_gives_a_valid_handle() {
        for (email, handle) in [
            ("alice@acme.test", "alice"),
            ("Ann.Lee+sales@x.y", "ann.lee.sales"),
            ("đức.nguyễn@x.y", "duc.nguyen"),
            ("jo@x.y", "user.jo"),
            ("日本@x.y", "user"),
            ("_-_@x.y", "user"),
        ] {
            assert_eq!(base(email), handle);
        }
        for email in [format!("{}@x.y", "a".repeat(64)), "a-".repeat(32)] {
            let candidates = candidates(&email);
            let taken = candidates.iter().cloned().collect();
            let last = choose(&candidates, &taken, UserId::new());
            for handle in candidates.iter().chain([&last]) {
                assert!(is_handle(handle), "{handle}");
            }
        }
    }

    #[test]
    fn namesakes_are_numbered() {
        let all = candidates("alice@acme.test");
        let taken = |n: usize| all.iter().take(n).cloned().collect();
        assert_eq!(choose(&all, &taken(0), UserId::new()), "alice");
        assert_eq!(choose(&all, &taken(1), UserId::new()), "alice2");
        assert_eq!(choose(&all, &taken(8), UserId::new()), "alice9");
        let last = choose(&all, &taken(9), UserId::new());
        assert!(last.starts_with("alice-") && last.len() == 14, "{last}");
    }
}
