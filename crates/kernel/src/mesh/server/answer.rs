//! One request from a peer: who it is from is checked first, then it is answered.

use super::served::Served;
use crate::decisions::Decisions;
use crate::http::finish_response;
use crate::mesh::credential::{Refusal, Verifier};
use crate::mesh::tls::PeerCertificate;
use crate::mesh::{Handler, Mesh, wire};
use crate::problem::Problem;
use crate::request::{Identity, RequestContext};
use crate::scope::Scope;
use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse;
use futures::FutureExt;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tokio::time::Instant;
use tower::ServiceExt;
use tracing::{Instrument, Span};
use uuid::Uuid;

pub(super) struct Server {
    pub(super) mesh: Mesh,
    pub(super) decisions: Decisions,
    pub(super) routers: HashMap<&'static str, Router>,
    pub(super) verifier: Verifier,
}

/// What the mesh itself answers, so that the caller does not take it for the service's answer.
enum Instead {
    Refused(Refusal),
    NotHere(String),
    Malformed(String),
    TimedOut,
}

impl Server {
    pub(super) async fn answer(&self, peer: &PeerCertificate, request: Request<Incoming>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path();
        let answer = if let Some(name) = path.strip_prefix(wire::RPC) {
            let name = name.to_owned();
            self.rpc(peer, &name, parts, body).await
        } else if path.starts_with("/edge/") {
            self.edge(peer, parts, body).await
        } else {
            Err(Instead::NotHere(path.to_owned()))
        };
        answer.unwrap_or_else(|instead| instead.respond(peer))
    }

    async fn rpc(
        &self,
        peer: &PeerCertificate,
        name: &str,
        parts: Parts,
        body: Incoming,
    ) -> Result<Response<Body>, Instead> {
        let (handler, scope, span) = self.admit(peer, name, &parts)?;
        let deadline = scope.deadline();
        let work = async {
            let body = Limited::new(body, wire::MAX_CALL_BYTES)
                .collect()
                .await
                .map_err(|e| Instead::Malformed(format!("the body of {name}: {e}")))?
                .to_bytes();
            let call = async { handler.call_wire(scope, &body).await };
            Ok(uncaught(call).await.unwrap_or_else(Err))
        };
        match within(deadline, work.instrument(span)).await?? {
            Ok(reply) => Ok(json(reply)),
            Err(problem) => Ok(problem.into_response()),
        }
    }

    /// The handler of a call, and the scope and span in which it works.
    fn admit(
        &self,
        peer: &PeerCertificate,
        name: &str,
        parts: &Parts,
    ) -> Result<(Arc<dyn Handler>, Scope, Span), Instead> {
        let headers = &parts.headers;
        if headers.contains_key(&wire::CONTEXT) {
            return Err(Instead::Refused(Refusal::ExternalContext));
        }
        let handler = match self.mesh.handler(name) {
            Some(handler) if parts.method == Method::POST => handler,
            _ => return Err(Instead::NotHere(name.to_owned())),
        };
        let credential = headers.get(&wire::SCOPE).map_or(&[][..], HeaderValue::as_bytes);
        let (tenant, actor) = self
            .verifier
            .call(peer, credential, handler.service())
            .map_err(Instead::Refused)?;
        let (deadline, correlation) = timing(parts)?;
        let traceparent = wire::text(headers, &wire::TRACEPARENT);
        let caller = actor.user().map(|user| Identity { tenant, user });
        let served = Served::begin(
            name,
            traceparent,
            &trace_id(parts, traceparent, correlation),
            caller,
        );
        let scope = Scope::new(tenant, actor, deadline, correlation, served.traceparent)
            .caused_by(wire::id(headers, &wire::CAUSATION));
        Ok((handler, scope, served.span))
    }

    async fn edge(
        &self,
        peer: &PeerCertificate,
        mut parts: Parts,
        body: Incoming,
    ) -> Result<Response<Body>, Instead> {
        let service = wire::text(&parts.headers, &wire::SERVICE).unwrap_or_default();
        let Some((service, router)) = self.routers.get_key_value(service) else {
            return Err(Instead::NotHere(service.to_owned()));
        };
        let credential = parts
            .headers
            .get(&wire::SCOPE)
            .map_or(&[][..], HeaderValue::as_bytes);
        let identity = self
            .verifier
            .edge(peer, credential, service)
            .map_err(Instead::Refused)?;
        let (deadline, correlation) = timing(&parts)?;
        let traceparent = wire::text(&parts.headers, &wire::TRACEPARENT);
        let trace_id = trace_id(&parts, traceparent, correlation);
        let served = Served::begin(service, traceparent, &trace_id, identity);
        let request_id =
            wire::text(&parts.headers, &wire::REQUEST_ID).map_or_else(|| trace_id.clone(), Arc::from);

        parts.uri = client_uri(&parts.uri)?;
        wire::strip_mesh(&mut parts.headers);
        let context = RequestContext::new(
            identity,
            self.decisions.clone(),
            deadline,
            correlation,
            trace_id.clone(),
            served.traceparent,
        );
        parts.extensions.insert(context);
        let mut request = Request::from_parts(parts, Body::new(body));
        // The gateway has bounded the body; axum's own limit would be a second, smaller one.
        axum::extract::DefaultBodyLimit::disable().apply(&mut request);
        let answer = async {
            router
                .clone()
                .oneshot(request)
                .await
                .unwrap_or_else(|never| match never {})
        };
        let response = within(deadline, uncaught(answer).instrument(served.span)).await?;
        let response = response.unwrap_or_else(IntoResponse::into_response);
        Ok(finish_response(response, &trace_id, &request_id))
    }
}

impl Instead {
    fn respond(self, peer: &PeerCertificate) -> Response<Body> {
        let (status, code, detail) = match self {
            Self::Refused(refusal) => {
                metrics::counter!("stoa_mesh_scopes_refused_total").increment(1);
                tracing::warn!(peer = %peer.services.join(","), cause = %refusal, "refused an internal scope");
                (StatusCode::UNAUTHORIZED, "mesh.scope", refusal.to_string())
            }
            Self::NotHere(what) => {
                let detail = format!("this process does not answer {what:?}");
                (StatusCode::MISDIRECTED_REQUEST, "mesh.not_here", detail)
            }
            Self::Malformed(why) => (StatusCode::BAD_REQUEST, "mesh.malformed", why),
            Self::TimedOut => {
                let detail = "the caller's deadline passed".to_owned();
                (StatusCode::GATEWAY_TIMEOUT, "mesh.timeout", detail)
            }
        };
        let answer = if code == "mesh.timeout" {
            wire::TIMED_OUT
        } else {
            wire::REFUSED
        };
        let mut response = Problem::new(status, code, "The mesh refused", detail).into_response();
        response.headers_mut().insert(wire::MESH.clone(), answer);
        response
    }
}

fn timing(parts: &Parts) -> Result<(Instant, Uuid), Instead> {
    let missing = |name: &header::HeaderName| Instead::Malformed(format!("{name} is missing or malformed"));
    let deadline = wire::deadline(&parts.headers).ok_or_else(|| missing(&wire::DEADLINE))?;
    let correlation =
        wire::id(&parts.headers, &wire::CORRELATION).ok_or_else(|| missing(&wire::CORRELATION))?;
    Ok((deadline, correlation))
}

/// The gateway's trace id, or the one in `traceparent` (W3C Trace Context, section 3.2), or the correlation.
fn trace_id(parts: &Parts, traceparent: Option<&str>, correlation: Uuid) -> Arc<str> {
    let sent = wire::text(&parts.headers, &wire::TRACE_ID)
        .or_else(|| traceparent.and_then(|text| text.get(3..35)))
        .filter(|id| id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()));
    sent.map_or_else(|| correlation.simple().to_string().into(), Arc::from)
}

/// The path and query as the client sent them.
fn client_uri(uri: &Uri) -> Result<Uri, Instead> {
    let path = uri.path_and_query().map_or("/", PathAndQuery::as_str);
    let path = path.strip_prefix(wire::EDGE).unwrap_or(path);
    path.parse()
        .map_err(|e| Instead::Malformed(format!("the path cannot be read: {e}")))
}

async fn within<T>(deadline: Instant, work: impl Future<Output = T>) -> Result<T, Instead> {
    tokio::time::timeout_at(deadline, work)
        .await
        .map_err(|_| Instead::TimedOut)
}

/// A panic in a handler is that request's defect, and an answer.
async fn uncaught<T>(work: impl Future<Output = T>) -> Result<T, Problem> {
    AssertUnwindSafe(work)
        .catch_unwind()
        .await
        .map_err(|_| Problem::internal(&std::io::Error::other("a handler panicked")))
}

fn json(reply: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from(reply));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
