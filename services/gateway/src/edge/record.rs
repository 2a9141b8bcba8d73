//! Stage 7: one record per request that says what happened and why, and the request metrics.

use super::metrics::Series;
use super::token::TokenError;
use super::trace::{span_id, trace_id};
use crate::routing::Match;
use axum::body::{Body, Bytes};
use axum::response::Response;
use http::{HeaderValue, Method, StatusCode, Uri, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use std::borrow::Cow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use stoa_kernel::request::Identity;
use tokio::time::Instant;
use tracing::Span;

/// Not registered, but what operators know for a client that went away (from nginx).
const CLIENT_CLOSED: u16 = 499;

/// What is known of a request so far. Written when it is [finished](Record::finish), or when it is dropped because the
/// client went away: exactly once either way.
pub(super) struct Record {
    start: Instant,
    method: Method,
    uri: Uri,
    trace: Arc<str>,
    metrics: Arc<super::metrics::Metrics>,
    series: Option<Arc<Series>>,
    status: u16,
    written: bool,
    /// The caller, once verified.
    pub(super) identity: Option<Identity>,
    /// The route that matched.
    pub(super) route: Option<Match>,
    /// `public`, `authenticated`, `allowed` or `refused`; `none` before a decision.
    pub(super) decision: &'static str,
    /// `ok`, or why the request ended where it did.
    pub(super) reason: Cow<'static, str>,
    /// What to say in WWW-Authenticate about the token that was refused.
    pub(super) challenge: Option<TokenError>,
}

impl Record {
    /// `trace` is the request's own `traceparent`.
    pub(super) fn begin(
        start: Instant,
        method: Method,
        uri: Uri,
        trace: Arc<str>,
        metrics: Arc<super::metrics::Metrics>,
    ) -> Self {
        Self {
            start,
            method,
            uri,
            trace,
            metrics,
            series: None,
            status: CLIENT_CLOSED,
            written: false,
            identity: None,
            route: None,
            decision: "none",
            reason: Cow::Borrowed("client.closed"),
            challenge: None,
        }
    }

    /// Remembers the endpoint rule that decided.
    pub(super) fn decided_by(&mut self, pattern: &str) {
        self.series = Some(self.metrics.series(pattern));
    }

    /// Tells the exported trace what the request was; its log line says so too.
    pub(super) fn describe(&self, span: &Span, status: StatusCode) {
        if !stoa_telemetry::exporting() {
            return;
        }
        span.record("http.request.method", self.method.as_str());
        span.record("http.response.status_code", status.as_u16());
        if let Some(series) = &self.series {
            span.record("http.route", series.rule());
        }
    }

    /// Writes the record now, or once a body of unknown length has been sent.
    pub(super) fn finish(mut self, mut response: Response) -> Response {
        self.status = response.status().as_u16();
        if let Some(error) = self.challenge {
            challenge(&mut response, error);
        }
        if let Some(bytes) = response.body().size_hint().exact() {
            self.write(bytes);
            return response;
        }
        response.map(|inner| {
            Body::new(Recorded {
                inner,
                bytes: 0,
                record: self,
            })
        })
    }

    fn write(&mut self, bytes: u64) {
        self.written = true;
        let elapsed = self.start.elapsed();
        let series = match &self.series {
            Some(series) => series,
            None => self.metrics.unmatched(),
        };
        series.count(&self.method, self.status, elapsed);
        tracing::info!(
            target: "stoa::request",
            method = self.method.as_str(),
            path = self.uri.path(),
            status = self.status,
            duration_ms = elapsed.as_secs_f64() * 1e3,
            trace_id = trace_id(&self.trace),
            span_id = span_id(&self.trace),
            user_id = self.identity.map(|identity| tracing::field::display(identity.user)),
            tenant_id = self.identity.map(|identity| tracing::field::display(identity.tenant)),
            route = self.route.as_ref().map(|matched| &*matched.route.name),
            rule = self.series.as_ref().map(|series| series.rule()),
            decision = self.decision,
            upstream = self.route.as_ref().map(|matched| matched.route.upstream.label()),
            bytes,
            reason = &*self.reason,
            "request"
        );
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if !self.written {
            self.write(0);
        }
    }
}

/// RFC 6750, section 3.
fn challenge(response: &mut Response, error: TokenError) {
    let value = format!("Bearer error=\"invalid_token\", error_description=\"{error}\"");
    if let Ok(value) = HeaderValue::from_str(&value) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
    }
}

/// A body of unknown length, with the record to write at its end.
struct Recorded {
    inner: Body,
    bytes: u64,
    record: Record,
}

impl HttpBody for Recorded {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                self.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
            }
            Poll::Ready(Some(Err(_))) => self.record.reason = Cow::Borrowed("upstream.broke_off"),
            Poll::Ready(None) if !self.record.written => {
                let bytes = self.bytes;
                self.record.write(bytes);
            }
            _ => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for Recorded {
    fn drop(&mut self) {
        if !self.record.written {
            if self.record.reason == "ok" && !self.inner.is_end_stream() {
                self.record.reason = Cow::Borrowed("client.closed");
            }
            let bytes = self.bytes;
            self.record.write(bytes);
        }
    }
}
