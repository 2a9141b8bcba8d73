//! Request parameters as OAuth has them: from the query of a GET or the form of a POST, each at most once, an empty
//! one counted as absent (RFC 6749, sections 3.1 and 3.2).

use aide::OperationInput;
use aide::generate::GenContext;
use aide::openapi::Operation;
use axum::extract::{FromRequest, Request};
use http::{Method, header};
use schemars::JsonSchema;
use std::collections::HashSet;
use std::convert::Infallible;
use std::marker::PhantomData;
use url::form_urlencoded;

/// The largest form, in bytes: an ID token and a URL fit many times.
const MAX_FORM: usize = 64 << 10;

/// The parameters of a request; `Doc` documents them.
pub(crate) struct Parameters<Doc> {
    pairs: Vec<(String, String)>,
    fault: Option<&'static str>,
    doc: PhantomData<fn(Doc)>,
}

impl<Doc> Parameters<Doc> {
    /// Parameters of a query string.
    #[must_use]
    pub(crate) fn of_query(query: &str) -> Self {
        let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes())
            .filter(|(_, value)| !value.is_empty())
            .map(|(key, value)| (key.into_owned(), value.into_owned()))
            .collect();
        // A set, because a form has room for ten thousand names, and anybody may send one.
        let mut seen = HashSet::with_capacity(pairs.len());
        let repeated = !pairs.iter().all(|(key, _)| seen.insert(key));
        Self {
            pairs,
            fault: repeated.then_some("a parameter appears more than once"),
            doc: PhantomData,
        }
    }

    fn unreadable(fault: &'static str) -> Self {
        Self {
            pairs: Vec::new(),
            fault: Some(fault),
            doc: PhantomData,
        }
    }

    /// A parameter's value; `None` when absent or empty. Of a repeated one, which [`Parameters::fault`] reports,
    /// nothing is trusted.
    #[must_use]
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let mut values = self.pairs.iter().filter(|(key, _)| key == name);
        match (values.next(), values.next()) {
            (Some((_, value)), None) => Some(value),
            _ => None,
        }
    }

    /// What is wrong with the parameters as a whole.
    #[must_use]
    pub(crate) fn fault(&self) -> Option<&'static str> {
        self.fault
    }

    /// The parameters as a query string.
    #[must_use]
    pub(crate) fn to_query(&self) -> String {
        form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&self.pairs)
            .finish()
    }
}

impl<S: Send + Sync, Doc> FromRequest<S> for Parameters<Doc> {
    type Rejection = Infallible;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Infallible> {
        if matches!(*request.method(), Method::GET | Method::HEAD) {
            return Ok(Self::of_query(request.uri().query().unwrap_or_default()));
        }
        let form = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(';').next())
            .is_some_and(|value| {
                value
                    .trim()
                    .eq_ignore_ascii_case("application/x-www-form-urlencoded")
            });
        if !form {
            return Ok(Self::unreadable(
                "the body must be a form with Content-Type application/x-www-form-urlencoded",
            ));
        }
        let Ok(body) = axum::body::to_bytes(request.into_body(), MAX_FORM).await else {
            return Ok(Self::unreadable("the form is too large or was cut off"));
        };
        match std::str::from_utf8(&body) {
            Ok(text) => Ok(Self::of_query(text)),
            Err(_) => Ok(Self::unreadable("the form is not text")),
        }
    }
}

impl<Doc: JsonSchema> OperationInput for Parameters<Doc> {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        <axum::extract::Query<Doc> as OperationInput>::operation_input(ctx, operation);
    }
}

/// As [`Parameters`], documented as a form.
pub(crate) struct FormParameters<Doc>(pub Parameters<Doc>);

impl<S: Send + Sync, Doc> FromRequest<S> for FormParameters<Doc> {
    type Rejection = Infallible;

    async fn from_request(request: Request, state: &S) -> Result<Self, Infallible> {
        Parameters::from_request(request, state).await.map(Self)
    }
}

impl<Doc: JsonSchema> OperationInput for FormParameters<Doc> {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        <axum::extract::Form<Doc> as OperationInput>::operation_input(ctx, operation);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_is_absent_and_repetition_is_a_fault() {
        let one = Parameters::<()>::of_query("a=1&b=&c=%20x");
        assert_eq!(
            (one.get("a"), one.get("b"), one.get("c")),
            (Some("1"), None, Some(" x"))
        );
        assert_eq!(one.fault(), None);
        assert_eq!(one.to_query(), "a=1&c=+x");
        let two = Parameters::<()>::of_query("a=1&a=2&b=3");
        assert_eq!((two.get("a"), two.get("b")), (None, Some("3")));
        assert!(two.fault().is_some());
    }
}
