//! Registered clients, and which URIs they may be sent back to.

/// An application that signs users in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Client {
    /// Its `client_id`.
    pub id: String,
    /// Its name for people, shown on the sign-in page.
    pub name: String,
    /// Where codes may go.
    pub redirect_uris: Vec<String>,
    /// Where the browser may go after sign-out.
    pub post_logout_redirect_uris: Vec<String>,
}

impl Client {
    /// Whether codes may go to `uri`.
    #[must_use]
    pub(crate) fn may_redirect_to(&self, uri: &str) -> bool {
        self.redirect_uris
            .iter()
            .any(|registered| matches(registered, uri))
    }

    /// Whether the browser may go to `uri` after sign-out.
    #[must_use]
    pub(crate) fn may_return_to(&self, uri: &str) -> bool {
        self.post_logout_redirect_uris
            .iter()
            .any(|registered| matches(registered, uri))
    }
}

/// The loopback literals of RFC 8252, section 7.3. `localhost` is not among them (section 8.3): it can resolve elsewhere.
const LOOPBACK: [&str; 2] = ["http://127.0.0.1", "http://[::1]"];

/// Exact text comparison (BCP 240, section 2.1), except that a native app's loopback URI may have any port: the
/// operating system gives it one at run time. Compared as text on purpose, so that no URL parser can be tricked.
fn matches(registered: &str, uri: &str) -> bool {
    if registered == uri {
        return true;
    }
    LOOPBACK.iter().any(|host| {
        let (Some(registered), Some(rest)) = (registered.strip_prefix(host), uri.strip_prefix(host)) else {
            return false;
        };
        let Some(port_and_path) = rest.strip_prefix(':') else {
            return false;
        };
        let digits = port_and_path.bytes().take_while(u8::is_ascii_digit).count();
        let Some((port, path)) = port_and_path.split_at_checked(digits) else {
            return false;
        };
        port.parse::<u16>().is_ok_and(|port| port > 0) && path == registered && registered.starts_with('/')
    })
}

/// What `form-action` must admit beside `'self'` so that the browser may follow the redirect to `uri` after a form was
/// sent (CSP level 3, section 6.4.1). Host sources cannot name an IPv6 address, so there the scheme must do.
#[must_use]
pub(crate) fn form_action_source(uri: &str) -> Option<String> {
    let url = url::Url::parse(uri).ok()?;
    match (url.scheme(), url.host()?) {
        ("http" | "https", url::Host::Ipv6(_)) => Some(format!("{}:", url.scheme())),
        ("http" | "https", _) => Some(url.origin().ascii_serialization()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // covers: ID-01
    #[test]
    fn loopback_redirects_match_any_port_and_nothing_else() {
        let four = "http://127.0.0.1/callback";
        let six = "http://[::1]/callback";
        for (registered, uri) in [
            (four, four),
            (four, "http://127.0.0.1:1/callback"),
            (four, "http://127.0.0.1:65535/callback"),
            (six, "http://[::1]:49152/callback"),
            ("https://app.example/cb?x=1", "https://app.example/cb?x=1"),
        ] {
            assert!(matches(registered, uri), "{uri}");
        }
        for uri in [
            "http://127.0.0.1:0/callback",
            "http://127.0.0.1:65536/callback",
            "http://127.0.0.1:/callback",
            "http://127.0.0.1:80/callback/",
            "http://127.0.0.1:80/callback?x=1",
            "http://127.0.0.1:80/callback#x",
            "http://127.0.0.1:80/x/../callback",
            "http://127.0.0.1:80/CALLBACK",
            "http://127.0.0.1:80@evil.example/callback",
            "http://127.0.0.1.evil.example/callback",
            "http://127.0.0.1:80.evil.example/callback",
            "http://127.0.0.1@evil.example:80/callback",
            "https://127.0.0.1:80/callback",
            "http://localhost:80/callback",
            "http://[::1]:80/callback",
            "http://127.1:80/callback",
            " http://127.0.0.1:80/callback",
            "",
        ] {
            assert!(!matches(four, uri), "{uri}");
        }
        assert!(!matches("https://app.example/cb", "https://app.example:444/cb"));
    }

    #[test]
    fn form_action_names_the_target_origin() {
        let source = |uri| form_action_source(uri).unwrap_or_default();
        assert_eq!(source("http://127.0.0.1:4711/callback"), "http://127.0.0.1:4711");
        assert_eq!(source("http://[::1]:4711/callback"), "http:");
        assert_eq!(source("https://app.example/cb?x=';"), "https://app.example");
    }
}
