//! The API's documentation: the OpenAPI document, a page to browse it, and a page per problem code.

mod page;
mod problems;

use aide::axum::ApiRouter;
use aide::axum::routing::get_with;
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::Arc;
use stoa_kernel::Problem;
use stoa_kernel::allowed::Public;
use stoa_kernel::http::Path;

/// Every page, rendered once at start.
#[derive(Clone)]
pub(crate) struct Documents {
    inner: Arc<Inner>,
}

struct Inner {
    openapi: Document,
    docs: Document,
    landing: Document,
    problems: Document,
    by_code: HashMap<&'static str, Document>,
}

struct Document {
    content_type: &'static str,
    body: Bytes,
    etag: HeaderValue,
    policy: Option<HeaderValue>,
}

impl Documents {
    pub(crate) fn new(openapi: &serde_json::Value) -> Self {
        let by_code = problems::CODES
            .iter()
            .map(|entry| (entry.code, Document::html(&page::problem(entry))))
            .collect();
        Self {
            inner: Arc::new(Inner {
                openapi: Document::new("application/json", openapi.to_string().into(), None),
                docs: Document::html(&page::operations(openapi)),
                landing: Document::html(&page::landing(openapi)),
                problems: Document::html(&page::problems(problems::CODES)),
                by_code,
            }),
        }
    }
}

impl Document {
    fn new(content_type: &'static str, body: Bytes, policy: Option<HeaderValue>) -> Self {
        let digest = Sha256::digest(&body);
        let tag: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Self {
            content_type,
            body,
            etag: HeaderValue::try_from(format!("\"{tag}\"")).unwrap_or(HeaderValue::from_static("\"0\"")),
            policy,
        }
    }

    fn html(page: &page::Page) -> Self {
        let policy = HeaderValue::try_from(page.policy.as_str()).ok();
        Self::new("text/html; charset=utf-8", page.html.clone().into(), policy)
    }

    /// 304 when the client has it (RFC 9110, section 13.1.2).
    fn answer(&self, request: &HeaderMap) -> Response {
        let theirs = request.get_all(header::IF_NONE_MATCH).iter();
        let known = theirs
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(|tag| tag.trim().trim_start_matches("W/"))
            .any(|tag| tag == "*" || tag.as_bytes() == self.etag.as_bytes());
        let mut response = if known {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            self.body.clone().into_response()
        };
        let headers = response.headers_mut();
        if known {
            headers.remove(header::CONTENT_TYPE);
        } else {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        }
        headers.insert(header::ETAG, self.etag.clone());
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        if let Some(policy) = &self.policy {
            headers.insert(header::CONTENT_SECURITY_POLICY, policy.clone());
            headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        }
        response
    }
}

/// The endpoints.
pub(crate) fn routes() -> ApiRouter<crate::Shared> {
    ApiRouter::new()
        .api_route("/", get_with(landing, |op| html(op, "landing", "The front page")))
        .api_route("/openapi.json", get_with(openapi, |op| json(op, "openapi")))
        .api_route("/v3/api-docs", get_with(openapi, |op| json(op, "apiDocs")))
        .api_route(
            "/docs",
            get_with(docs, |op| html(op, "docs", "The API to browse")),
        )
        .api_route(
            "/swagger-ui.html",
            get_with(swagger, |op| {
                op.id("swaggerUi")
                    .summary("Redirects to /docs")
                    .tag("Documentation")
                    .response_with::<308, (), _>(|response| response.description("To /docs"))
            }),
        )
        .api_route(
            "/problems",
            get_with(problem_index, |op| html(op, "problems", "Every problem code")),
        )
        .api_route(
            "/problems/{code}",
            get_with(problem, |op| {
                html(op, "problem", "What a problem code means and what to do")
            }),
        )
}

fn html<'a>(op: TransformOperation<'a>, id: &str, summary: &str) -> TransformOperation<'a> {
    op.id(id)
        .summary(summary)
        .tag("Documentation")
        .response::<200, axum::response::Html<String>>()
}

fn json<'a>(op: TransformOperation<'a>, id: &str) -> TransformOperation<'a> {
    op.id(id)
        .summary("This document: the OpenAPI description of all services")
        .tag("Documentation")
        .response_with::<200, axum::Json<serde_json::Value>, _>(|response| {
            response.description("OpenAPI 3.1, with an ETag")
        })
}

async fn landing(_: Public, State(documents): State<Documents>, headers: HeaderMap) -> Response {
    documents.inner.landing.answer(&headers)
}

async fn openapi(_: Public, State(documents): State<Documents>, headers: HeaderMap) -> Response {
    documents.inner.openapi.answer(&headers)
}

async fn docs(_: Public, State(documents): State<Documents>, headers: HeaderMap) -> Response {
    documents.inner.docs.answer(&headers)
}

async fn swagger(_: Public) -> Response {
    Redirect::permanent("/docs").into_response()
}

async fn problem_index(_: Public, State(documents): State<Documents>, headers: HeaderMap) -> Response {
    documents.inner.problems.answer(&headers)
}

async fn problem(
    _: Public,
    State(documents): State<Documents>,
    headers: HeaderMap,
    Path(code): Path<String>,
) -> Result<Response, Problem> {
    let page = documents.inner.by_code.get(code.as_str());
    page.map(|page| page.answer(&headers))
        .ok_or_else(|| Problem::not_found("problem code"))
}

#[cfg(test)]
mod tests;
