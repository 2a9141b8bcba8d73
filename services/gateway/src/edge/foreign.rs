//! Foreign servers behind a tenant's route: what they may learn, and what may come back.

use super::Refusal;
use crate::address::is_private;
use axum::body::Body;
use axum::response::Response;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, Request, Uri, Version};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use moka::sync::Cache;
use std::error::Error;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use stoa_contracts::access::{DescribeSubject, SubjectDescription};
use stoa_kernel::decisions::Caller;
use stoa_kernel::http::EDGE_HEADERS;
use stoa_kernel::request::Identity;
use stoa_kernel::{Mesh, Problem, SystemScope};
use tower::Service;

/// Asks the access service what a foreign server is told of a caller.
pub(crate) const DESCRIBE: SystemScope = SystemScope::named("gateway.describe");

const DESCRIBE_BUDGET: Duration = Duration::from_secs(3);
const CONNECT: Duration = Duration::from_secs(3);
const IDLE: Duration = Duration::from_secs(60);

/// Of one connection only (RFC 9110, section 7.6.1), beside those that Connection names.
const HOP_BY_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// Never sent to a foreign server: the caller's Stoa credentials, and addresses that nobody vouched for.
const PRIVATE: [HeaderName; 7] = [
    header::AUTHORIZATION,
    header::COOKIE,
    header::FORWARDED,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-real-ip"),
];

/// The client for foreign servers.
pub(super) struct Foreign {
    client: Client<HttpConnector<PublicOnly>, Body>,
    mesh: Mesh,
    private_upstreams: bool,
    /// By caller and the revisions of policy and grants: an entry is never out of date.
    described: Cache<(Identity, i64, i64), Arc<Introduction>>,
}

/// What a foreign server is told of a caller, ready to be sent.
struct Introduction(Vec<(HeaderName, HeaderValue)>);

impl Introduction {
    fn of(identity: Identity, description: &SubjectDescription) -> Self {
        let mut headers = Vec::with_capacity(5);
        let mut set = |name: &'static str, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.push((HeaderName::from_static(name), value));
            }
        };
        set("x-user-id", &identity.user.to_string());
        set("x-tenant-id", &identity.tenant.to_string());
        set("x-roles", &description.roles.join(","));
        set("x-data-scope", &description.data_scope);
        if let Some(branch) = description.branch_id {
            set("x-branch-id", &branch.to_string());
        }
        Self(headers)
    }
}

/// What travels with a forwarded request.
pub(super) struct Travel<'a> {
    pub(super) identity: Identity,
    pub(super) caller: &'a Caller,
    pub(super) traceparent: &'a str,
    pub(super) request_id: &'a str,
}

impl Foreign {
    pub(super) fn new(mesh: Mesh, private_upstreams: bool) -> Self {
        let mut connector = HttpConnector::new_with_resolver(PublicOnly {
            inner: GaiResolver::new(),
            private_upstreams,
        });
        connector.set_connect_timeout(Some(CONNECT));
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .http1_max_buf_size(64 << 10)
            .build(connector);
        Self {
            client,
            mesh,
            private_upstreams,
            described: Cache::new(10_000),
        }
    }

    /// Forwards to `origin` (`http://host:port`); the request's path is the upstream's already.
    ///
    /// # Errors
    /// 502 or 503 with what happened.
    pub(super) async fn forward(
        &self,
        origin: &str,
        mut request: Request<Body>,
        travel: &Travel<'_>,
    ) -> Result<Response, Refusal> {
        if !self.private_upstreams && is_private_literal(origin) {
            return Err(Refusal::new(
                "upstream.private",
                bad_gateway("the route leads inside the network; see server.private_upstreams"),
            ));
        }
        let host = request.headers().get(header::HOST).cloned();
        let introduction = self.describe(travel).await?;
        let headers = request.headers_mut();
        strip_request(headers);
        if let Some(host) = host {
            headers.insert(HeaderName::from_static("x-forwarded-host"), host);
        }
        introduce(headers, travel, &introduction);
        let target = request
            .uri()
            .path_and_query()
            .map_or("/", |target| target.as_str());
        *request.uri_mut() = Uri::try_from(format!("{origin}{target}")).map_err(|_| {
            Refusal::new(
                "upstream.bad_url",
                bad_gateway("the route's URL is not valid; correct its target"),
            )
        })?;
        *request.version_mut() = Version::HTTP_11;
        let answer = self
            .client
            .request(request)
            .await
            .map_err(|e| failed(origin, &e))?;
        let mut response = answer.map(Body::new);
        strip_response(response.headers_mut());
        Ok(response)
    }

    async fn describe(&self, travel: &Travel<'_>) -> Result<Arc<Introduction>, Refusal> {
        let Travel { identity, caller, .. } = travel;
        let key = (*identity, caller.policy().revision(), caller.subject().revision());
        if let Some(known) = self.described.get(&key) {
            return Ok(known);
        }
        let mut scope = DESCRIBE.scope(identity.tenant, DESCRIBE_BUDGET);
        let call = DescribeSubject { user: identity.user };
        let description = self
            .mesh
            .call(&mut scope, call)
            .await
            .map_err(|error| Refusal::new("caller.not_described", error.into()))?;
        let introduction = Arc::new(Introduction::of(*identity, &description));
        self.described.insert(key, introduction.clone());
        Ok(introduction)
    }
}

/// Whether the URL's host is an address inside the network; names are checked when they are resolved.
fn is_private_literal(origin: &str) -> bool {
    let Some(host) = Uri::try_from(origin)
        .ok()
        .and_then(|uri| uri.host().map(str::to_owned))
    else {
        return true;
    };
    let address = host.trim_start_matches('[').trim_end_matches(']').parse();
    address.is_ok_and(is_private)
}

/// Removes hop-by-hop headers, credentials, and every spelling of the headers that only the edge may set.
fn strip_request(headers: &mut HeaderMap) {
    strip_hop_by_hop(headers);
    for name in &PRIVATE {
        headers.remove(name);
    }
    // The client library writes Host from the URL.
    headers.remove(header::HOST);
    let spoofed: Vec<HeaderName> = headers
        .keys()
        .filter(|name| is_edge_header(name))
        .cloned()
        .collect();
    for name in spoofed {
        headers.remove(name);
    }
}

/// CGI-style servers read X_User_ID as X-User-ID.
fn is_edge_header(name: &HeaderName) -> bool {
    let name = name.as_str();
    name.starts_with('x')
        && EDGE_HEADERS.iter().any(|edge| {
            edge.len() == name.len()
                && edge
                    .bytes()
                    .zip(name.bytes())
                    .all(|(e, n)| e == n || (e == b'-' && n == b'_'))
        })
}

fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::from_bytes(name.trim().as_bytes()).ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

/// What a foreign server may set on this origin: not the cookies of Stoa's own sign-in, nor what the edge says.
fn strip_response(headers: &mut HeaderMap) {
    strip_hop_by_hop(headers);
    headers.remove(header::SET_COOKIE);
    headers.remove(header::STRICT_TRANSPORT_SECURITY);
    headers.remove(header::ALT_SVC);
    headers.remove("clear-site-data");
}

fn introduce(headers: &mut HeaderMap, travel: &Travel<'_>, introduction: &Introduction) {
    for (name, value) in &introduction.0 {
        headers.insert(name, value.clone());
    }
    for (name, value) in [
        ("x-request-id", travel.request_id),
        ("traceparent", travel.traceparent),
    ] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}

fn failed(origin: &str, error: &hyper_util::client::legacy::Error) -> Refusal {
    let mut chain = error.to_string();
    let mut source = error.source();
    while let Some(next) = source {
        if next.is::<http_body_util::LengthLimitError>() {
            return Refusal::new(
                "body.too_large",
                Problem::new(
                    http::StatusCode::PAYLOAD_TOO_LARGE,
                    "request.too_large",
                    "Body too large",
                    "the body exceeds the limit server.max_body_bytes; send less",
                ),
            );
        }
        chain.push_str(": ");
        chain.push_str(&next.to_string());
        source = next.source();
    }
    tracing::warn!(upstream = origin, cause = %chain, "a foreign server failed");
    if error.is_connect() {
        return Refusal::new(
            "upstream.connect",
            Problem::unavailable("the server behind this route is not reachable; try again shortly"),
        );
    }
    Refusal::new(
        "upstream.failed",
        bad_gateway("the server behind this route broke off or does not speak HTTP; try again"),
    )
}

fn bad_gateway(detail: &str) -> Problem {
    Problem::new(
        http::StatusCode::BAD_GATEWAY,
        "service.bad_gateway",
        "The server behind this route failed",
        detail,
    )
}

/// Resolves names, but not to addresses inside the network: a name may be made to point anywhere at any time.
#[derive(Clone)]
struct PublicOnly {
    inner: GaiResolver,
    private_upstreams: bool,
}

impl Service<Name> for PublicOnly {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let private_upstreams = self.private_upstreams;
        let found = self.inner.call(name);
        Box::pin(async move {
            let allowed: Vec<SocketAddr> = found
                .await?
                .filter(|address| private_upstreams || !is_private(address.ip()))
                .collect();
            if allowed.is_empty() {
                return Err(std::io::Error::new(
                    std::io::ErrorKind::PermissionDenied,
                    "the name leads only to addresses inside the network; see server.private_upstreams",
                ));
            }
            Ok(allowed.into_iter())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                value.parse().unwrap(),
            );
        }
        headers
    }

    // covers: GW-02
    #[test]
    fn a_foreign_server_gets_neither_credentials_nor_forged_identity() {
        let mut sent = headers(&[
            ("host", "stoa.example"),
            ("authorization", "Bearer x"),
            ("cookie", "session=1"),
            ("x_user_id", "forged"),
            ("X-USER-ID", "forged"),
            ("x-stoa_scope", "forged"),
            ("x-forwarded-for", "1.2.3.4"),
            ("connection", "close, X-Secret-Hop"),
            ("x-secret-hop", "1"),
            ("te", "trailers"),
            ("upgrade", "h2c"),
            ("accept", "text/plain"),
        ]);
        strip_request(&mut sent);
        assert_eq!(
            sent.keys().map(HeaderName::as_str).collect::<Vec<_>>(),
            ["accept"]
        );
    }

    // covers: GW-02
    #[test]
    fn a_foreign_server_cannot_set_cookies_on_this_origin() {
        let mut back = headers(&[
            ("set-cookie", "session=1"),
            ("keep-alive", "timeout=5"),
            ("etag", "\"1\""),
        ]);
        strip_response(&mut back);
        assert_eq!(back.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["etag"]);
    }
}
