//! The request's place in a trace (W3C Trace Context), and its id.

use http::HeaderMap;
use std::sync::Arc;
use stoa_telemetry::TraceContext;
use tracing::Span;
use tracing::field::Empty;
use uuid::Uuid;

/// The request's span and what is handed on.
pub(super) struct Trace {
    /// Encloses everything that the request does here.
    pub(super) span: Span,
    /// The trace id, 32 hex digits.
    pub(super) id: Arc<str>,
    /// The header for the next process.
    pub(super) parent: Arc<str>,
}

impl Trace {
    /// Continues the client's trace, or begins one that is sampled with `sample_ratio`.
    pub(super) fn begin(headers: &HeaderMap, sample_ratio: f64) -> Self {
        let theirs = headers
            .get("traceparent")
            .and_then(|value| value.to_str().ok())
            .and_then(TraceContext::parse);
        let span = tracing::info_span!(
            target: "stoa::edge", "request",
            otel.kind = "server", trace_id = Empty, span_id = Empty, user_id = Empty, tenant_id = Empty,
            http.request.method = Empty, http.route = Empty, http.response.status_code = Empty
        );
        if let Some(parent) = &theirs {
            stoa_telemetry::attach_remote_parent(&span, parent);
        }
        let context = stoa_telemetry::context_of(&span).unwrap_or_else(|| match theirs {
            Some(parent) => parent.child(),
            None => TraceContext::new_root(rand::random(), rand::random_bool(sample_ratio.clamp(0.0, 1.0))),
        });
        let parent = context.to_string();
        let id: Arc<str> = trace_id(&parent).into();
        span.record("trace_id", &*id);
        span.record("span_id", span_id(&parent));
        Self {
            span,
            id,
            parent: parent.into(),
        }
    }
}

/// Of a traceparent that [`TraceContext`] wrote: `00-<trace id>-<span id>-<flags>`.
pub(super) fn trace_id(traceparent: &str) -> &str {
    traceparent.get(3..35).unwrap_or_default()
}

/// As [`trace_id`].
pub(super) fn span_id(traceparent: &str) -> &str {
    traceparent.get(36..52).unwrap_or_default()
}

/// The client's X-Request-ID when it is a token of at most 128 visible characters, else `ours`.
pub(super) fn request_id(headers: &HeaderMap, ours: Uuid) -> String {
    let theirs = headers.get("x-request-id").and_then(|value| value.to_str().ok());
    match theirs {
        Some(id) if (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic()) => {
            id.to_owned()
        }
        _ => ours.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // covers: AP-03
    #[test]
    fn only_a_sane_request_id_is_taken_over() {
        let id = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-request-id", value.parse().unwrap());
            request_id(&headers, Uuid::nil())
        };
        let own = Uuid::nil().to_string();
        assert_eq!(id("abc-1:2/x"), "abc-1:2/x");
        for bad in ["", "a b", "a\tb", &"x".repeat(129)] {
            assert_eq!(id(bad), own, "{bad}");
        }
        assert_eq!(request_id(&HeaderMap::new(), Uuid::nil()), own);
    }

    // covers: OB-01
    #[test]
    fn a_trace_is_continued_or_begun() {
        let mut headers = HeaderMap::new();
        let theirs = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        headers.insert("traceparent", theirs.parse().unwrap());
        let trace = Trace::begin(&headers, 0.0);
        assert_eq!(&*trace.id, "0af7651916cd43dd8448eb211c80319c");
        assert!(trace.parent.starts_with("00-0af7651916cd43dd8448eb211c80319c-"));
        assert_ne!(&*trace.parent, theirs, "a span of its own");
        let fresh = Trace::begin(&HeaderMap::new(), 0.0);
        assert_eq!(fresh.id.len(), 32);
        assert!(fresh.parent.ends_with("-00"));
    }
}
