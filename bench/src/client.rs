//! A client of the API: one keep-alive HTTP/1.1 connection, costing as little as possible.

use anyhow::Context;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{HeaderMap, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::net::SocketAddr;
use tokio::net::TcpStream;

/// A connection.
#[derive(Debug)]
pub(crate) struct Client {
    sender: SendRequest<Full<Bytes>>,
    server: SocketAddr,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Client {
    pub(crate) async fn connect(server: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(server)
            .await
            .with_context(|| format!("connecting to {server}"))?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(async move {
            // The sender sees the same error.
            connection.await.ok();
        });
        Ok(Self { sender, server })
    }

    /// `GET path` with an access token.
    pub(crate) async fn get(&mut self, path: &str, token: &str) -> anyhow::Result<Answer> {
        self.send("GET", path, token, None).await
    }

    /// `POST path` with a JSON body.
    pub(crate) async fn post(&mut self, path: &str, token: &str, body: &Value) -> anyhow::Result<Answer> {
        let body = ("application/json", Bytes::from(body.to_string()));
        self.send("POST", path, token, Some(body)).await
    }

    /// Any request; `body` comes with its content type.
    pub(crate) async fn send(
        &mut self,
        method: &str,
        path: &str,
        token: &str,
        body: Option<(&str, Bytes)>,
    ) -> anyhow::Result<Answer> {
        let mut call = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, self.server.to_string())
            .header(AUTHORIZATION, format!("Bearer {token}"));
        let body = match body {
            Some((kind, bytes)) => {
                call = call.header(CONTENT_TYPE, kind);
                bytes
            }
            None => Bytes::new(),
        };
        self.sender.ready().await.context("the connection was closed")?;
        let response = self.sender.send_request(call.body(Full::new(body))?).await;
        let response = response.with_context(|| format!("{method} {path}"))?;
        let (head, body) = response.into_parts();
        let body = body.collect().await.context("reading the answer")?.to_bytes();
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body,
        })
    }
}

impl Answer {
    /// The body as JSON, when the status is the one that is expected.
    pub(crate) fn json(&self, expected: StatusCode) -> anyhow::Result<Value> {
        let text = String::from_utf8_lossy(&self.body);
        anyhow::ensure!(
            self.status == expected,
            "the answer is {}, not {expected}: {text}",
            self.status
        );
        serde_json::from_slice(&self.body).with_context(|| format!("the answer is not JSON: {text}"))
    }
}
