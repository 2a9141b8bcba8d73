use super::page;
use super::problems::CODES;
use super::*;
use serde_json::json;

// covers: AP-01
#[test]
fn the_page_shows_operations_and_escapes_them() {
    let api = json!({
        "info": {"title": "Stoa", "version": "1"},
        "paths": {"/api/x/{id}": {"get": {
            "operationId": "getX", "summary": "<script>alert(1)</script>", "x-stoa-permission": "x:read",
            "parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "string", "format": "uuid"}}],
            "responses": {"200": {"description": "It", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/X"}}}}}
        }}},
        "components": {"schemas": {"X": {"type": "object", "required": ["name"], "properties": {
            "name": {"type": "string", "description": "Its name"}, "self": {"$ref": "#/components/schemas/X"}
        }}}}
    });
    let html = page::operations(&api).html;
    assert!(html.contains("/api/x/{id}") && html.contains("needs x:read") && html.contains("Its name"));
    assert!(html.contains("string (uuid)") && html.contains("(required)"));
    assert!(!html.contains("<script>alert"), "what handlers write is text");
}

// covers: AP-01
#[test]
fn the_policy_admits_only_the_pages_own_script() {
    let page = page::operations(&json!({}));
    assert!(page.policy.contains("default-src 'none'") && page.policy.contains("script-src 'sha256-"));
    assert!(!page.policy.contains("unsafe"));
    assert!(!page::landing(&json!({})).policy.contains("script-src"));
}

#[test]
fn every_code_stands_once_and_in_order() {
    assert!(CODES.is_sorted_by(|a, b| a.code < b.code));
    for entry in CODES {
        assert!((400..600).contains(&entry.status), "{}", entry.code);
        assert!(!entry.meaning.is_empty() && !entry.remedy.is_empty());
    }
}

// covers: AP-01
#[test]
fn a_client_that_has_the_document_gets_304() {
    let documents = Documents::new(&json!({"openapi": "3.1.0"}));
    let first = documents.inner.openapi.answer(&HeaderMap::new());
    assert_eq!(first.status(), 200);
    let mut headers = HeaderMap::new();
    headers.insert(header::IF_NONE_MATCH, first.headers()[header::ETAG].clone());
    assert_eq!(documents.inner.openapi.answer(&headers).status(), 304);
}
