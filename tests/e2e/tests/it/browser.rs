//! A browser without scripts at the sign-in pages: cookies are kept, redirects are looked at, not followed.

use reqwest::header::HeaderMap;
use reqwest::{RequestBuilder, Url};
use serde_json::Value;
use stoa_testkit::oidc::{Form, REDIRECT};
use stoa_testkit::platform::Platform;

/// The password of the demo users.
pub const PASSWORD: &str = "stoa-demo-2026";

/// The PKCE pair of RFC 7636, appendix B.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

pub struct Browser {
    http: reqwest::Client,
    base: Url,
}

/// What the server answered.
#[derive(Debug)]
pub struct Page {
    pub status: u16,
    pub headers: HeaderMap,
    /// Where it redirects to.
    pub location: Option<Url>,
    pub text: String,
}

impl Page {
    /// A parameter of the redirect's query.
    pub fn param(&self, name: &str) -> Option<String> {
        let mut pairs = self.location.as_ref()?.query_pairs();
        pairs
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }

    /// Whether it redirects back to the client.
    pub fn is_at_client(&self) -> bool {
        self.location
            .as_ref()
            .is_some_and(|url| url.as_str().starts_with(REDIRECT))
    }

    /// The code of a redirect back to the client.
    pub fn code(&self) -> String {
        assert_eq!(self.status, 303, "{self:?}");
        self.param("code")
            .unwrap_or_else(|| panic!("no code in {self:?}"))
    }

    pub fn form(&self) -> Form {
        Form::parse(&self.text).unwrap_or_else(|| panic!("no form in {self:?}"))
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON in {self:?}"))
    }
}

impl Browser {
    pub fn new(platform: &Platform) -> Self {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .cookie_store(true)
            .build()
            .expect("a client");
        Self {
            http,
            base: Url::parse(&platform.url).expect("a URL"),
        }
    }

    pub async fn get(&self, path: &str, query: &[(&str, &str)]) -> Page {
        self.open(self.http.get(self.at(path)).query(query)).await
    }

    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        self.open(self.http.post(self.at(path)).form(fields)).await
    }

    /// Sends an authorization request with some parameters changed.
    pub async fn authorize(&self, changes: &[(&str, &str)]) -> Page {
        self.get("/oauth2/authorize", &authorization(changes)).await
    }

    /// Sends an authorization request and goes to the sign-in page that it leads to.
    pub async fn login_page(&self, changes: &[(&str, &str)]) -> Page {
        let answer = self.authorize(changes).await;
        let login = answer
            .location
            .clone()
            .unwrap_or_else(|| panic!("no redirect: {answer:?}"));
        assert_eq!(login.path(), "/login", "{answer:?}");
        self.get(login.as_str(), &[]).await
    }

    /// Fills in the page's form and sends it.
    pub async fn submit(&self, page: &Page, values: &[(&str, &str)]) -> Page {
        let form = page.form();
        let mut fields: Vec<(&str, &str)> = form
            .hidden
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str()))
            .collect();
        fields.extend_from_slice(values);
        self.post(&form.action, &fields).await
    }

    /// Signs in and returns the redirect back to the client.
    pub async fn sign_in(&self, email: &str) -> Page {
        let page = self.login_page(&[]).await;
        let answer = self
            .submit(&page, &[("email", email), ("password", PASSWORD)])
            .await;
        assert!(answer.is_at_client(), "{answer:?}");
        answer
    }

    fn at(&self, path: &str) -> Url {
        self.base.join(path).expect("a path")
    }

    async fn open(&self, request: RequestBuilder) -> Page {
        let response = request.send().await.expect("an answer");
        let location = response.headers().get("location").map(|value| {
            let value = value.to_str().expect("a location in ASCII");
            self.base.join(value).expect("a location")
        });
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Page {
            status,
            headers,
            location,
            text: response.text().await.expect("a body"),
        }
    }
}

/// A good authorization request with some parameters changed; an empty value leaves the parameter out.
pub fn authorization<'a>(changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut parameters = vec![
        ("response_type", "code"),
        ("client_id", "stoa-cli"),
        ("redirect_uri", REDIRECT),
        ("scope", "openid profile email offline_access"),
        ("state", "opaque &=/ü"),
        ("nonce", "n-0S6_WzA2Mj"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    changed(&mut parameters, changes);
    parameters
}

/// A good redemption of `code` with some fields changed; an empty value leaves the field out.
pub fn redemption<'a>(code: &'a str, changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut fields = vec![
        ("grant_type", "authorization_code"),
        ("client_id", "stoa-cli"),
        ("redirect_uri", REDIRECT),
        ("code", code),
        ("code_verifier", VERIFIER),
    ];
    changed(&mut fields, changes);
    fields
}

fn changed<'a>(fields: &mut Vec<(&'a str, &'a str)>, changes: &[(&'a str, &'a str)]) {
    for (name, value) in changes {
        fields.retain(|(key, _)| key != name);
        if !value.is_empty() {
            fields.push((name, value));
        }
    }
}
