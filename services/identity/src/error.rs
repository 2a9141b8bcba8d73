//! OAuth's own error shape, for the endpoints whose clients expect it (RFC 6749, section 5.2).

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde::Serialize;
use stoa_kernel::{DbError, Problem};

/// An error answer of the token and revocation endpoints.
#[derive(Debug)]
pub(crate) struct TokenError {
    /// The HTTP status.
    pub status: StatusCode,
    /// The error code.
    pub error: &'static str,
    /// The error in words.
    pub description: String,
    retry_after: Option<u64>,
}

/// The body of an OAuth error.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct OAuthError {
    /// The error code of RFC 6749, section 5.2, such as `invalid_grant`.
    pub error: String,
    /// The error in words.
    pub error_description: String,
}

impl TokenError {
    /// An error. `description` is ASCII without quotes and backslashes, as RFC 6749 demands.
    pub(crate) fn new(status: StatusCode, error: &'static str, description: impl Into<String>) -> Self {
        Self {
            status,
            error,
            description: description.into(),
            retry_after: None,
        }
    }

    /// The request is malformed.
    pub(crate) fn invalid_request(description: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", description)
    }

    /// The code or refresh token is not good.
    pub(crate) fn invalid_grant(description: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_grant", description)
    }

    /// The client is unknown, or authenticates in a way that it is not registered for.
    pub(crate) fn invalid_client(description: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "invalid_client", description)
    }
}

impl From<Problem> for TokenError {
    fn from(problem: Problem) -> Self {
        let error = match problem.status {
            400 => "invalid_request",
            503 | 504 => "temporarily_unavailable",
            _ => "server_error",
        };
        Self {
            status: problem.status_code(),
            error,
            retry_after: problem.retry_after,
            description: problem.detail,
        }
    }
}

impl From<DbError> for TokenError {
    fn from(error: DbError) -> Self {
        Problem::from(error).into()
    }
}

impl IntoResponse for TokenError {
    fn into_response(self) -> Response {
        let body = OAuthError {
            error: self.error.to_owned(),
            error_description: self.description,
        };
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Basic realm=\"stoa\""),
            );
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
