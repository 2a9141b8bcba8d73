//! Text as it is compared and searched.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Some characters unfold into many; an index entry of PostgreSQL holds 2,704 bytes.
const MAX_KEY_BYTES: usize = 1_000;

/// The form in which names are compared, sorted and searched by prefix: without case, accents and needless spaces.
/// Kept in a column with collation "C", because under row-level security only its operators use an index.
#[must_use]
pub fn search_key(text: &str) -> String {
    let mut key = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !key.is_empty() {
            key.push(' ');
        }
        let folded = word.nfkd().filter(|c| !is_combining_mark(*c));
        for c in folded.flat_map(char::to_lowercase) {
            if key.len() >= MAX_KEY_BYTES {
                return key;
            }
            // Letters whose bar or slash is not a combining mark in Unicode.
            key.push(match c {
                'đ' => 'd',
                'ø' => 'o',
                'ł' => 'l',
                c => c,
            });
        }
    }
    key
}

/// The end (exclusive) of the texts that begin with `prefix`, in the order of collation "C"; `None` when there is no
/// greater text than these.
#[must_use]
pub fn prefix_end(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        let next = match last {
            // The surrogates, which are no characters, lie between.
            '\u{D7FF}' => Some('\u{E000}'),
            c => char::from_u32(u32::from(c) + 1),
        };
        if let Some(next) = next {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_forget_case_accents_and_spaces() {
        assert_eq!(search_key("  Nguyễn   Văn Đức "), "nguyen van duc");
        assert_eq!(search_key("ÅNGSTRÖM"), "angstrom");
        assert_eq!(search_key("ﬁne"), "fine");
        assert_eq!(search_key(" "), "");
        assert!(search_key(&"\u{FDFA}".repeat(200)).len() < 1_010);
    }

    #[test]
    fn prefixes_end_right_after_their_last_text() {
        assert_eq!(prefix_end("ab").as_deref(), Some("ac"));
        assert_eq!(prefix_end("a\u{10FFFF}").as_deref(), Some("b"));
        assert_eq!(prefix_end("\u{D7FF}").as_deref(), Some("\u{E000}"));
        assert_eq!(prefix_end("\u{10FFFF}"), None);
        assert_eq!(prefix_end(""), None);
    }
}
