//! E-mail addresses and phone numbers.

use stoa_kernel::Validation;

/// An e-mail address in lower case, or none. The rules are those of RFC 5321 without its rarities (quotes, comments,
/// address literals), which no mail provider hands out.
pub(super) fn email(check: &mut Validation, value: Option<&str>) -> Option<String> {
    let value = value.map(str::trim).filter(|v| !v.is_empty())?.to_lowercase();
    if !is_email(&value) {
        check.refuse(
            "/email",
            "format",
            "must be an e-mail address such as name@example.com",
        );
    }
    Some(value)
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    let labels: Vec<&str> = domain.split('.').collect();
    text.len() <= 254
        && local.len() <= 64
        && local
            .split('.')
            .all(|part| !part.is_empty() && part.chars().all(is_local))
        && labels.len() >= 2
        && labels.iter().all(|label| is_label(label))
}

/// `atext` of RFC 5322, section 3.2.3, and the letters beyond ASCII of RFC 6531.
fn is_local(c: char) -> bool {
    c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c)
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.chars().all(|c| c.is_alphanumeric() || c == '-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// A phone number, or none: `^\+?[1-9]\d{1,14}$`, the digits of ITU-T E.164.
pub(super) fn phone(check: &mut Validation, value: Option<&str>) -> Option<String> {
    let value = value.map(str::trim).filter(|v| !v.is_empty())?;
    let digits = value.strip_prefix('+').unwrap_or(value);
    let is_phone = (2..=15).contains(&digits.len())
        && digits.bytes().all(|b| b.is_ascii_digit())
        && !digits.starts_with('0');
    if !is_phone {
        let rule = "must have 2 to 15 digits, not starting with 0, with or without + in front";
        check.refuse("/phone", "format", rule);
    }
    Some(value.to_owned())
}
