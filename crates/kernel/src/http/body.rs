//! Extractors that answer bad input with a problem naming the field and the rule.

use crate::openapi::problem_response;
use crate::problem::{FieldError, Problem};
use aide::generate::GenContext;
use aide::openapi::{Operation, Response as ApiResponse};
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A JSON body, in or out.
#[derive(Debug, Clone, Copy)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> Json<T> {
    /// Reads a value as a body, with the same problems: for a body that was put together here, such as a patched one.
    ///
    /// # Errors
    /// 422 naming the field.
    pub fn from_value(value: &serde_json::Value) -> Result<Self, Problem> {
        match axum::Json::<T>::from_bytes(value.to_string().as_bytes()) {
            Ok(axum::Json(value)) => Ok(Self(value)),
            // The client has never seen the text in which the position would be.
            Err(JsonRejection::JsonDataError(e)) => {
                let text = source_text(&e);
                Err(Problem::invalid(vec![data_error(without_position(&text))]))
            }
            Err(rejection) => Err(body_problem(&rejection)),
        }
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match axum::Json::<T>::from_request(request, state).await {
            Ok(axum::Json(value)) => Ok(Self(value)),
            Err(rejection) => Err(body_problem(&rejection)),
        }
    }
}

fn body_problem(rejection: &JsonRejection) -> Problem {
    match rejection {
        JsonRejection::JsonDataError(e) => Problem::invalid(vec![data_error(&source_text(e))]),
        JsonRejection::JsonSyntaxError(e) => Problem::bad_request(
            "request.malformed_json",
            format!("the body is not JSON: {}", source_text(e)),
        ),
        JsonRejection::MissingJsonContentType(_) => Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "request.media_type",
            "Unsupported media type",
            "send the body as JSON with Content-Type: application/json",
        ),
        other if other.status() == StatusCode::PAYLOAD_TOO_LARGE => too_large(),
        other => Problem::bad_request(
            "request.body",
            format!("the body cannot be read: {}", other.body_text()),
        ),
    }
}

/// 413, for bodies above the configured limit.
pub(super) fn too_large() -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "request.too_large",
        "Body too large",
        "the body exceeds the limit server.max_body_bytes; send less",
    )
}

/// serde_path_to_error writes `path.to.field: what`; the path becomes a JSON pointer.
fn data_error(text: &str) -> FieldError {
    let (path, what) = text.split_once(": ").unwrap_or(("", text));
    let what = without_position(what);
    let is_path = !path.is_empty() && !path.contains(' ') && path != ".";
    let mut pointer = String::new();
    if is_path {
        for part in path.split('.') {
            let (name, index) = part
                .split_once('[')
                .map_or((part, None), |(n, i)| (n, Some(i.trim_end_matches(']'))));
            if !name.is_empty() {
                pointer.push('/');
                pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
            }
            if let Some(index) = index {
                pointer.push('/');
                pointer.push_str(index);
            }
        }
    }
    let named = what.split('`').nth(1);
    let (rule, pointer) = match named {
        Some(name) if what.starts_with("missing field") => ("required", format!("{pointer}/{name}")),
        Some(name) if what.starts_with("unknown field") => {
            let parent = pointer.strip_suffix(&format!("/{name}")).unwrap_or(&pointer);
            ("unknown", format!("{parent}/{name}"))
        }
        _ => ("type", pointer),
    };
    // Without a path, the position in the text is all that says where.
    let detail = if is_path { in_plain_words(what) } else { text };
    FieldError::new(pointer, rule, detail)
}

/// serde_json ends its messages with ` at line 1 column 17`.
fn without_position(text: &str) -> &str {
    match text.rsplit_once(" at line ") {
        Some((what, position)) if position.contains(" column ") => what,
        _ => text,
    }
}

/// What the parsers of times and ids say, as the rule that was broken.
fn in_plain_words(what: &str) -> &str {
    if what.starts_with("UUID parsing failed") {
        "is not a UUID"
    } else if what.contains("which is required for parsing a timestamp") {
        "is not a time such as 2026-01-31T08:00:00Z"
    } else {
        what
    }
}

fn source_text(error: &dyn std::error::Error) -> String {
    let mut deepest = error;
    while let Some(next) = deepest.source() {
        // axum wraps serde_path_to_error wraps serde_json; the middle one has the path.
        if next.source().is_none() {
            break;
        }
        deepest = next;
    }
    deepest.to_string()
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

impl<T: JsonSchema> aide::OperationInput for Json<T> {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        <axum::Json<T> as aide::OperationInput>::operation_input(ctx, operation);
    }

    fn inferred_early_responses(
        ctx: &mut GenContext,
        _operation: &mut Operation,
    ) -> Vec<(Option<u16>, ApiResponse)> {
        vec![
            (Some(400), problem_response(ctx, "The body is not JSON")),
            (
                Some(422),
                problem_response(ctx, "Fields break a rule; `errors` names them"),
            ),
        ]
    }
}

impl<T: JsonSchema> aide::OperationOutput for Json<T> {
    type Inner = T;

    fn operation_response(ctx: &mut GenContext, operation: &mut Operation) -> Option<ApiResponse> {
        <axum::Json<T> as aide::OperationOutput>::operation_response(ctx, operation)
    }

    fn inferred_responses(
        ctx: &mut GenContext,
        operation: &mut Operation,
    ) -> Vec<(Option<u16>, ApiResponse)> {
        <axum::Json<T> as aide::OperationOutput>::inferred_responses(ctx, operation)
    }
}

/// Query parameters.
#[derive(Debug, Clone, Copy)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Query::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(rejection) => Err(query_problem(&rejection)),
        }
    }
}

fn query_problem(rejection: &QueryRejection) -> Problem {
    match rejection {
        QueryRejection::FailedToDeserializeQueryString(e) => {
            let mut error = data_error(&source_text(e));
            error.pointer = error.pointer.trim_start_matches('/').to_owned();
            Problem::invalid(vec![error])
        }
        other => Problem::bad_request("request.query", other.body_text()),
    }
}

impl<T: JsonSchema> aide::OperationInput for Query<T> {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        <axum::extract::Query<T> as aide::OperationInput>::operation_input(ctx, operation);
    }
}

/// Path parameters. One that cannot be parsed names nothing that exists: 404.
#[derive(Debug, Clone, Copy)]
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(PathRejection::FailedToDeserializePathParams(_)) => Err(Problem::not_found("resource")),
            Err(other) => Err(Problem::bad_request("request.path", other.body_text())),
        }
    }
}

impl<T: JsonSchema> aide::OperationInput for Path<T> {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        <axum::extract::Path<T> as aide::OperationInput>::operation_input(ctx, operation);
        crate::openapi::path_parameter::<T>(ctx, operation);
    }

    fn inferred_early_responses(
        ctx: &mut GenContext,
        _operation: &mut Operation,
    ) -> Vec<(Option<u16>, ApiResponse)> {
        vec![(
            Some(404),
            problem_response(ctx, "Does not exist, or not for this caller"),
        )]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_errors_become_pointers() {
        let missing = data_error(".: missing field `name` at line 1 column 2");
        assert_eq!(
            (missing.pointer.as_str(), missing.rule.as_str()),
            ("/name", "required")
        );
        let wrong =
            data_error("address.lines[2]: invalid type: integer `7`, expected a string at line 1 column 9");
        assert_eq!(
            (wrong.pointer.as_str(), wrong.rule.as_str()),
            ("/address/lines/2", "type")
        );
        let unknown = data_error("colour: unknown field `colour`, expected `name` at line 1 column 3");
        assert_eq!(
            (unknown.pointer.as_str(), unknown.rule.as_str()),
            ("/colour", "unknown")
        );
    }

    #[derive(Debug, serde::Deserialize)]
    #[allow(dead_code, reason = "only refused here")]
    struct Input {
        name: String,
        from: Option<jiff::Timestamp>,
        id: Option<uuid::Uuid>,
    }

    #[test]
    fn what_was_put_together_here_has_no_position() {
        let problem = Json::<Input>::from_value(&serde_json::json!({})).unwrap_err();
        assert_eq!(problem.detail, "/name: missing field `name`");
        let problem = Json::<Input>::from_value(&serde_json::json!(7)).unwrap_err();
        assert!(!problem.detail.contains("line"), "{}", problem.detail);
    }

    #[test]
    fn parameters_name_the_rule() {
        for (query, detail) in [
            ("id=", "id: is not a UUID"),
            ("id=7", "id: is not a UUID"),
            (
                "from=2026-11-20",
                "from: is not a time such as 2026-01-31T08:00:00Z",
            ),
            (
                "from=2026-11-20T08:00",
                "from: is not a time such as 2026-01-31T08:00:00Z",
            ),
        ] {
            let uri = format!("/?name=a&{query}").parse().unwrap();
            let rejection = axum::extract::Query::<Input>::try_from_uri(&uri).unwrap_err();
            assert_eq!(query_problem(&rejection).detail, detail);
        }
    }
}
