//! The caller's side: calls and forwarded requests to a service in another process.

mod connection;

use super::certificates::dns_name;
use super::credential::Minter;
use super::tls::MeshTls;
use super::{CallError, Remote, wire};
use crate::config::ConfigError;
use crate::http::EDGE_HEADERS;
use crate::problem::Problem;
use crate::request::RequestContext;
use crate::scope::Scope;
use axum::body::Body;
use bytes::Bytes;
use connection::{Connections, Live};
use futures::future::BoxFuture;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body::Body as _;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use stoa_telemetry::step;
use tokio::time::Instant;
use tracing::Instrument;

/// A service in another process, reached over mutual TLS.
///
/// A call whose connection dies before the reply is sent once more: a callee must bear a call that arrives twice, as
/// it must bear a caller that repeats it. Of forwarded requests only GET and HEAD are, unless none of it was sent.
pub struct RemotePeer {
    service: &'static str,
    authority: String,
    address: String,
    connections: Connections,
    minter: Minter,
}

/// Why a request brought no response.
enum Lost {
    /// Nothing of it reached the peer; here it is back.
    Unsent(Box<Request<Body>>, String),
    /// The connection died, and nobody knows how far the peer came.
    Died(String),
    /// There is no connection, or the peer gave up on this request alone.
    Failed(String),
}

/// The head and body to send again when a connection dies; `None` for what must not arrive twice.
type Again = Option<(Parts, Bytes)>;

impl RemotePeer {
    /// A peer that runs `service` at `url`, `https://host:port`. Nothing is opened yet.
    ///
    /// # Errors
    /// [`ConfigError::Value`] for `mesh.peers.SERVICE`.
    pub fn new(service: &'static str, url: &str, tls: &MeshTls) -> Result<Self, ConfigError> {
        let invalid = |why: String| ConfigError::Value {
            key: format!("mesh.peers.{service}"),
            why,
        };
        let parsed = url::Url::parse(url).map_err(|e| invalid(format!("{url} is not a URL: {e}")))?;
        let bare = parsed.scheme() == "https" && matches!(parsed.path(), "" | "/");
        let (Some(host), Some(port), true) = (parsed.host_str(), parsed.port_or_known_default(), bare) else {
            return Err(invalid(format!("{url} is not of the form https://host:port")));
        };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self {
            service,
            authority: dns_name(service),
            address: url.to_owned(),
            connections: Connections::new(service, host, port, tls).map_err(invalid)?,
            minter: Minter::new(tls.clone(), service),
        })
    }

    async fn rpc(
        &self,
        scope: &Scope,
        name: &str,
        body: Vec<u8>,
        deadline: Instant,
    ) -> Result<Bytes, CallError> {
        let credential = self.minter.call(scope).map_err(|why| self.unable(why))?;
        let mut parts = self.head(
            Method::POST,
            &format!("{}{name}", wire::RPC),
            credential,
            deadline,
        )?;
        let headers = &mut parts.headers;
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        wire::put_id(headers, &wire::CORRELATION, scope.correlation());
        if let Some(causation) = scope.causation() {
            wire::put_id(headers, &wire::CAUSATION, causation);
        }
        put_traceparent(headers, scope.traceparent());
        let body = Bytes::from(body);
        let request = Request::from_parts(parts.clone(), Body::from(body.clone()));
        let response = self.send(request, Some((parts, body))).await?;
        self.reply(response).await
    }

    /// The reply of a call, or the problem that the callee answered with.
    async fn reply(&self, response: Response<Incoming>) -> Result<Bytes, CallError> {
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, wire::MAX_CALL_BYTES)
            .collect()
            .await
            .map_err(|e| self.unavailable(format!("its reply broke off: {e}")))?
            .to_bytes();
        if let Some(answer) = parts.headers.get(&wire::MESH) {
            return Err(self.mesh_answer(answer, &body));
        }
        if parts.status == StatusCode::OK {
            return Ok(body);
        }
        match serde_json::from_slice::<Problem>(&body) {
            Ok(mut problem) => {
                problem.retry_after =
                    wire::text(&parts.headers, &header::RETRY_AFTER).and_then(|s| s.parse().ok());
                Err(CallError::Refused(Box::new(problem)))
            }
            Err(_) => Err(self.unavailable(format!("it answered {} without a problem", parts.status))),
        }
    }

    async fn pass_on(&self, request: Request<Body>) -> Result<Response<Body>, Problem> {
        let (mut parts, body) = request.into_parts();
        let context = RequestContext::of(&parts)?;
        let deadline = context.deadline();
        let work = async {
            parts = self.edge_head(parts, &context)?;
            let again = match parts.method {
                Method::GET | Method::HEAD if body.is_end_stream() => Some((parts.clone(), Bytes::new())),
                _ => None,
            };
            self.send(Request::from_parts(parts, body), again).await
        };
        let response = self.before(deadline, work).await?;
        if let Some(answer) = response.headers().get(&wire::MESH).cloned() {
            let body = self.before(deadline, async {
                let body = Limited::new(response.into_body(), wire::MAX_CALL_BYTES)
                    .collect()
                    .await;
                Ok(body.map(|b| b.to_bytes()).unwrap_or_default())
            });
            return Err(self.mesh_answer(&answer, &body.await?).into());
        }
        let (mut parts, body) = response.into_parts();
        parts.version = http::Version::default();
        wire::strip_hop_by_hop(&mut parts.headers);
        wire::strip_mesh(&mut parts.headers);
        Ok(Response::from_parts(parts, Body::new(body)))
    }

    /// The client's own head, under the mesh's path and with the mesh's headers instead of any that it sent.
    fn edge_head(&self, client: Parts, context: &RequestContext) -> Result<Parts, CallError> {
        let credential = self
            .minter
            .edge(context.identity())
            .map_err(|why| self.unable(why))?;
        let path = client.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut ours = self.head(
            client.method,
            &format!("{}{path}", wire::EDGE),
            credential,
            context.deadline(),
        )?;
        let mut headers = client.headers;
        wire::strip_hop_by_hop(&mut headers);
        wire::strip_mesh(&mut headers);
        for name in EDGE_HEADERS {
            headers.remove(*name);
        }
        headers.remove(&wire::TRACEPARENT);
        headers.insert(wire::SERVICE.clone(), HeaderValue::from_static(self.service));
        wire::put_id(&mut headers, &wire::CORRELATION, context.correlation());
        wire::put(&mut headers, &wire::TRACE_ID, context.trace_id());
        put_traceparent(&mut headers, context.traceparent());
        headers.extend(std::mem::take(&mut ours.headers));
        ours.headers = headers;
        Ok(ours)
    }

    fn head(
        &self,
        method: Method,
        path: &str,
        credential: HeaderValue,
        deadline: Instant,
    ) -> Result<Parts, CallError> {
        let uri = Uri::builder()
            .scheme("https")
            .authority(self.authority.as_str())
            .path_and_query(path)
            .build()
            .map_err(|e| self.unavailable(format!("{path} cannot be sent: {e}")))?;
        let left = wire::left(deadline).ok_or(CallError::Timeout {
            service: self.service,
        })?;
        let mut headers = HeaderMap::with_capacity(16);
        headers.insert(wire::SCOPE.clone(), credential);
        headers.insert(wire::DEADLINE.clone(), left);
        let (mut parts, ()) = Request::new(()).into_parts();
        parts.method = method;
        parts.uri = uri;
        parts.version = http::Version::HTTP_2;
        parts.headers = headers;
        Ok(parts)
    }

    /// Sends a request, and once more when the connection turned out to be dead.
    async fn send(&self, request: Request<Body>, again: Again) -> Result<Response<Incoming>, CallError> {
        let (next, why) = match (self.attempt(request).await, again) {
            (Ok(response), _) => return Ok(response),
            (Err(Lost::Unsent(request, why)), _) => (*request, why),
            (Err(Lost::Died(why)), Some((parts, body))) => {
                (Request::from_parts(parts, Body::from(body)), why)
            }
            (Err(Lost::Died(why) | Lost::Failed(why)), _) => return Err(self.unavailable(why)),
        };
        tracing::debug!(callee = self.service, cause = %why, "sending again over another connection");
        self.attempt(next).await.map_err(|lost| match lost {
            Lost::Unsent(_, why) | Lost::Died(why) | Lost::Failed(why) => self.unavailable(why),
        })
    }

    async fn attempt(&self, request: Request<Body>) -> Result<Response<Incoming>, Lost> {
        let live = self
            .connections
            .get()
            .await
            .map_err(|why| Lost::Failed(why.to_string()))?;
        let mut sender = (*live).clone();
        let mut failure = match sender.try_send_request(request).await {
            Ok(response) => return Ok(response),
            Err(failure) => failure,
        };
        let unsent = failure.take_message();
        let error = failure.into_error();
        let why = wire::chain(&error);
        if let Some(request) = unsent {
            self.connections.discard(&live);
            return Err(Lost::Unsent(Box::new(request), why));
        }
        if died(&error, &live) {
            self.connections.discard(&live);
            return Err(Lost::Died(why));
        }
        Err(Lost::Failed(why))
    }

    async fn before<T>(
        &self,
        deadline: Instant,
        work: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        match tokio::time::timeout_at(deadline, work).await {
            Ok(result) => result,
            Err(_) => Err(CallError::Timeout {
                service: self.service,
            }),
        }
    }

    /// What the peer's mesh answered in place of the service.
    fn mesh_answer(&self, answer: &HeaderValue, body: &[u8]) -> CallError {
        if *answer == wire::TIMED_OUT {
            return CallError::Timeout {
                service: self.service,
            };
        }
        let problem = serde_json::from_slice::<Problem>(body);
        let detail = problem.map_or_else(|_| "it refused without a reason".to_owned(), |p| p.detail);
        self.unavailable(detail)
    }

    /// The peer's fault, with where it should be and the key that says so.
    fn unavailable(&self, why: impl std::fmt::Display) -> CallError {
        let (service, address) = (self.service, &self.address);
        CallError::Unavailable {
            service,
            why: format!("{address} (from mesh.peers.{service}): {why}"),
        }
    }

    /// This process's own fault.
    fn unable(&self, why: String) -> CallError {
        CallError::Unavailable {
            service: self.service,
            why,
        }
    }
}

/// The current span is the parent of what the peer does; while no traces are exported, what the request came with.
fn put_traceparent(headers: &mut HeaderMap, received: Option<&str>) {
    if let Some(traceparent) = stoa_telemetry::current_traceparent().as_deref().or(received) {
        wire::put(headers, &wire::TRACEPARENT, traceparent);
    }
}

/// Whether the error is the connection's, not this one request's.
fn died(error: &hyper::Error, live: &Live) -> bool {
    let h2 = std::error::Error::source(error).and_then(|source| source.downcast_ref::<h2::Error>());
    let of_connection =
        h2.is_some_and(|e| e.is_io() || e.is_go_away() || e.reason() == Some(h2::Reason::REFUSED_STREAM));
    of_connection || error.is_canceled() || error.is_closed() || live.is_closed()
}

impl Remote for RemotePeer {
    fn call<'a>(
        &'a self,
        scope: &'a Scope,
        _service: &'static str,
        name: &'static str,
        body: Vec<u8>,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<Vec<u8>, CallError>> {
        Box::pin(async move {
            let reply = self
                .before(deadline, self.rpc(scope, name, body, deadline))
                .await?;
            Ok(reply.into())
        })
    }

    fn forward<'a>(
        &'a self,
        _service: &'a str,
        request: Request<Body>,
    ) -> BoxFuture<'a, Result<Response<Body>, Problem>> {
        let span = step!("mesh.forward", otel.kind = "client", service = self.service);
        Box::pin(self.pass_on(request).instrument(span))
    }
}
