//! Problem details (RFC 9457): the one error shape of every endpoint.

use crate::db::DbError;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// One field that a request got wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FieldError {
    /// JSON pointer (RFC 6901) into the body, or the query parameter's name.
    pub pointer: String,
    /// The rule that was broken, as a stable word: `required`, `length`, `format`, `range`, `unknown` …
    pub rule: String,
    /// The rule in words, with its numbers.
    pub detail: String,
}

impl FieldError {
    /// Names the field, the rule and what the rule says.
    pub fn new(pointer: impl Into<String>, rule: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            pointer: pointer.into(),
            rule: rule.into(),
            detail: detail.into(),
        }
    }
}

/// A refusal or failure, on its way to the client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// The documented page of `code`.
    #[serde(rename = "type")]
    pub type_uri: String,
    /// What the code means, the same for every occurrence.
    pub title: String,
    /// The HTTP status code.
    pub status: u16,
    /// The stable code that programs act on, such as `customers.not_found`.
    pub code: Cow<'static, str>,
    /// What happened this time and what to do next.
    pub detail: String,
    /// The fields that were wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// The request's trace, to quote in a report; the edge fills it in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// Why authorisation refused, only for those who may know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explanation: Option<serde_json::Value>,
    /// Seconds after which a retry makes sense; becomes `Retry-After`.
    #[serde(skip)]
    pub retry_after: Option<u64>,
    /// The methods that the path does answer; becomes `Allow`.
    #[serde(skip)]
    pub allow: Option<String>,
}

impl Problem {
    /// A problem with a stable code. `code` is `<area>.<what>` in lower case.
    pub fn new(
        status: StatusCode,
        code: &'static str,
        title: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            type_uri: format!("/problems/{code}"),
            title: title.into(),
            status: status.as_u16(),
            code: Cow::Borrowed(code),
            detail: detail.into(),
            errors: Vec::new(),
            trace_id: None,
            explanation: None,
            retry_after: None,
            allow: None,
        }
    }

    /// 400: the request cannot be read.
    pub fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            code,
            "The request cannot be read",
            detail,
        )
    }

    /// 401: no credentials, or none that are valid.
    pub fn unauthenticated(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "auth.unauthenticated",
            "Sign in first",
            detail,
        )
    }

    /// 403: the resource is visible, but this action on it is not allowed.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "auth.forbidden", "Not allowed", detail)
    }

    /// 404: it does not exist, or not for this caller; the two look the same on purpose.
    pub fn not_found(what: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "request.not_found",
            "Not found",
            format!("there is no such {what}, or you may not see it"),
        )
    }

    /// 405: the path answers other methods only (RFC 9110, section 15.5.6); `allow` names them, joined by commas.
    #[must_use]
    pub fn method_not_allowed(allow: Option<String>) -> Self {
        let mut problem = Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "request.method_not_allowed",
            "Method not allowed",
            "this path does not answer that method; see Allow and /docs",
        );
        problem.allow = allow;
        problem
    }

    /// 422: well-formed, but fields break rules.
    #[must_use]
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [one] if one.pointer.is_empty() => one.detail.clone(),
            [one] => format!("{}: {}", one.pointer, one.detail),
            many => format!("{} fields break a rule; see errors", many.len()),
        };
        let mut problem = Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "request.invalid",
            "Some fields are not valid",
            detail,
        );
        problem.errors = errors;
        problem
    }

    /// 409: the state of the resource does not admit this.
    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, "Conflict", detail)
    }

    /// 412: somebody else changed the resource since it was read (RFC 9110, section 13.1.1).
    #[must_use]
    pub fn stale(current: i64) -> Self {
        Self::new(
            StatusCode::PRECONDITION_FAILED,
            "request.stale",
            "Changed by someone else",
            format!(
                "If-Match names an old version, the current one is \"{current}\"; read it again and repeat"
            ),
        )
    }

    /// 428: this update can lose somebody's change, so it must say which version it means (RFC 6585, section 3).
    #[must_use]
    pub fn version_required() -> Self {
        Self::new(
            StatusCode::PRECONDITION_REQUIRED,
            "request.version_required",
            "If-Match is required",
            "send If-Match with the ETag of the version that you read",
        )
    }

    /// 503: a dependency is away for now.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        let mut problem = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "service.unavailable",
            "Temporarily unavailable",
            detail,
        );
        problem.retry_after = Some(1);
        problem
    }

    /// 504: the deadline passed.
    pub fn timeout(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::GATEWAY_TIMEOUT,
            "service.timeout",
            "Took too long",
            detail,
        )
    }

    /// 500: our defect. The cause is logged here, under the trace id that the client sees, and not sent.
    pub fn internal(cause: &(dyn std::error::Error + 'static)) -> Self {
        let mut chain = cause.to_string();
        let mut source = cause.source();
        while let Some(next) = source {
            chain.push_str(": ");
            chain.push_str(&next.to_string());
            source = next.source();
        }
        tracing::error!(cause = %chain, "internal error");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "service.internal",
            "Internal error",
            "this is a defect in Stoa; report it with the traceId",
        )
    }

    /// Adds the rejected fields.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<FieldError>) -> Self {
        self.errors = errors;
        self
    }

    /// The status code.
    #[must_use]
    pub fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The full response, with the trace id in its body.
    #[must_use]
    pub fn render(mut self, trace_id: &str) -> Response {
        self.trace_id = Some(trace_id.to_owned());
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (self.status_code(), body).into_response();
        self.write_headers(&mut response);
        response
    }

    fn write_headers(&self, response: &mut Response) {
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        let allow = self.allow.as_deref().and_then(|a| HeaderValue::from_str(a).ok());
        if let Some(allow) = allow {
            headers.insert(header::ALLOW, allow);
        }
        if self.status == 401 {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
    }
}

impl IntoResponse for Problem {
    /// The body is written here and once more by the edge, which alone knows the trace id and finds the problem in
    /// the response's extensions.
    fn into_response(self) -> Response {
        let mut response =
            (self.status_code(), serde_json::to_vec(&self).unwrap_or_default()).into_response();
        self.write_headers(&mut response);
        response.extensions_mut().insert(self);
        response
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}: {}", self.status, self.code, self.detail)
    }
}

impl std::error::Error for Problem {}

impl From<DbError> for Problem {
    fn from(error: DbError) -> Self {
        match &error {
            DbError::Unavailable(why) => {
                tracing::warn!(cause = %why, "database unavailable");
                Self::unavailable("the database is not reachable; try again shortly")
            }
            DbError::Timeout(_) => {
                let mut problem = Self::timeout("the database did not answer before the deadline; try again");
                problem.status = 503;
                problem.code = Cow::Borrowed("service.unavailable");
                problem.retry_after = Some(1);
                problem
            }
            DbError::Contention(_) => {
                let mut problem = Self::conflict(
                    "request.contention",
                    "a concurrent change got in the way; try again",
                );
                problem.retry_after = Some(0);
                problem
            }
            DbError::Failed { .. } if error.is_unreadable_value() => {
                tracing::debug!(%error, "a value was refused");
                Self::bad_request(
                    "request.value",
                    "a value holds the character NUL, or a cursor is not one that this API returned",
                )
            }
            DbError::Constraint { .. } | DbError::Failed { .. } | DbError::Unexpected(_) => {
                Self::internal(&error)
            }
        }
    }
}

impl aide::OperationOutput for Problem {
    type Inner = Self;

    fn inferred_responses(
        ctx: &mut aide::generate::GenContext,
        _operation: &mut aide::openapi::Operation,
    ) -> Vec<(Option<u16>, aide::openapi::Response)> {
        vec![(
            None,
            crate::openapi::problem_response(ctx, "Problem details (RFC 9457); `code` says which"),
        )]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_of_the_whole_has_no_pointer_to_print() {
        let detail = |pointer| Problem::invalid(vec![FieldError::new(pointer, "format", "not UTF-8")]).detail;
        assert_eq!(
            (detail("").as_str(), detail("/file").as_str()),
            ("not UTF-8", "/file: not UTF-8")
        );
    }
}
