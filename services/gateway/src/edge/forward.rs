//! Stage 6: to the service in this process, to the one in another, or to a foreign server.

use super::Refusal;
use super::normalise::encode;
use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, Request, Uri};
use std::convert::Infallible;
use std::sync::LazyLock;
use stoa_kernel::http::{EDGE_HEADERS, run_command};
use stoa_kernel::mesh::Place;
use stoa_kernel::{Mesh, Problem};
use stoa_telemetry::step;
use tower::Service;
use tracing::Instrument;

static ONLY_OURS: LazyLock<Vec<HeaderName>> = LazyLock::new(|| {
    EDGE_HEADERS
        .iter()
        .map(|name| HeaderName::from_static(name))
        .collect()
});

/// Removes what only the edge may say. Nothing of it reaches any upstream from a client (GW-02).
pub(super) fn strip_edge_headers(headers: &mut HeaderMap) {
    for name in ONLY_OURS.iter() {
        headers.remove(name);
    }
}

/// Makes `path` (normalised) the request's path, in its one spelling; the query stays as received.
///
/// # Errors
/// 400 when the result is not a URI.
pub(super) fn set_path(uri: &mut Uri, path: &str) -> Result<(), Refusal> {
    let path = encode(path);
    if path == uri.path() {
        return Ok(());
    }
    let target = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.into_owned(),
    };
    let refuse = || {
        Refusal::new(
            "path.not_uri",
            Problem::bad_request("request.path", "the path cannot be forwarded as it is"),
        )
    };
    let mut parts = std::mem::take(uri).into_parts();
    parts.path_and_query = Some(PathAndQuery::from_maybe_shared(target).map_err(|_| refuse())?);
    *uri = Uri::from_parts(parts).map_err(|_| refuse())?;
    Ok(())
}

/// Asks a service of the platform. The request's context is in its extensions.
///
/// # Errors
/// 503 when the service is not reachable, or what the transport says.
pub(super) async fn to_service(
    mesh: &Mesh,
    service: &str,
    request: Request<Body>,
) -> Result<Response, Refusal> {
    match mesh.place(service) {
        Some(Place::Local(router)) => {
            let span = step!("serve", service = service);
            Ok(to_router(router.clone(), request).instrument(span).await)
        }
        Some(Place::Remote(remote)) => remote
            .forward(service, request)
            .await
            .map_err(|problem| Refusal::new("upstream.failed", problem)),
        None => Err(Refusal::new(
            "upstream.unknown",
            Problem::unavailable(format!(
                "the {service} service has no address here; see [mesh.peers]"
            )),
        )),
    }
}

async fn to_router(mut router: Router, request: Request<Body>) -> Response {
    let method = request.method().clone();
    let answer = <Router as Service<Request<Body>>>::call(&mut router, request);
    run_command(&method, async move {
        answer
            .await
            .unwrap_or_else(|never: Infallible| never.into_response())
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    // covers: GW-02
    #[test]
    fn what_only_the_edge_may_say_is_removed() {
        let mut headers = HeaderMap::new();
        for name in EDGE_HEADERS {
            headers.append(*name, "forged".parse().unwrap());
            headers.append(*name, "twice".parse().unwrap());
        }
        headers.insert("X-User-Id", "forged".parse().unwrap());
        headers.insert("accept", "text/plain".parse().unwrap());
        strip_edge_headers(&mut headers);
        assert_eq!(headers.len(), 1);
    }

    // covers: GW-03
    #[test]
    fn the_path_is_replaced_and_the_query_kept() {
        for (uri, path, expected) in [
            ("/a?q=%2f", "/a", "/a?q=%2f"),
            ("/%61?q=%2f", "/a", "/a?q=%2f"),
            ("http://stoa.example/%61", "/b c", "http://stoa.example/b%20c"),
        ] {
            let mut uri: Uri = uri.parse().unwrap();
            set_path(&mut uri, path).map_err(|r| r.reason).unwrap();
            assert_eq!(uri.to_string(), expected);
        }
    }
}
