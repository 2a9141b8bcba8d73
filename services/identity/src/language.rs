//! The languages of pages and mails.

use http::{HeaderMap, header};

/// A language that Stoa speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Language {
    /// English.
    #[default]
    En,
    /// Vietnamese.
    Vi,
}

impl Language {
    /// What the browser asks for (RFC 9110, section 12.5.4): the language with the greater weight, the first of equals,
    /// English when neither is named.
    #[must_use]
    pub(crate) fn of_request(headers: &HeaderMap) -> Self {
        let mut best: Option<(u16, Self)> = None;
        for range in headers
            .get_all(header::ACCEPT_LANGUAGE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
        {
            let mut parts = range.split(';').map(str::trim);
            let Some(language) = parts.next().and_then(Self::of_tag) else {
                continue;
            };
            let weight = parts
                .find_map(|part| part.strip_prefix("q="))
                .map_or(1000, |q| thousandths(q).unwrap_or(0));
            if weight > best.map_or(0, |(weight, _)| weight) {
                best = Some((weight, language));
            }
        }
        best.map_or(Self::En, |(_, language)| language)
    }

    /// The language of a tag such as `vi` or `en-GB`.
    #[must_use]
    pub(crate) fn of_tag(tag: &str) -> Option<Self> {
        match tag.split('-').next()?.to_ascii_lowercase().as_str() {
            "en" => Some(Self::En),
            "vi" => Some(Self::Vi),
            _ => None,
        }
    }

    /// The tag (BCP 47).
    #[must_use]
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Vi => "vi",
        }
    }
}

fn thousandths(weight: &str) -> Option<u16> {
    let weight: f32 = weight.parse().ok()?;
    (0.0..=1.0).contains(&weight).then_some((weight * 1000.0) as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greater_weight_wins_and_english_stands_in() {
        for (accepted, language) in [
            ("", Language::En),
            ("vi", Language::Vi),
            ("vi-VN,vi;q=0.9,en;q=0.8", Language::Vi),
            ("fr, en;q=0.2, vi;q=0.7", Language::Vi),
            ("en-GB,vi", Language::En),
            ("vi;q=0, de", Language::En),
            ("vi;q=nonsense,en;q=0.1", Language::En),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_LANGUAGE, accepted.parse().unwrap());
            assert_eq!(Language::of_request(&headers), language, "{accepted}");
        }
    }
}
