//! Stage 2: bounds on what a client may send, and a strict reading of the message's framing (GW-25).

use super::Refusal;
use super::allowance::Allowance;
use axum::body::Body;
use axum::response::Response;
use http::{Request, StatusCode, Version, header};
use http_body::Body as _;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use stoa_kernel::Problem;

/// The most bytes of header names and values.
const MAX_HEADER_BYTES: usize = 32 << 10;
/// The longest query.
const MAX_QUERY: usize = 8 << 10;

/// Checks the head of a request and bounds its body.
///
/// # Errors
/// 400, 413, 414 or 431 with the reason.
pub(super) fn limit(request: Request<Body>, allowance: Allowance) -> Result<(Request<Body>, Bound), Refusal> {
    check_head(&request)?;
    let bound = Bound {
        max_body: allowance.body,
        key: allowance.body_key,
        passed: Arc::default(),
    };
    let max_body = allowance.body;
    if request.body().is_end_stream() {
        return Ok((request, bound));
    }
    if request.body().size_hint().lower() > max_body as u64 {
        return Err(bound.refusal());
    }
    let passed = bound.passed.clone();
    let mut request = request.map(|body| {
        Body::new(Limited::new(body, max_body).map_err(move |error| {
            passed.fetch_or(error.is::<LengthLimitError>(), Ordering::Relaxed);
            error
        }))
    });
    // This is the limit; axum's own would be a second, smaller one.
    axum::extract::DefaultBodyLimit::disable().apply(&mut request);
    Ok((request, bound))
}

/// The bound of a body whose length is not known beforehand.
#[derive(Debug)]
pub(super) struct Bound {
    max_body: usize,
    key: &'static str,
    passed: Arc<AtomicBool>,
}

impl Bound {
    /// The upstream's answer, or 413 when the body was cut off on its way there: the upstream knows only that it broke.
    pub(super) fn judge(&self, answer: Result<Response, Refusal>) -> Result<Response, Refusal> {
        match answer {
            Ok(response) if response.status().is_success() => Ok(response),
            _ if self.passed.load(Ordering::Relaxed) => Err(self.refusal()),
            answer => answer,
        }
    }

    fn refusal(&self) -> Refusal {
        let (max, key) = (self.max_body, self.key);
        Refusal::new(
            "body.too_large",
            Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "request.too_large",
                "Body too large",
                format!("the body exceeds the limit of {max} bytes ({key}); send less"),
            ),
        )
    }
}

fn check_head(request: &Request<Body>) -> Result<(), Refusal> {
    let headers = request.headers();
    let bytes: usize = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    if bytes > MAX_HEADER_BYTES {
        return Err(refuse(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "request.headers_too_large",
            "headers.too_large",
            "the headers exceed 32 KiB; send fewer or shorter ones",
        ));
    }
    if request.uri().query().is_some_and(|query| query.len() > MAX_QUERY) {
        return Err(refuse(
            StatusCode::URI_TOO_LONG,
            "request.query_too_long",
            "query.too_long",
            "the query exceeds 8 KiB; shorten it",
        ));
    }
    if request.version() == Version::HTTP_11 && !headers.contains_key(header::HOST) {
        return Err(ambiguous(
            "headers.no_host",
            "send the header host (RFC 9112, section 3.2)",
        ));
    }
    // What one reader takes from the first value, another takes from the last.
    for (name, reason) in [
        (header::HOST, "headers.two_hosts"),
        (header::AUTHORIZATION, "headers.two_authorizations"),
        (header::CONTENT_TYPE, "headers.two_content_types"),
        (header::TRANSFER_ENCODING, "headers.two_transfer_encodings"),
    ] {
        if headers.get_all(&name).iter().nth(1).is_some() {
            return Err(ambiguous(reason, &format!("send the header {name} once")));
        }
    }
    let coding = headers.get(header::TRANSFER_ENCODING);
    if coding.is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked")) {
        return Err(ambiguous(
            "headers.transfer_encoding",
            "chunked is the only transfer coding that is understood here",
        ));
    }
    if coding.is_some() && headers.contains_key(header::CONTENT_LENGTH) {
        return Err(ambiguous(
            "headers.two_lengths",
            "send either Content-Length or Transfer-Encoding (RFC 9112, section 6.1)",
        ));
    }
    Ok(())
}

fn ambiguous(reason: &'static str, detail: &str) -> Refusal {
    Refusal::new(reason, Problem::bad_request("request.headers", detail))
}

fn refuse(status: StatusCode, code: &'static str, reason: &'static str, detail: &str) -> Refusal {
    Refusal::new(reason, Problem::new(status, code, "Request too large", detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ten() -> Allowance {
        Allowance {
            time: std::time::Duration::from_secs(1),
            time_key: "time",
            body: 10,
            body_key: "body",
        }
    }

    fn reason(
        build: impl FnOnce(http::request::Builder) -> http::request::Builder,
        body: &'static str,
    ) -> &'static str {
        let request = build(Request::builder().uri("/x").header("host", "x"))
            .body(Body::from(body))
            .unwrap();
        limit(request, ten()).map_or_else(|refusal| refusal.reason, |_| "ok")
    }

    // covers: GW-25
    #[test]
    fn ambiguous_and_oversized_heads_are_refused() {
        assert_eq!(reason(|r| r, ""), "ok");
        assert_eq!(reason(|r| r, "0123456789"), "ok");
        assert_eq!(reason(|r| r, "0123456789x"), "body.too_large");
        assert_eq!(reason(|r| r.header("host", "x"), ""), "headers.two_hosts");
        let two = reason(
            |r| r.header("authorization", "a").header("authorization", "b"),
            "",
        );
        assert_eq!(two, "headers.two_authorizations");
        let both = reason(
            |r| {
                r.header("transfer-encoding", "chunked")
                    .header("content-length", "3")
            },
            "",
        );
        assert_eq!(both, "headers.two_lengths");
        let coding = reason(|r| r.header("transfer-encoding", "gzip, chunked"), "");
        assert_eq!(coding, "headers.transfer_encoding");
        let big = "x".repeat(MAX_HEADER_BYTES);
        assert_eq!(reason(|r| r.header("x-big", big), ""), "headers.too_large");
        let uri = format!("/x?{}", "q".repeat(MAX_QUERY + 1));
        assert_eq!(reason(|r| r.uri(uri), ""), "query.too_long");
    }

    // covers: GW-25
    #[tokio::test]
    async fn a_body_of_unknown_length_is_cut_at_the_limit() {
        let frames = futures::stream::iter((0..4).map(|_| Ok::<_, std::io::Error>("0123")));
        let request = Request::builder()
            .uri("/x")
            .header("host", "x")
            .body(Body::from_stream(frames))
            .unwrap();
        let (limited, bound) = limit(request, ten()).map_err(|refusal| refusal.reason).unwrap();
        assert!(bound.judge(Ok(Response::default())).is_ok());
        assert!(
            axum::body::to_bytes(limited.into_body(), usize::MAX)
                .await
                .is_err()
        );
        let broken = || Refusal::new("upstream.failed", Problem::unavailable("it broke"));
        assert_eq!(bound.judge(Err(broken())).unwrap_err().problem.status, 413);
        assert!(
            bound.judge(Ok(Response::default())).is_ok(),
            "it was answered all the same"
        );
    }
}
