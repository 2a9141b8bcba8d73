//! A request to a router, and its answer with the body read.

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Method, Request};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;
use uuid::Uuid;

/// A request, with a JSON body if there is one.
///
/// # Panics
/// When a part is not valid.
#[must_use]
pub fn request(method: &Method, path: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = match body {
        Some(json) => {
            request = request.header("content-type", "application/json");
            Body::from(json.to_string())
        }
        None => Body::empty(),
    };
    request.body(body).expect("a valid request")
}

/// Sends a request to a router and reads the answer.
///
/// # Panics
/// When the body breaks off.
pub async fn exchange(router: &Router, request: Request<Body>) -> Answer {
    let response = router
        .clone()
        .oneshot(request)
        .await
        .unwrap_or_else(|never| match never {});
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.expect("a whole body").to_bytes();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body: serde_json::from_str(&text).unwrap_or_else(|_| match text.as_str() {
            "" => Value::Null,
            _ => Value::String(text.clone()),
        }),
        text,
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as JSON; null when there is none, a string when it is something else.
    pub body: Value,
    /// The body as it came.
    pub text: String,
}

impl Answer {
    /// The answer, if it has this status.
    ///
    /// # Panics
    /// When it has another.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// Asserts a problem with this status and code.
    ///
    /// # Panics
    /// When it is something else.
    #[track_caller]
    pub fn problem(&self, status: u16, code: &str) {
        assert_eq!(
            (self.status, self.body["code"].as_str()),
            (status, Some(code)),
            "{self:?}"
        );
    }

    /// A header's text, empty when it is missing.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("visible ASCII"))
    }

    /// The ETag, to send back as If-Match.
    #[must_use]
    pub fn etag(&self) -> String {
        self.header("etag").to_owned()
    }

    /// The record's id.
    ///
    /// # Panics
    /// When it has none.
    #[must_use]
    pub fn id(&self) -> Uuid {
        let id = self.body["id"].as_str().and_then(|id| id.parse().ok());
        id.unwrap_or_else(|| panic!("no id in {self:?}"))
    }

    /// One field of every item of a page.
    ///
    /// # Panics
    /// When it is no page, or an item has no such text.
    #[must_use]
    pub fn each(&self, field: &str) -> Vec<&str> {
        let items = self.body["items"]
            .as_array()
            .unwrap_or_else(|| panic!("no items in {self:?}"));
        let text = |item: &'_ Value| item[field].as_str().is_some();
        assert!(items.iter().all(text), "an item has no text {field} in {self:?}");
        items.iter().filter_map(|item| item[field].as_str()).collect()
    }
}
