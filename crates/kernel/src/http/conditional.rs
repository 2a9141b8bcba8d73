//! ETag and If-Match (RFC 9110, sections 8.8.3 and 13.1.1): a record's version, so that no update is lost.

use crate::openapi::problem_response;
use crate::problem::Problem;
use aide::generate::GenContext;
use aide::openapi::{Operation, Response as ApiResponse};
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde::Serialize;

/// The strong entity tag of a version: `"7"`.
#[must_use]
pub fn etag(version: i64) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{version}\"")).unwrap_or_else(|_| HeaderValue::from_static("\"0\""))
}

/// The version that the client read. Required (428) on updates that could lose somebody's change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfMatch {
    /// `*`: any version of an existing record.
    Any,
    /// One version.
    Version(i64),
}

impl IfMatch {
    /// Checks the stored version against the client's.
    ///
    /// # Errors
    /// 412 when they differ.
    pub fn check(self, current: i64) -> Result<(), Problem> {
        match self {
            Self::Any => Ok(()),
            Self::Version(version) if version == current => Ok(()),
            Self::Version(_) => Err(Problem::stale(current)),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get(header::IF_MATCH) else {
            return Err(Problem::version_required());
        };
        let text = value.to_str().unwrap_or_default().trim();
        if text == "*" {
            return Ok(Self::Any);
        }
        let version = text
            .strip_prefix('"')
            .and_then(|t| t.strip_suffix('"'))
            .and_then(|t| t.parse().ok());
        // A tag that is not ours (weak, a list, another server's) matches no version, which is a 412 later.
        Ok(Self::Version(version.unwrap_or(i64::MIN)))
    }
}

impl aide::OperationInput for IfMatch {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        crate::http::layer::header_parameter(
            ctx,
            operation,
            "If-Match",
            "The ETag of the version that was read, or `*`",
            true,
        );
    }

    fn inferred_early_responses(
        ctx: &mut GenContext,
        _operation: &mut Operation,
    ) -> Vec<(Option<u16>, ApiResponse)> {
        vec![
            (
                Some(412),
                problem_response(ctx, "Somebody else changed it; read it again"),
            ),
            (Some(428), problem_response(ctx, "If-Match is required")),
        ]
    }
}

/// The versions that the client has already (RFC 9110, section 13.1.2); a read of one of them answers 304.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IfNoneMatch(Option<String>);

impl IfNoneMatch {
    /// Whether the client has `version`. The comparison is weak, as the RFC asks.
    #[must_use]
    pub fn has(&self, version: i64) -> bool {
        let Some(tags) = &self.0 else { return false };
        tags.split(',').map(str::trim).any(|tag| {
            let tag = tag.strip_prefix("W/").unwrap_or(tag);
            let number = tag.strip_prefix('"').and_then(|t| t.strip_suffix('"'));
            tag == "*" || number.and_then(|t| t.parse().ok()) == Some(version)
        })
    }

    /// The record, or 304 when the client has it.
    pub fn answer<T>(&self, version: i64, body: T) -> Conditional<T> {
        if self.has(version) {
            return Conditional::NotModified(version);
        }
        Conditional::Fresh(Versioned { version, body })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfNoneMatch {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        let tags = parts.headers.get(header::IF_NONE_MATCH);
        Ok(Self(tags.and_then(|t| t.to_str().ok()).map(str::to_owned)))
    }
}

impl aide::OperationInput for IfNoneMatch {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        crate::http::layer::header_parameter(
            ctx,
            operation,
            "If-None-Match",
            "The ETag of the version that the client has; answered with 304 while it is current",
            false,
        );
    }

    fn inferred_early_responses(
        _ctx: &mut GenContext,
        _operation: &mut Operation,
    ) -> Vec<(Option<u16>, ApiResponse)> {
        let response = ApiResponse {
            description: "The client's version is current".to_owned(),
            ..ApiResponse::default()
        };
        vec![(Some(304), response)]
    }
}

/// The answer to a conditional read.
#[derive(Debug, Clone, Copy)]
pub enum Conditional<T> {
    /// The record: 200 with an ETag.
    Fresh(Versioned<T>),
    /// The client has this version: 304.
    NotModified(i64),
}

impl<T: Serialize> IntoResponse for Conditional<T> {
    fn into_response(self) -> Response {
        match self {
            Self::Fresh(record) => record.into_response(),
            Self::NotModified(version) => {
                (StatusCode::NOT_MODIFIED, [(header::ETAG, etag(version))]).into_response()
            }
        }
    }
}

/// A record with its version: 200 with an ETag.
#[derive(Debug, Clone, Copy)]
pub struct Versioned<T> {
    /// The version, which becomes the ETag.
    pub version: i64,
    /// The record.
    pub body: T,
}

impl<T: Serialize> IntoResponse for Versioned<T> {
    fn into_response(self) -> Response {
        ([(header::ETAG, etag(self.version))], axum::Json(self.body)).into_response()
    }
}

/// A new record: 201 with Location and ETag.
#[derive(Debug, Clone)]
pub struct Created<T> {
    /// The path of the new record.
    pub location: String,
    /// Its version.
    pub version: i64,
    /// The record.
    pub body: T,
}

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        let location =
            HeaderValue::from_str(&self.location).unwrap_or_else(|_| HeaderValue::from_static("/"));
        let headers = [(header::LOCATION, location), (header::ETAG, etag(self.version))];
        (StatusCode::CREATED, headers, axum::Json(self.body)).into_response()
    }
}

macro_rules! documented {
    ($name:ident, $status:literal, $description:literal) => {
        impl<T: JsonSchema> aide::OperationOutput for $name<T> {
            type Inner = T;

            fn operation_response(ctx: &mut GenContext, operation: &mut Operation) -> Option<ApiResponse> {
                let mut response =
                    <axum::Json<T> as aide::OperationOutput>::operation_response(ctx, operation)?;
                response.description = $description.to_owned();
                Some(response)
            }

            fn inferred_responses(
                ctx: &mut GenContext,
                operation: &mut Operation,
            ) -> Vec<(Option<u16>, ApiResponse)> {
                Self::operation_response(ctx, operation)
                    .map(|response| (Some($status), response))
                    .into_iter()
                    .collect()
            }
        }
    };
}
documented!(Conditional, 200, "The record; its version is the ETag");
documented!(Versioned, 200, "The record; its version is the ETag");
documented!(Created, 201, "Created; Location is its path and ETag its version");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_match_knows_lists_weak_tags_and_the_star() {
        let has = |tags: &str| IfNoneMatch(Some(tags.to_owned())).has(7);
        assert!(has("\"7\"") && has("W/\"7\"") && has("\"3\", \"7\"") && has("*"));
        assert!(!has("\"8\"") && !has("7") && !has("") && !IfNoneMatch(None).has(7));
    }
}
