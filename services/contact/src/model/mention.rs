//! `@handle` in a text.

use std::collections::BTreeSet;

/// The most handles that are looked up for one text; further ones stay text.
const MAX_HANDLES: usize = 50;
/// How long handles are, in characters, which all are ASCII.
const LENGTH: std::ops::RangeInclusive<usize> = 3..=40;

/// The handles that a text may mention: in lower case, without the `@`, each once, in the order in which they come.
///
/// A handle follows an `@` that begins a word, so that an e-mail address mentions nobody, and is not followed by another
/// `@`. Punctuation at its end belongs to the sentence.
pub(crate) fn handles(text: &str) -> Vec<String> {
    let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
    let mut before = None;
    for (at, c) in text.char_indices() {
        if c == '@' && !before.is_some_and(continues_word) {
            let rest = text.get(at + 1..).unwrap_or_default();
            if let Some(handle) = handle(rest)
                && found.len() < MAX_HANDLES
                && seen.insert(handle.clone())
            {
                found.push(handle);
            }
        }
        before = Some(c);
    }
    found
}

/// The handle at the beginning of a text.
fn handle(text: &str) -> Option<String> {
    let end = text.find(|c| !is_of_handle(c)).unwrap_or(text.len());
    let (word, rest) = text.split_at_checked(end)?;
    let word = word.trim_end_matches(is_punctuation);
    let is_word = rest
        .chars()
        .next()
        .is_none_or(|next| !next.is_alphanumeric() && next != '@');
    let is_handle = LENGTH.contains(&word.len()) && !word.starts_with(is_punctuation) && is_word;
    is_handle.then(|| word.to_ascii_lowercase())
}

fn is_of_handle(c: char) -> bool {
    c.is_ascii_alphanumeric() || is_punctuation(c)
}

fn is_punctuation(c: char) -> bool {
    matches!(c, '.' | '_' | '-')
}

/// Whether an `@` after this character is inside of a word, such as an e-mail address or a URL.
fn continues_word(c: char) -> bool {
    c.is_alphanumeric() || "@.-+%/=".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    // covers: CRM-05
    #[test]
    fn handles_are_found_where_a_word_begins() {
        for (text, expected) in [
            ("", &[][..]),
            ("@alice", &["alice"]),
            ("Ask @Alice, (@bob.lee) and @ALICE.", &["alice", "bob.lee"]),
            ("first line\n@alice\n\"@bob\"", &["alice", "bob"]),
            ("thanks @alice! — @bob-2_x…", &["alice", "bob-2_x"]),
            ("xin chào @nguyen.van.an ạ", &["nguyen.van.an"]),
        ] {
            assert_eq!(handles(text), expected, "{text:?}");
        }
    }

    // covers: CRM-05
    #[test]
    fn what_only_looks_like_one_is_text() {
        for text in [
            "alice@example.com",
            "mail first.last@alice.example",
            "a+@alice",
            "@alice@example.social",
            "@@alice",
            "@",
            "@ alice",
            "@al",
            "@.alice",
            "@-alice",
            "@đặng",
            "@aliceđ",
            "é@alice",
        ] {
            assert_eq!(handles(text), Vec::<String>::new(), "{text:?}");
        }
        assert_eq!(handles(&format!("@{}", "a".repeat(41))), Vec::<String>::new());
        let many: String = (0..60).map(|n| format!("@user{n} ")).collect();
        assert_eq!(handles(&many).len(), 50);
    }
}
