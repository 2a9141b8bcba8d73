//! Which fields hold secrets, judged by name.

/// What is written instead of a secret.
pub(crate) const REDACTED: &str = "[redacted]";

const WORDS: [&[u8]; 5] = [b"password", b"secret", b"token", b"authorization", b"cookie"];

/// Whether a field of this name is to be redacted: it contains one of the words, in any case.
pub(crate) fn is_secret(name: &str) -> bool {
    let mut rest = name.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        // The first letter decides nearly always; this runs for every field of every line.
        if matches!(first | 0x20, b'p' | b's' | b't' | b'a' | b'c')
            && WORDS.iter().any(|word| starts_with(rest, word))
        {
            return true;
        }
        rest = tail;
    }
    false
}

fn starts_with(text: &[u8], word: &[u8]) -> bool {
    text.get(..word.len())
        .is_some_and(|head| head.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    // covers: OB-04
    #[test]
    fn names_that_suggest_secrets() {
        for name in [
            "password",
            "new_password",
            "clientSecret",
            "token",
            "Access-Token",
            "Authorization",
            "set-cookie",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in [
            "",
            "p",
            "pass",
            "route",
            "tok",
            "status",
            "secre",
            "author",
            "tenant_id",
        ] {
            assert!(!is_secret(name), "{name}");
        }
    }
}
