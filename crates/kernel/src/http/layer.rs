//! What happens around every handler at the edge.

use crate::problem::Problem;
use aide::generate::GenContext;
use aide::openapi::SchemaObject;
use aide::openapi::{
    HeaderStyle, Operation, Parameter, ParameterData, ParameterSchemaOrContent, ReferenceOr,
};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, Method, StatusCode};

/// Headers that only the edge may set; what a client sends under these names is removed first (GW-02).
pub const EDGE_HEADERS: &[&str] = &[
    "x-user-id",
    "x-tenant-id",
    "x-roles",
    "x-data-scope",
    "x-branch-id",
    "x-stoa-scope",
    "x-stoa-context",
    "x-stoa-deadline",
];

static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
static X_TRACE_ID: HeaderName = HeaderName::from_static("x-trace-id");

/// Runs a command in a task of its own, so that a client that hangs up does not cancel it half way. Its waits are
/// bounded by the request's deadline.
pub async fn spawn_commands(request: Request, next: Next) -> Response {
    let method = request.method().clone();
    run_command(&method, next.run(request)).await
}

/// [`spawn_commands`] for who calls a router itself: reads run in place, everything else in a task of its own.
pub async fn run_command(method: &Method, work: impl Future<Output = Response> + Send + 'static) -> Response {
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return work.await;
    }
    let command = tokio::spawn(tracing::Instrument::instrument(work, tracing::Span::current()));
    match command.await {
        Ok(response) => response,
        Err(join) => Problem::internal(&join).into_response(),
    }
}

/// Writes the trace id into problems and headers, and turns bodiless refusals of the router into problems.
#[must_use]
pub fn finish_response(mut response: Response, trace_id: &str, request_id: &str) -> Response {
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        response = problem.render(trace_id);
    } else if matches!(
        response.status(),
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED
    ) && !response.headers().contains_key(http::header::CONTENT_TYPE)
    {
        let allow = response.headers_mut().remove(http::header::ALLOW);
        response = bare(response.status()).render(trace_id);
        if let Some(allow) = allow {
            response.headers_mut().insert(http::header::ALLOW, allow);
        }
    } else if response.status() == StatusCode::PAYLOAD_TOO_LARGE {
        response = super::body::too_large().render(trace_id);
    }
    for (name, value) in [(&X_REQUEST_ID, request_id), (&X_TRACE_ID, trace_id)] {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name.clone(), value);
        }
    }
    response
}

fn bare(status: StatusCode) -> Problem {
    if status == StatusCode::METHOD_NOT_ALLOWED {
        return Problem::method_not_allowed(None);
    }
    Problem::not_found("resource")
}

/// Adds a header to an operation's parameters.
pub(crate) fn header_parameter(
    ctx: &mut GenContext,
    operation: &mut Operation,
    name: &str,
    description: &str,
    required: bool,
) {
    let schema = ctx.schema.subschema_for::<String>();
    operation.parameters.push(ReferenceOr::Item(Parameter::Header {
        parameter_data: ParameterData {
            name: name.to_owned(),
            description: Some(description.to_owned()),
            required,
            deprecated: None,
            format: ParameterSchemaOrContent::Schema(SchemaObject {
                json_schema: schema,
                external_docs: None,
                example: None,
            }),
            example: None,
            examples: Default::default(),
            explode: None,
            extensions: Default::default(),
        },
        style: HeaderStyle::Simple,
    }));
}

/// The `Idempotency-Key` parameter.
pub(crate) fn idempotency_parameter(ctx: &mut GenContext, operation: &mut Operation) {
    header_parameter(
        ctx,
        operation,
        "Idempotency-Key",
        "Makes the command safe to repeat for 24 hours: the same key and body replay the first answer",
        false,
    );
}
