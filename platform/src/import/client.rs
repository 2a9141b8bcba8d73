//! The API, as this command asks it.

use super::Connection;
use anyhow::{Context, bail};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;

/// A signed-in client.
pub(super) struct Client {
    http: reqwest::Client,
    url: String,
    token: Token,
}

enum Token {
    File(PathBuf),
    Text(String),
}

/// An answer of success.
pub(super) struct Answer {
    pub(super) body: Value,
    pub(super) location: String,
}

impl Client {
    /// # Errors
    /// When there is no token.
    pub(super) fn new(connection: Connection) -> anyhow::Result<Self> {
        let token = match (connection.token_file, std::env::var("STOA_TOKEN")) {
            (Some(file), _) => Token::File(file),
            (None, Ok(token)) => Token::Text(token),
            (None, Err(_)) => bail!(
                "no access token: put one into a file and name it with --token-file, or set STOA_TOKEN; the OpenID \
                 Provider gives tokens to the client stoa-cli"
            ),
        };
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(10))
            .build()
            .context("preparing the client")?;
        let url = connection.url.trim_end_matches('/').to_owned();
        Ok(Self { http, url, token })
    }

    /// A request that is not sent yet.
    ///
    /// # Errors
    /// When the token cannot be read.
    pub(super) fn request(&self, method: Method, path: &str) -> anyhow::Result<RequestBuilder> {
        let token = match &self.token {
            Token::Text(token) => token.clone(),
            Token::File(file) => std::fs::read_to_string(file)
                .with_context(|| format!("reading the token from {}", file.display()))?,
        };
        Ok(self
            .http
            .request(method, format!("{}{path}", self.url))
            .bearer_auth(token.trim()))
    }

    /// # Errors
    /// When the platform cannot be reached, or refuses: with its problem's code and detail.
    pub(super) async fn send(&self, what: &str, request: RequestBuilder) -> anyhow::Result<Response> {
        let url = &self.url;
        let response = request.send().await.with_context(|| {
            format!(
                "{what}: {url} does not answer; is the platform running there? --url names another address"
            )
        })?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let problem: Value = response.json().await.unwrap_or_default();
        let text = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
        let mut said = format!("{what}: {} {}: {}", status.as_u16(), text("code"), text("detail"));
        for error in problem["errors"].as_array().into_iter().flatten() {
            let part = |name: &str| error[name].as_str().unwrap_or_default();
            said.push_str(&format!("\n  {} {}", part("pointer"), part("detail")));
        }
        if status.as_u16() == 401 {
            said.push_str("\n  access tokens are short-lived: get a new one, and try again");
        }
        bail!(said)
    }

    /// Sends a request whose answer is JSON.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub(super) async fn json(&self, what: &str, request: RequestBuilder) -> anyhow::Result<Answer> {
        let response = self.send(what, request).await?;
        let location = response
            .headers()
            .get("location")
            .and_then(|value| value.to_str().ok());
        let location = location.unwrap_or_default().to_owned();
        let body = response
            .json()
            .await
            .with_context(|| format!("{what}: reading the answer"))?;
        Ok(Answer { body, location })
    }

    /// # Errors
    /// As [`Client::send`].
    pub(super) async fn get(&self, what: &str, path: &str) -> anyhow::Result<Value> {
        Ok(self.json(what, self.request(Method::GET, path)?).await?.body)
    }

    /// # Errors
    /// As [`Client::send`].
    pub(super) async fn post(&self, what: &str, path: &str, body: &Value) -> anyhow::Result<Answer> {
        self.json(what, self.request(Method::POST, path)?.json(body))
            .await
    }

    /// Every item of a list.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub(super) async fn all(&self, what: &str, path: &str) -> anyhow::Result<Vec<Value>> {
        let (mut items, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let mut request = self.request(Method::GET, path)?.query(&[("limit", "100")]);
            if let Some(cursor) = &cursor {
                request = request.query(&[("cursor", cursor)]);
            }
            let page = self.json(what, request).await?.body;
            items.extend(page["items"].as_array().cloned().unwrap_or_default());
            match page["nextCursor"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => return Ok(items),
            }
        }
    }
}
