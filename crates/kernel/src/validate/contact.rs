//! E-mail addresses and phone numbers: the same rules wherever a person or a company is reached.

use super::Validation;

impl Validation {
    /// An e-mail address in lower case; an empty text means none. The rules are those of RFC 5321 without its rarities
    /// (quotes, comments, address literals), which no mail provider hands out.
    pub fn email(&mut self, pointer: &str, value: Option<&str>) -> Option<String> {
        let value = value.map(str::trim).filter(|v| !v.is_empty())?.to_lowercase();
        if !is_email(&value) {
            let rule = "must be an e-mail address such as name@example.com";
            self.refuse(pointer, "format", rule);
        }
        Some(value)
    }

    /// A phone number; an empty text means none. `^\+?[1-9]\d{1,14}$`, the digits of ITU-T E.164.
    pub fn phone(&mut self, pointer: &str, value: Option<&str>) -> Option<String> {
        let value = value.map(str::trim).filter(|v| !v.is_empty())?;
        let digits = value.strip_prefix('+').unwrap_or(value);
        let is_phone = (2..=15).contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_digit())
            && !digits.starts_with('0');
        if !is_phone {
            let rule = "must have 2 to 15 digits, not starting with 0, with or without + in front";
            self.refuse(pointer, "format", rule);
        }
        Some(value.to_owned())
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_numbers_are_tidied_and_judged() {
        let mut check = Validation::new();
        let email = check.email("/email", Some(" Ann.Lee+x@Example.COM "));
        assert_eq!(email.as_deref(), Some("ann.lee+x@example.com"));
        assert_eq!(check.email("/email", Some(" ")), None);
        assert_eq!(check.phone("/phone", None), None);
        assert_eq!(
            check.phone("/phone", Some(" +4930123456 ")).as_deref(),
            Some("+4930123456")
        );
        assert!(check.finish(()).is_ok());

        for bad in [
            "a", "a@b", "@b.c", "a b@c.d", "a..b@c.d", "a@-c.d", "a@c..d", "a@b@c.d",
        ] {
            let mut check = Validation::new();
            check.email("/who/email", Some(bad));
            let problem = check.finish(()).unwrap_err();
            assert_eq!(problem.errors[0].pointer, "/who/email", "{bad}");
        }
        for bad in ["+1", "012", "12a", "++12", "１２３"] {
            let mut check = Validation::new();
            check.phone("/phone", Some(bad));
            assert!(check.finish(()).is_err(), "{bad}");
        }
    }
}
