//! The HTML pages. They need nothing from outside, and only the page to browse has a script, which filters.

use super::problems::Entry;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fmt::Write;

const STYLE: &str = include_str!("style.css");
const FILTER: &str = include_str!("filter.js");
const METHODS: [&str; 7] = ["get", "post", "put", "patch", "delete", "head", "options"];

/// How deep schemas are followed.
const DEPTH: usize = 6;

/// A page with its Content-Security-Policy.
pub(super) struct Page {
    pub(super) html: String,
    pub(super) policy: String,
}

/// `/`
pub(super) fn landing(api: &Value) -> Page {
    let title = text(api, "/info/title");
    let mut body = format!(
        "<h1>{}</h1>",
        escape(if title.is_empty() { "Stoa" } else { title })
    );
    body.push_str(
        "<p>This is the API of a Stoa installation.</p><ul>\
         <li><a href=\"/docs\">Browse the API</a></li>\
         <li><a href=\"/openapi.json\">OpenAPI document</a></li>\
         <li><a href=\"/problems\">Problem codes</a></li>\
         <li><a href=\"/.well-known/openid-configuration\">OpenID configuration</a></li></ul>",
    );
    page("Stoa", &body, None)
}

/// `/problems`
pub(super) fn problems(entries: &[Entry]) -> Page {
    let mut body =
        "<h1>Problem codes</h1><p>Every error is a problem detail (RFC 9457); its <code>code</code> is \
                    one of these.</p><table><thead><tr><th>code<th>status<th>title</thead><tbody>"
            .to_owned();
    for Entry {
        code, status, title, ..
    } in entries
    {
        push(
            &mut body,
            format_args!(
                "<tr><td><a href=\"/problems/{code}\"><code>{code}</code></a><td>{status}<td>{title}"
            ),
        );
    }
    body.push_str("</tbody></table>");
    page("Problem codes", &body, None)
}

/// `/problems/{code}`
pub(super) fn problem(entry: &Entry) -> Page {
    let Entry {
        code,
        status,
        title,
        meaning,
        remedy,
    } = entry;
    let body = format!(
        "<p><a href=\"/problems\">Problem codes</a></p><h1>{}</h1><p><code>{code}</code>, HTTP status {status}</p>\
         <h2>What it means</h2><p>{}</p><h2>What to do</h2><p>{}</p>",
        escape(title),
        escape(meaning),
        escape(remedy)
    );
    page(title, &body, None)
}

/// `/docs`
pub(super) fn operations(api: &Value) -> Page {
    let mut body = format!(
        "<h1>{} {}</h1>",
        escape(text(api, "/info/title")),
        escape(text(api, "/info/version"))
    );
    push(
        &mut body,
        format_args!("<p>{}</p>", escape(text(api, "/info/description"))),
    );
    body.push_str(
        "<p><a href=\"/openapi.json\">OpenAPI document</a> · <a href=\"/problems\">Problem codes</a></p>\
         <label for=\"filter\">Filter by path, summary or permission</label> \
         <input id=\"filter\" type=\"search\" autocomplete=\"off\"> <span id=\"count\" role=\"status\"></span>",
    );
    for (path, item) in object(api, "/paths") {
        for method in METHODS {
            if let Some(operation) = item.get(method) {
                operation_html(&mut body, api, path, method, operation);
            }
        }
    }
    page("API", &body, Some(FILTER))
}

fn operation_html(out: &mut String, api: &Value, path: &str, method: &str, operation: &Value) {
    let needs = requirement(operation);
    let summary = text(operation, "/summary");
    push(
        out,
        format_args!(
            "<details class=\"operation\" id=\"{}\"><summary><span class=\"method {method}\">{}</span> <code>{}</code> \
         <span>{}</span> <small>{}</small></summary><p>{}</p>",
            escape(text(operation, "/operationId")),
            method.to_uppercase(),
            escape(path),
            escape(summary),
            escape(&needs),
            escape(text(operation, "/description"))
        ),
    );
    parameters_html(out, api, operation);
    if let Some(body) = operation.get("requestBody") {
        out.push_str("<h3>Body</h3>");
        content_html(out, api, body);
    }
    out.push_str("<h3>Answers</h3><dl>");
    for (status, response) in object(operation, "/responses") {
        let response = resolve(api, response);
        push(
            out,
            format_args!(
                "<dt>{}<dd>{}",
                escape(status),
                escape(text(response, "/description"))
            ),
        );
        content_html(out, api, response);
    }
    out.push_str("</dl></details>");
}

fn parameters_html(out: &mut String, api: &Value, operation: &Value) {
    let parameters = operation.get("parameters").and_then(Value::as_array);
    let Some(parameters) = parameters.filter(|list| !list.is_empty()) else {
        return;
    };
    out.push_str("<h3>Parameters</h3><table><thead><tr><th>name<th>in<th>type<th>meaning</thead><tbody>");
    for parameter in parameters {
        let parameter = resolve(api, parameter);
        let required = parameter.get("required").and_then(Value::as_bool) == Some(true);
        let schema = parameter.get("schema").unwrap_or(&Value::Null);
        let described = text(parameter, "/description");
        push(
            out,
            format_args!(
                "<tr><td><code>{}</code>{}<td>{}<td>{}<td>{}",
                escape(text(parameter, "/name")),
                if required { " (required)" } else { "" },
                escape(text(parameter, "/in")),
                escape(&kind(api, schema)),
                escape(if described.is_empty() {
                    text(schema, "/description")
                } else {
                    described
                })
            ),
        );
    }
    out.push_str("</tbody></table>");
}

fn content_html(out: &mut String, api: &Value, of: &Value) {
    for (media, content) in object(of, "/content") {
        push(out, format_args!("<p><code>{}</code></p>", escape(media)));
        // Every refusal has this shape; it is described once, at /problems.
        if media != "application/problem+json" {
            schema_html(out, api, content.get("schema").unwrap_or(&Value::Null), DEPTH);
        }
    }
}

fn schema_html(out: &mut String, api: &Value, schema: &Value, depth: usize) {
    let schema = resolve(api, schema);
    if let Some(items) = schema.get("items") {
        return schema_html(out, api, items, depth);
    }
    let alternatives = ["oneOf", "anyOf", "allOf"]
        .iter()
        .filter_map(|key| schema.get(key).and_then(Value::as_array))
        .flatten();
    let properties: Vec<_> = object(schema, "/properties").collect();
    if depth == 0 {
        return;
    }
    if !properties.is_empty() {
        let required = schema.get("required").and_then(Value::as_array);
        out.push_str("<ul>");
        for (name, property) in properties {
            let is_required = required.is_some_and(|list| list.iter().any(|r| r == name.as_str()));
            let described = text(property, "/description");
            let resolved = resolve(api, property);
            push(
                out,
                format_args!(
                    "<li><code>{}</code> <small>{}{}</small> {}",
                    escape(name),
                    escape(&kind(api, property)),
                    if is_required { ", required" } else { "" },
                    escape(if described.is_empty() {
                        text(resolved, "/description")
                    } else {
                        described
                    })
                ),
            );
            schema_html(out, api, property, depth - 1);
        }
        out.push_str("</ul>");
    }
    for alternative in alternatives {
        schema_html(out, api, alternative, depth - 1);
    }
}

/// The schema's type in a word or two.
fn kind(api: &Value, schema: &Value) -> String {
    let schema = resolve(api, schema);
    if let Some(items) = schema.get("items") {
        return format!("list of {}", kind(api, items));
    }
    let format = text(schema, "/format");
    let name = match schema.get("type") {
        Some(Value::String(name)) => name.clone(),
        Some(Value::Array(names)) => names
            .iter()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(" or "),
        _ => match schema.get("enum").and_then(Value::as_array) {
            Some(_) => "one of".to_owned(),
            None => "value".to_owned(),
        },
    };
    let mut out = if format.is_empty() {
        name
    } else {
        format!("{name} ({format})")
    };
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        let values: Vec<_> = values
            .iter()
            .map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned))
            .collect();
        push(&mut out, format_args!(": {}", values.join(", ")));
    }
    out
}

fn requirement(operation: &Value) -> String {
    use stoa_kernel::openapi::{AUTHENTICATED, PERMISSION, PUBLIC};
    match operation.get(PERMISSION).and_then(Value::as_str) {
        Some(permission) => format!("needs {permission}"),
        None if operation.get(AUTHENTICATED).is_some() => "any signed-in caller".to_owned(),
        None if operation.get(PUBLIC).is_some() => "public".to_owned(),
        None => "denied".to_owned(),
    }
}

/// Follows a local `$ref`, a few steps at most.
fn resolve<'v>(api: &'v Value, mut value: &'v Value) -> &'v Value {
    for _ in 0..DEPTH {
        let target = value
            .get("$ref")
            .and_then(Value::as_str)
            .and_then(|r| r.strip_prefix('#'));
        match target.and_then(|pointer| api.pointer(pointer)) {
            Some(next) => value = next,
            None => break,
        }
    }
    value
}

fn object<'v>(value: &'v Value, pointer: &str) -> impl Iterator<Item = (&'v String, &'v Value)> {
    value
        .pointer(pointer)
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn push(out: &mut String, args: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = out.write_fmt(args);
}

fn page(title: &str, body: &str, script: Option<&str>) -> Page {
    let script_tag = script.map_or_else(String::new, |script| format!("<script>{script}</script>"));
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{}</title><style>{STYLE}</style></head><body><main>{body}</main>\
         {script_tag}</body></html>",
        escape(title)
    );
    let scripts = script.map_or_else(String::new, |script| {
        format!("; script-src {}", source_hash(script))
    });
    let policy = format!(
        "default-src 'none'; style-src {}{scripts}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        source_hash(STYLE)
    );
    Page { html, policy }
}

/// A CSP hash source: only this very text may run.
fn source_hash(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)))
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}
