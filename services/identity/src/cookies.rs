//! Cookies: opaque, HttpOnly, SameSite=Lax; over https also Secure and bound to the host by their prefix
//! (RFC 6265bis, section 4.1.3.2).

use http::{HeaderMap, header};

/// Which cookies a deployment uses: with or without https.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cookies {
    secure: bool,
}

/// A cookie of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cookie {
    /// The single sign-on session.
    Session,
    /// What a form's CSRF token is bound to.
    Csrf,
}

impl Cookies {
    /// Cookies for `issuer`: secure when it is https.
    #[must_use]
    pub(crate) fn of_issuer(issuer: &str) -> Self {
        Self {
            secure: issuer.starts_with("https://"),
        }
    }

    /// The cookie's name.
    #[must_use]
    pub(crate) fn name(self, cookie: Cookie) -> &'static str {
        match (cookie, self.secure) {
            (Cookie::Session, true) => "__Host-stoa_session",
            (Cookie::Session, false) => "stoa_session",
            (Cookie::Csrf, true) => "__Host-stoa_csrf",
            (Cookie::Csrf, false) => "stoa_csrf",
        }
    }

    /// A `Set-Cookie` value; the cookie lives as long as the browser's session.
    #[must_use]
    pub(crate) fn set(self, cookie: Cookie, value: &str) -> String {
        let secure = if self.secure { "; Secure" } else { "" };
        format!(
            "{}={value}; Path=/; HttpOnly; SameSite=Lax{secure}",
            self.name(cookie)
        )
    }

    /// A `Set-Cookie` value that removes the cookie.
    #[must_use]
    pub(crate) fn clear(self, cookie: Cookie) -> String {
        format!("{}; Max-Age=0", self.set(cookie, ""))
    }

    /// The cookie's value in a request; `None` unless it has the form of a secret.
    #[must_use]
    pub(crate) fn read(self, headers: &HeaderMap, cookie: Cookie) -> Option<String> {
        let name = self.name(cookie);
        headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value.to_owned())
            .filter(|value| crate::secret::is_well_formed(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // covers: ID-03
    #[test]
    fn cookies_carry_the_flags_of_their_scheme() {
        let https = Cookies::of_issuer("https://id.example").set(Cookie::Session, "v");
        assert_eq!(
            https,
            "__Host-stoa_session=v; Path=/; HttpOnly; SameSite=Lax; Secure"
        );
        let http = Cookies::of_issuer("http://127.0.0.1:8080");
        assert_eq!(
            http.set(Cookie::Csrf, "v"),
            "stoa_csrf=v; Path=/; HttpOnly; SameSite=Lax"
        );
        assert!(http.clear(Cookie::Session).ends_with("; Max-Age=0"));
    }

    #[test]
    fn reads_only_well_formed_values() {
        let cookies = Cookies::of_issuer("http://a");
        let value = "a".repeat(43);
        let mut headers = HeaderMap::new();
        let text = format!("x=1; stoa_session={value}");
        headers.insert(header::COOKIE, text.parse().unwrap());
        assert_eq!(cookies.read(&headers, Cookie::Session), Some(value));
        assert_eq!(cookies.read(&headers, Cookie::Csrf), None);
        headers.insert(header::COOKIE, "stoa_session=<b>".parse().unwrap());
        assert_eq!(cookies.read(&headers, Cookie::Session), None);
    }
}
