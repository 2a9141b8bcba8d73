//! The CSRF token of our forms: derived from a random cookie that another site can neither read nor set.

use crate::cookies::{Cookie, Cookies};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// A form's token and the cookie that it is bound to.
pub(crate) struct Csrf {
    /// The hidden field's value.
    pub token: String,
    /// The cookie to set, unless the browser has one.
    pub set_cookie: Option<String>,
}

/// The token for a new form. An existing cookie is kept, so that forms in several tabs stay valid.
///
/// # Errors
/// When there is no randomness.
pub(crate) fn issue(cookies: Cookies, headers: &HeaderMap) -> Result<Csrf, std::io::Error> {
    if let Some(cookie) = cookies.read(headers, Cookie::Csrf) {
        return Ok(Csrf {
            token: token(&cookie),
            set_cookie: None,
        });
    }
    let cookie = crate::secret::generate()?;
    Ok(Csrf {
        token: token(&cookie),
        set_cookie: Some(cookies.set(Cookie::Csrf, &cookie)),
    })
}

/// Whether `sent` is the token of this browser's cookie.
#[must_use]
pub(crate) fn check(cookies: Cookies, headers: &HeaderMap, sent: Option<&str>) -> bool {
    match (cookies.read(headers, Cookie::Csrf), sent) {
        (Some(cookie), Some(sent)) => token(&cookie).as_bytes().ct_eq(sent.as_bytes()).into(),
        _ => false,
    }
}

fn token(cookie: &str) -> String {
    let digest = Sha256::new().chain_update(b"stoa form ").chain_update(cookie);
    URL_SAFE_NO_PAD.encode(digest.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header;

    #[test]
    fn a_token_belongs_to_its_cookie() {
        let cookies = Cookies::of_issuer("http://a");
        let issued = issue(cookies, &HeaderMap::new()).unwrap();
        let cookie = issued.set_cookie.unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, cookie.split(';').next().unwrap().parse().unwrap());
        assert!(check(cookies, &headers, Some(&issued.token)));
        assert!(!check(cookies, &headers, Some("x")));
        assert!(!check(cookies, &headers, None));
        assert!(!check(cookies, &HeaderMap::new(), Some(&issued.token)));
        let again = issue(cookies, &headers).unwrap();
        assert_eq!((again.token, again.set_cookie), (issued.token, None));
    }
}
