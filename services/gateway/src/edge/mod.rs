//! The edge: what stands between the outside and every endpoint. A flat pipeline, one module per stage.
//!
//! Routing comes after authentication, because a tenant's own routes match only that tenant's callers.

mod allowance;
mod authenticate;
mod decide;
mod foreign;
mod forward;
mod keys;
mod limits;
mod metrics;
mod normalise;
mod record;
mod token;
mod trace;

pub(crate) use foreign::DESCRIBE;
pub(crate) use keys::LOAD_KEYS;

use crate::routing::{Live, Question, Upstream};
use allowance::{Allowance, Allowances};
use authenticate::{Authenticator, Credentials};
use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use foreign::{Foreign, Travel};
use futures::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri, header};
use metrics::Metrics;
use record::Record;
use serde_json::Value;
use std::any::Any;
use std::borrow::Cow;
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use stoa_kernel::config::Config;
use stoa_kernel::decisions::Decisions;
use stoa_kernel::http::finish_response;
use stoa_kernel::lifecycle::supervise;
use stoa_kernel::request::{Identity, RequestContext};
use stoa_kernel::service::Task;
use stoa_kernel::{Clock, Mesh, Problem, ServiceContext};
use stoa_telemetry::step;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use trace::Trace;
use tracing::Instrument;
use uuid::Uuid;

/// A stage's refusal: what the client gets, and the reason in the request record.
#[derive(Debug)]
struct Refusal {
    reason: &'static str,
    problem: Box<Problem>,
}

impl Refusal {
    fn new(reason: &'static str, problem: Problem) -> Self {
        Self {
            reason,
            problem: Box::new(problem),
        }
    }
}

/// The edge's parts; one per process.
struct Edge {
    routes: Live,
    authenticator: Authenticator,
    decisions: Decisions,
    mesh: Mesh,
    foreign: Foreign,
    metrics: Arc<Metrics>,
    allowances: Allowances,
    sample_ratio: f64,
}

/// One request on its way.
struct Passage<'a> {
    deadline: Instant,
    allowance: Allowance,
    correlation: Uuid,
    request_id: &'a str,
    trace: &'a Trace,
}

/// The handler of everything that arrives at the public listener. Starts the task that keeps the routes fresh; call it
/// within the runtime.
pub fn edge(context: &ServiceContext) -> Router {
    let routes = Live::default();
    let (follower, db) = (routes.clone(), context.db.system.clone());
    let follow = Task::new("gateway.routes", move |stop| {
        follower.clone().follow(db.clone(), stop)
    });
    supervise(follow, &TaskTracker::new(), context.stop.clone());
    Edge::new(
        routes,
        context.mesh.clone(),
        context.decisions.clone(),
        context.clock.clone(),
        &context.config,
        &context.openapi,
    )
    .into_router()
}

impl Edge {
    fn new(
        routes: Live,
        mesh: Mesh,
        decisions: Decisions,
        clock: Clock,
        config: &Config,
        openapi: &Value,
    ) -> Self {
        Self {
            routes,
            authenticator: Authenticator::new(mesh.clone(), clock),
            foreign: Foreign::new(mesh.clone(), config.server.private_upstreams),
            decisions,
            mesh,
            metrics: Arc::new(Metrics::new()),
            allowances: Allowances::new(&config.server, openapi),
            sample_ratio: config.telemetry.sample_ratio,
        }
    }

    fn into_router(self) -> Router {
        let edge = Arc::new(self);
        Router::new().fallback_service(tower::service_fn(move |request| {
            let edge = edge.clone();
            async move { Ok::<_, Infallible>(edge.handle(request).await) }
        }))
    }

    async fn handle(&self, request: Request<Body>) -> Response {
        let start = Instant::now();
        let trace = Trace::begin(request.headers(), self.sample_ratio);
        let correlation = stoa_types::new_id();
        let request_id = trace::request_id(request.headers(), correlation);
        let is_api = request.uri().path().starts_with("/api");
        let mut record = Record::begin(
            start,
            request.method().clone(),
            request.uri().clone(),
            trace.parent.clone(),
            self.metrics.clone(),
        );
        let allowance = self.allowances.of(request.method(), request.uri().path());
        let passage = Passage {
            deadline: start + allowance.time,
            allowance,
            correlation,
            request_id: &request_id,
            trace: &trace,
        };
        let work = self
            .answer(request, &passage, &mut record)
            .instrument(trace.span.clone());
        // A panic in a handler is that request's 500, not the end of every request on its connection.
        let work = AssertUnwindSafe(work).catch_unwind();
        let response = match tokio::time::timeout_at(passage.deadline, work).await {
            Ok(Ok(response)) => response,
            Ok(Err(panic)) => Err(panicked(panic.as_ref())),
            Err(_) => Err(timed_out(allowance)),
        };
        let response = match response {
            Ok(response) => {
                let code = response
                    .extensions()
                    .get::<Problem>()
                    .map(|problem| problem.code.clone());
                record.reason = code.unwrap_or(Cow::Borrowed("ok"));
                response
            }
            Err(refusal) => {
                record.reason = Cow::Borrowed(refusal.reason);
                refusal.problem.into_response()
            }
        };
        record.describe(&trace.span, response.status());
        let mut response = finish_response(response, &trace.id, &request_id);
        harden(response.headers_mut(), is_api);
        record.finish(response)
    }

    /// The pipeline.
    async fn answer(
        &self,
        request: Request<Body>,
        passage: &Passage<'_>,
        record: &mut Record,
    ) -> Result<Response, Refusal> {
        let uri = request.uri().clone();
        let path = normalise::normalise(uri.path())?;
        let arrived = Instant::now();
        let (mut request, bound) = limits::limit(request, passage.allowance)?;
        let credentials = self.authenticator.authenticate(request.headers());
        let credentials = credentials.instrument(step!("edge.authenticate")).await?;
        let identity = match credentials {
            Credentials::Good(identity) => Some(identity),
            Credentials::None | Credentials::Refused(_) => None,
        };
        self.note_caller(identity, passage, record);
        forward::strip_edge_headers(request.headers_mut());

        let question = Question {
            method: request.method(),
            path: &path,
            host: &host(&request, &uri),
            headers: request.headers(),
            query: uri.query(),
        };
        let snapshot = self.routes.load().ok_or_else(routes_loading)?;
        let matched = snapshot.find(&question, identity).ok_or_else(no_route)?;
        record.route = Some(matched.clone());
        let target = matched.rewritten(&path);

        let caller = decide::decide(&self.decisions, credentials, request.method(), &path, record);
        let caller = caller.instrument(step!("edge.decide")).await;
        self.metrics.authorized(arrived.elapsed());
        let caller = caller?;
        match (&matched.route.upstream, &target) {
            // A route that renames an endpoint must not be a way around the endpoint's own rule.
            (Upstream::Service(_), Some(renamed)) => {
                decide::decide(&self.decisions, credentials, request.method(), renamed, record).await?;
            }
            (Upstream::Service(_) | Upstream::Url(_), _) => {}
        }

        forward::set_path(request.uri_mut(), target.as_deref().unwrap_or(&path))?;
        let answer = match (&matched.route.upstream, identity, &caller) {
            (Upstream::Service(service), _, _) => {
                let context = RequestContext::new(
                    identity,
                    self.decisions.clone(),
                    passage.deadline,
                    passage.correlation,
                    passage.trace.id.clone(),
                    Some(passage.trace.parent.clone()),
                );
                if let Some(caller) = &caller {
                    context.know_caller(caller.clone());
                }
                request.extensions_mut().insert(context);
                forward::to_service(&self.mesh, service, request).await
            }
            (Upstream::Url(origin), Some(identity), Some(caller)) => {
                let travel = Travel {
                    identity,
                    caller,
                    traceparent: &passage.trace.parent,
                    request_id: passage.request_id,
                };
                self.foreign.forward(origin, request, &travel).await
            }
            // Foreign servers stand behind tenants' routes, which match no anonymous request.
            (Upstream::Url(_), _, _) => Err(no_route()),
        };
        bound.judge(answer)
    }

    fn note_caller(&self, identity: Option<Identity>, passage: &Passage<'_>, record: &mut Record) {
        record.identity = identity;
        if let Some(identity) = identity {
            let span = &passage.trace.span;
            span.record("user_id", tracing::field::display(identity.user));
            span.record("tenant_id", tracing::field::display(identity.tenant));
        }
    }
}

/// The host that the request is for (RFC 9112, section 3.2.2: the request line's wins), in lower case, without port.
fn host<'r>(request: &'r Request<Body>, uri: &'r Uri) -> Cow<'r, str> {
    let named = uri.host().or_else(|| {
        let value = request.headers().get(header::HOST)?.to_str().ok()?;
        // An IPv6 address stands in brackets.
        let port = value
            .rfind(':')
            .filter(|at| !value.get(*at..).unwrap_or_default().contains(']'));
        value.get(..port.unwrap_or(value.len()))
    });
    let named = named.unwrap_or_default();
    if named.bytes().any(|b| b.is_ascii_uppercase()) {
        Cow::Owned(named.to_ascii_lowercase())
    } else {
        Cow::Borrowed(named)
    }
}

/// Headers of every response.
fn harden(headers: &mut HeaderMap, is_api: bool) {
    static NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
    static NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
    const CONTENT_TYPE_OPTIONS: HeaderName = header::X_CONTENT_TYPE_OPTIONS;
    headers.remove(header::SERVER);
    headers.insert(CONTENT_TYPE_OPTIONS, NOSNIFF.clone());
    if is_api && !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, NO_STORE.clone());
    }
}

fn panicked(panic: &(dyn Any + Send)) -> Refusal {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let cause = std::io::Error::other(format!("a handler panicked: {}", text.unwrap_or("without words")));
    Refusal::new("panic", Problem::internal(&cause))
}

fn timed_out(allowance: Allowance) -> Refusal {
    let Allowance { time, time_key, .. } = allowance;
    Refusal::new(
        "timeout",
        Problem::timeout(format!(
            "no answer within {} ms ({time_key}); a command may still have happened, so repeat it with the same \
             Idempotency-Key",
            time.as_millis()
        )),
    )
}

fn no_route() -> Refusal {
    Refusal::new("route.none", Problem::not_found("path"))
}

fn routes_loading() -> Refusal {
    Refusal::new(
        "route.loading",
        Problem::unavailable("the routes are still loading; try again"),
    )
}

#[cfg(test)]
mod tests;
