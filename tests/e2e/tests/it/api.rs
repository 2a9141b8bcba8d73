//! A signed-in client.

use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use stoa_testkit::oidc::{self, Tokens};
use stoa_testkit::platform::Platform;

/// A user with an access token.
pub struct Api {
    pub tokens: Tokens,
    http: reqwest::Client,
    url: String,
}

/// Status, headers and JSON body of an answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|v| v.to_str().ok())
            .unwrap_or_default()
    }

    pub fn items(&self) -> &[Value] {
        self.body["items"]
            .as_array()
            .unwrap_or_else(|| panic!("no items in {self:?}"))
    }

    /// Asserts a problem with this status and code, whole.
    pub fn assert_problem(&self, status: u16, code: &str) {
        assert_eq!(
            (self.status, self.body["code"].as_str()),
            (status, Some(code)),
            "{self:?}"
        );
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.body["traceId"].as_str().map(str::len), Some(32), "{self:?}");
        assert!(
            self.body["detail"].as_str().is_some_and(|d| d.len() > 10),
            "{self:?}"
        );
    }
}

impl Api {
    pub async fn sign_in(platform: &Platform, email: &str) -> Self {
        let tokens = oidc::sign_in(platform, email).await.expect("sign-in");
        Self {
            tokens,
            http: platform.http.clone(),
            url: platform.url.clone(),
        }
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.url))
            .bearer_auth(&self.tokens.access)
    }

    pub async fn get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        send(self.request(Method::POST, path).json(body)).await
    }

    /// A command with an `Idempotency-Key`.
    pub async fn post_once(&self, path: &str, key: &str, body: &Value) -> Answer {
        send(
            self.request(Method::POST, path)
                .header("idempotency-key", key)
                .json(body),
        )
        .await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        send(self.request(Method::DELETE, path).header("if-match", "*")).await
    }

    /// A change of the version in `etag`.
    pub async fn change(&self, method: Method, path: &str, etag: &str, body: &Value) -> Answer {
        send(self.request(method, path).header("if-match", etag).json(body)).await
    }
}

pub async fn send(request: RequestBuilder) -> Answer {
    let response = request.send().await.expect("an answer");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.expect("a body");
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Answer {
        status,
        headers,
        body,
    }
}
