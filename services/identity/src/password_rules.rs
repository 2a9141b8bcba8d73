//! Which passwords may be chosen (NIST SP 800-63B, section 5.1.1.2): long enough, not a common one, not one's own name.
//! No rules about kinds of characters.

use std::collections::HashSet;
use std::sync::LazyLock;
use stoa_kernel::FieldError;

/// The fewest characters.
pub(crate) const MIN: usize = 12;
/// The most characters.
pub(crate) const MAX: usize = 200;

/// The fewest digits of a number that is told from digits by chance.
const SHORTEST_COMMON_NUMBER: usize = 6;

/// In lower case, one a line; lines with `#` say where they come from.
const COMMON: &str = include_str!("common-passwords.txt");

static COMMON_PASSWORDS: LazyLock<HashSet<&str>> =
    LazyLock::new(|| COMMON.lines().filter(|line| !line.starts_with('#')).collect());

/// Why a password may not be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PasswordFault {
    /// Fewer than [`MIN`] characters.
    TooShort,
    /// More than [`MAX`] characters.
    TooLong,
    /// Among the first that somebody would guess.
    Common,
    /// The e-mail address or the name.
    Personal,
}

impl PasswordFault {
    /// The fault as an API tells it.
    #[must_use]
    pub(crate) fn field_error(self) -> FieldError {
        let (rule, detail) = match self {
            Self::TooShort | Self::TooLong => ("length", "12 to 200 characters"),
            Self::Common => (
                "common",
                "not a password that many people use, nor one with digits added",
            ),
            Self::Personal => ("personal", "not the e-mail address or the name"),
        };
        FieldError::new("/password", rule, detail)
    }
}

/// Checks a password that somebody chooses for the account of `email` and `name`.
///
/// # Errors
/// The first rule that it breaks.
pub(crate) fn check(password: &str, email: &str, name: &str) -> Result<(), PasswordFault> {
    let length = password.chars().count();
    if length < MIN {
        return Err(PasswordFault::TooShort);
    }
    if length > MAX {
        return Err(PasswordFault::TooLong);
    }
    let lower = password.to_lowercase();
    let core = core(&lower);
    if is_common(&lower) || is_common(core) || is_repetition(&lower) || is_guessable_number(&lower) {
        return Err(PasswordFault::Common);
    }
    let own = [
        email.to_lowercase(),
        email.split('@').next().unwrap_or_default().to_lowercase(),
        name.to_lowercase(),
        name.split_whitespace().collect::<String>().to_lowercase(),
    ];
    if own
        .iter()
        .filter(|text| !text.is_empty())
        .any(|text| *text == lower || text == core)
    {
        return Err(PasswordFault::Personal);
    }
    Ok(())
}

fn is_common(text: &str) -> bool {
    COMMON_PASSWORDS.contains(text)
}

/// Without the digits and signs around it, which are what people add when a rule asks for more.
fn core(text: &str) -> &str {
    text.trim_matches(|c: char| !c.is_alphabetic())
}

/// Whether it is a short text over and over, a common one twice, or a row of neighbours such as `abcdefghijkl`.
fn is_repetition(text: &str) -> bool {
    let chars: Vec<char> = text.chars().collect();
    let repeats = |period: usize| chars.iter().zip(chars.iter().skip(period)).all(|(a, b)| a == b);
    let twice = chars.len().is_multiple_of(2)
        && repeats(chars.len() / 2)
        && is_common(&chars.iter().take(chars.len() / 2).collect::<String>());
    let step = |pair: (&char, &char)| i64::from(u32::from(*pair.1)) - i64::from(u32::from(*pair.0));
    let row = |by: i64| {
        chars
            .iter()
            .zip(chars.iter().skip(1))
            .all(|pair| step(pair) == by)
    };
    (1..=4).any(repeats) || twice || row(1) || row(-1)
}

/// Whether it is a number, perhaps with signs around it, that goes in equal steps such as `678901234567` (0 follows 9),
/// repeats a shorter one, or is a common one with digits around it.
fn is_guessable_number(text: &str) -> bool {
    let number = text.trim_matches(|c: char| !c.is_alphanumeric());
    let digits: Option<Vec<u32>> = number.chars().map(|c| c.to_digit(10)).collect();
    let Some(digits) = digits.filter(|digits| digits.len() >= SHORTEST_COMMON_NUMBER) else {
        return false;
    };
    let mut steps = digits
        .iter()
        .zip(digits.iter().skip(1))
        .map(|(a, b)| (10 + b - a) % 10);
    let first = steps.next();
    let is_row = steps.all(|step| Some(step) == first);
    let repeats = |period: usize| digits.iter().zip(digits.iter().skip(period)).all(|(a, b)| a == b);
    is_row
        || (1..=digits.len() / 2).any(repeats)
        || COMMON_PASSWORDS
            .iter()
            .any(|common| is_number(common) && number.contains(common))
}

fn is_number(text: &str) -> bool {
    text.len() >= SHORTEST_COMMON_NUMBER && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(password: &str) -> Result<(), PasswordFault> {
        check(password, "ada.lovelace@example.com", "Ada Lovelace")
    }

    // covers: ID-05
    #[test]
    fn common_personal_short_and_endless_passwords_are_refused() {
        for good in [
            "correct horse battery",
            "stoa-demo-2026",
            "ngày mai trời lại sáng",
            "p7#kQz!m2Lw9",
            "830274619583",
        ] {
            assert_eq!(judge(good), Ok(()), "{good}");
        }
        for (password, fault) in [
            ("elevenchars", PasswordFault::TooShort),
            ("qwertyuiop[]", PasswordFault::Common),
            ("Password2026!", PasswordFault::Common),
            ("!!!!sunshine!!!!", PasswordFault::Common),
            ("sunshinesunshine", PasswordFault::Common),
            ("aaaaaaaaaaaaa", PasswordFault::Common),
            ("abcabcabcabcabc", PasswordFault::Common),
            ("abcdefghijklmn", PasswordFault::Common),
            ("123456789012", PasswordFault::Common),
            ("098765432109", PasswordFault::Common),
            ("456789012345", PasswordFault::Common),
            ("!!456789012345", PasswordFault::Common),
            ("830278302783027", PasswordFault::Common),
            ("830274830274", PasswordFault::Common),
            ("838312345683", PasswordFault::Common),
            ("ada.lovelace@example.com", PasswordFault::Personal),
            ("Ada.Lovelace1815", PasswordFault::Personal),
            ("ADA LOVELACE", PasswordFault::Personal),
            ("adalovelace1815", PasswordFault::Personal),
        ] {
            assert_eq!(judge(password), Err(fault), "{password}");
        }
        assert_eq!(judge(&"ab cd".repeat(41)), Err(PasswordFault::TooLong));
        assert!(COMMON_PASSWORDS.len() > 10_000);
    }
}
