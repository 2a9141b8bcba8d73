//! The pages that people see. They work without scripts, and their policy allows none.

use crate::client::form_action_source;
use crate::language::Language;
use crate::texts::{Notice, Texts};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, HeaderValue, StatusCode, header};
use minijinja::{Environment, Value, context};
use sha2::{Digest, Sha256};
use stoa_kernel::Problem;

const STYLE: &str = include_str!("../templates/style.css");

const TEMPLATES: [(&str, &str); 7] = [
    ("layout.html", include_str!("../templates/layout.html")),
    ("login.html", include_str!("../templates/login.html")),
    ("logout.html", include_str!("../templates/logout.html")),
    ("message.html", include_str!("../templates/message.html")),
    ("password.html", include_str!("../templates/password.html")),
    ("forgot.html", include_str!("../templates/forgot.html")),
    (
        "verification.html",
        include_str!("../templates/verification.html"),
    ),
];

/// The compiled templates.
pub(crate) struct Pages {
    templates: Environment<'static>,
    /// The style's hash, so that the policy admits it and nothing else inline (CSP level 3, section 2.3.1).
    style_source: String,
}

/// What the sign-in page shows.
pub(crate) struct LoginPage<'a> {
    pub(crate) client: Option<&'a str>,
    /// Where the browser goes after signing in.
    pub(crate) redirect_uri: Option<&'a str>,
    /// The authorization request to go on with, as a query string.
    pub(crate) request: &'a str,
    pub(crate) csrf: &'a str,
    pub(crate) email: &'a str,
    pub(crate) is_refused: bool,
    /// How long to wait, in words.
    pub(crate) wait: Option<&'a str>,
}

/// What the page shows on which somebody chooses a password.
pub(crate) struct PasswordPage<'a> {
    pub(crate) notice: &'a Notice,
    /// Where the form goes.
    pub(crate) action: &'a str,
    pub(crate) token: &'a str,
    pub(crate) csrf: &'a str,
    pub(crate) email: &'a str,
    pub(crate) error: Option<&'a str>,
}

/// What the page shows on which somebody asks for a new password.
pub(crate) struct ForgotPage<'a> {
    pub(crate) csrf: &'a str,
    pub(crate) email: &'a str,
    pub(crate) error: Option<&'a str>,
}

/// What the page shows on which somebody confirms an address.
pub(crate) struct VerificationPage<'a> {
    pub(crate) token: &'a str,
    pub(crate) csrf: &'a str,
    pub(crate) email: &'a str,
}

/// What the sign-out page shows.
pub(crate) struct LogoutPage<'a> {
    pub(crate) client: Option<&'a str>,
    /// Where the browser goes after signing out.
    pub(crate) redirect_uri: Option<&'a str>,
    pub(crate) csrf: &'a str,
    /// The request's parameters, to send them again.
    pub(crate) fields: Vec<(&'a str, &'a str)>,
}

impl Pages {
    /// Compiles the templates.
    ///
    /// # Errors
    /// When one does not parse.
    pub(crate) fn new() -> Result<Self, minijinja::Error> {
        let mut templates = Environment::new();
        for (name, source) in TEMPLATES {
            templates.add_template(name, source)?;
        }
        let style_source = format!("'sha256-{}'", STANDARD.encode(Sha256::digest(STYLE)));
        Ok(Self {
            templates,
            style_source,
        })
    }

    pub(crate) fn login(&self, t: &Texts, status: StatusCode, page: &LoginPage<'_>) -> Response {
        let values = context! {
            title => t.sign_in,
            client => page.client,
            request => page.request,
            csrf => page.csrf,
            email => page.email,
            error => page.is_refused.then_some(t.refused),
            wait => page.wait,
        };
        self.render(t, status, "login.html", values, page.redirect_uri)
    }

    pub(crate) fn logout(&self, t: &Texts, page: &LogoutPage<'_>) -> Response {
        let fields: Vec<Value> = page
            .fields
            .iter()
            .map(|(name, value)| Value::from(vec![(*name).to_owned(), (*value).to_owned()]))
            .collect();
        let values = context! {
            title => t.sign_out.title,
            text => t.sign_out.text,
            client => page.client,
            csrf => page.csrf,
            fields,
        };
        self.render(t, StatusCode::OK, "logout.html", values, page.redirect_uri)
    }

    pub(crate) fn password(&self, t: &Texts, status: StatusCode, page: &PasswordPage<'_>) -> Response {
        let values = context! {
            title => page.notice.title,
            text => page.notice.text,
            action => page.action,
            token => page.token,
            csrf => page.csrf,
            email => page.email,
            error => page.error,
        };
        self.render(t, status, "password.html", values, None)
    }

    pub(crate) fn forgot(&self, t: &Texts, status: StatusCode, page: &ForgotPage<'_>) -> Response {
        let values = context! {
            title => t.forgot.title,
            text => t.forgot.text,
            csrf => page.csrf,
            email => page.email,
            error => page.error,
        };
        self.render(t, status, "forgot.html", values, None)
    }

    pub(crate) fn verification(&self, t: &Texts, page: &VerificationPage<'_>) -> Response {
        let values = context! {
            title => t.verification.title,
            text => t.verification.text,
            token => page.token,
            csrf => page.csrf,
            email => page.email,
        };
        self.render(t, StatusCode::OK, "verification.html", values, None)
    }

    /// Something went well; `link` is where to go on, with its text.
    pub(crate) fn done(&self, t: &Texts, notice: &Notice, link: Option<(&str, &str)>) -> Response {
        let link = link.map(|(to, text)| context! { to, text });
        let values = context! { title => notice.title, text => notice.text, link, bad => false };
        self.render(t, StatusCode::OK, "message.html", values, None)
    }

    /// Something well-known cannot go on.
    pub(crate) fn refused(
        &self,
        t: &Texts,
        status: StatusCode,
        notice: &Notice,
        link: Option<(&str, &str)>,
    ) -> Response {
        let link = link.map(|(to, text)| context! { to, text });
        let values =
            context! { title => notice.title, text => notice.text, link, bad => true, error => true };
        self.render(t, status, "message.html", values, None)
    }

    /// Something went well, said in English only.
    pub(crate) fn message(&self, title: &str, text: &str) -> Response {
        let values = context! { title, text, bad => false };
        self.render(english(), StatusCode::OK, "message.html", values, None)
    }

    /// Something cannot go on, said in English only.
    pub(crate) fn refusal(&self, status: StatusCode, title: &str, text: &str) -> Response {
        let values = context! { title, text, bad => true };
        self.render(english(), status, "message.html", values, None)
    }

    /// A failure of ours.
    pub(crate) fn problem(&self, problem: &Problem) -> Response {
        let mut response = self.refusal(problem.status_code(), &problem.title, &problem.detail);
        if let Some(seconds) = problem.retry_after {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }

    fn render(
        &self,
        t: &Texts,
        status: StatusCode,
        name: &str,
        values: Value,
        redirect_uri: Option<&str>,
    ) -> Response {
        let values = context! { style => STYLE, t => t.for_template(), ..values };
        let html = self
            .templates
            .get_template(name)
            .and_then(|template| template.render(values));
        let html = match html {
            Ok(html) => html,
            Err(error) => return Problem::internal(&error).into_response(),
        };
        let mut response = (status, html).into_response();
        let target = redirect_uri.and_then(form_action_source).unwrap_or_default();
        let policy = format!(
            "default-src 'none'; style-src {}; form-action 'self' {target}; frame-ancestors 'none'; base-uri 'none'",
            self.style_source
        );
        let headers = response.headers_mut();
        if let Ok(policy) = HeaderValue::from_str(&policy) {
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        for (name, value) in PAGE_HEADERS {
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

fn english() -> &'static Texts {
    Texts::of(Language::En)
}

const PAGE_HEADERS: [(HeaderName, &str); 5] = [
    (header::CONTENT_TYPE, "text/html; charset=utf-8"),
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    async fn text(response: Response) -> (String, String) {
        let policy = response.headers()[header::CONTENT_SECURITY_POLICY]
            .to_str()
            .unwrap()
            .to_owned();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (policy, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn pages_escape_input_and_forbid_scripts() {
        let pages = Pages::new().unwrap();
        let page = LoginPage {
            client: Some("<script>"),
            redirect_uri: Some("http://127.0.0.1:9/callback"),
            request: "a=\"><script>alert(1)</script>",
            csrf: "c",
            email: "\"><img>",
            is_refused: true,
            wait: Some("<script>"),
        };
        let (policy, html) = text(pages.login(english(), StatusCode::OK, &page)).await;
        assert!(!html.contains("<script") && !html.contains("<img"), "{html}");
        assert!(html.contains("name=\"email\"") && html.contains("name=\"password\""));
        assert!(html.contains(STYLE), "the style must be exactly what was hashed");
        assert!(policy.contains("default-src 'none'") && policy.contains("style-src 'sha256-"));
        assert!(
            policy.contains("form-action 'self' http://127.0.0.1:9;"),
            "{policy}"
        );
    }
}
