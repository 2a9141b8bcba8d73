//! The names that both ends of the mesh share, and what travels beside the credential.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

/// The internal scope, see [`super::credential`].
pub(super) static SCOPE: HeaderName = HeaderName::from_static("x-stoa-scope");
/// The external context, which is for foreign upstreams and refused here.
pub(super) static CONTEXT: HeaderName = HeaderName::from_static("x-stoa-context");
/// Milliseconds that are left.
pub(super) static DEADLINE: HeaderName = HeaderName::from_static("x-stoa-deadline");
pub(super) static CORRELATION: HeaderName = HeaderName::from_static("x-stoa-correlation");
pub(super) static CAUSATION: HeaderName = HeaderName::from_static("x-stoa-causation");
pub(super) static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
pub(super) static TRACE_ID: HeaderName = HeaderName::from_static("x-trace-id");
pub(super) static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The service that an edge request is for.
pub(super) static SERVICE: HeaderName = HeaderName::from_static("x-stoa-service");
/// On a response: the mesh answered, not the service. The value is one of the two below.
pub(super) static MESH: HeaderName = HeaderName::from_static("x-stoa-mesh");
pub(super) const REFUSED: HeaderValue = HeaderValue::from_static("refused");
pub(super) const TIMED_OUT: HeaderValue = HeaderValue::from_static("timeout");

pub(super) const RPC: &str = "/rpc/";
pub(super) const EDGE: &str = "/edge";
/// The largest body of a call and of its reply.
pub(super) const MAX_CALL_BYTES: usize = 16 << 20;
/// No request may claim more time than this.
const LONGEST: Duration = Duration::from_secs(300);

/// The milliseconds that are left; `None` when it is too late.
pub(super) fn left(deadline: Instant) -> Option<HeaderValue> {
    let ms =
        u64::try_from(deadline.saturating_duration_since(Instant::now()).as_millis()).unwrap_or(u64::MAX);
    (ms > 0).then(|| HeaderValue::from(ms))
}

pub(super) fn deadline(headers: &HeaderMap) -> Option<Instant> {
    let ms = text(headers, &DEADLINE)?.parse().ok()?;
    Some(Instant::now() + Duration::from_millis(ms).min(LONGEST))
}

pub(super) fn id(headers: &HeaderMap, name: &HeaderName) -> Option<Uuid> {
    text(headers, name)?.parse().ok()
}

/// A header of visible ASCII that is not absurdly long.
pub(super) fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().filter(|text| text.len() <= 256)
}

pub(super) fn put_id(headers: &mut HeaderMap, name: &HeaderName, id: Uuid) {
    put(
        headers,
        name,
        id.hyphenated().encode_lower(&mut Uuid::encode_buffer()),
    );
}

/// Sets a header; a value that cannot be one is left out.
pub(super) fn put(headers: &mut HeaderMap, name: &HeaderName, value: &str) {
    match HeaderValue::from_str(value) {
        Ok(value) => headers.insert(name.clone(), value),
        Err(_) => headers.remove(name),
    };
}

/// Removes what belongs to one connection only (RFC 9110, section 7.6.1), and `Host`, which HTTP/2 replaces.
pub(super) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in [
        header::CONNECTION,
        HeaderName::from_static("keep-alive"),
        HeaderName::from_static("proxy-connection"),
        header::PROXY_AUTHENTICATE,
        header::PROXY_AUTHORIZATION,
        header::TE,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
        header::EXPECT,
        header::HOST,
    ] {
        headers.remove(name);
    }
}

/// Removes every header that only the mesh sets.
pub(super) fn strip_mesh(headers: &mut HeaderMap) {
    let ours: Vec<HeaderName> = headers
        .keys()
        .filter(|name| name.as_str().starts_with("x-stoa-"))
        .cloned()
        .collect();
    for name in ours {
        headers.remove(name);
    }
}

/// An error with its causes, for logs.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(next) = source {
        text.push_str(": ");
        text.push_str(&next.to_string());
        source = next.source();
    }
    text
}
