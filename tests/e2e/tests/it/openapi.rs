//! The API's description: a snapshot under version control, complete, valid, and served.

use crate::api::{Answer, send};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use stoa_e2e::journeys;
use stoa_testkit::platform;

/// A method and path of the description, such as `GET /api/customers/{id}`.
pub struct Operation<'d> {
    pub method: &'d str,
    pub path: &'d str,
    pub spec: &'d Value,
}

impl Operation<'_> {
    pub fn name(&self) -> String {
        format!("{} {}", self.method.to_ascii_uppercase(), self.path)
    }

    /// The parameters' names at one place: `path`, `query` or `header`.
    pub fn parameters(&self, place: &str) -> Vec<&str> {
        let all = self.spec["parameters"].as_array().map_or(&[][..], Vec::as_slice);
        all.iter()
            .filter(|p| p["in"] == place)
            .filter_map(|p| p["name"].as_str())
            .collect()
    }

    pub fn is_public(&self) -> bool {
        self.spec["x-stoa-public"] == true
    }
}

/// Every operation of a description.
pub fn operations(document: &Value) -> Vec<Operation<'_>> {
    let paths = document["paths"].as_object().expect("paths");
    paths
        .iter()
        .flat_map(|(path, item)| {
            let item = item.as_object().expect("a path item");
            item.iter()
                .map(move |(method, spec)| Operation { method, path, spec })
        })
        .collect()
}

/// The text between the braces of a path template.
pub fn placeholders(path: &str) -> Vec<&str> {
    path.split('/')
        .filter_map(|s| s.strip_prefix('{')?.strip_suffix('}'))
        .collect()
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn described() -> Value {
    let binary = platform::binary().expect("the binary");
    let output = std::process::Command::new(binary)
        .arg("openapi")
        .output()
        .expect("stoa openapi");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("JSON")
}

// covers: AP-01
#[test]
fn the_snapshot_is_what_the_binary_describes() {
    let file = repository().join("docs/openapi.json");
    let text = std::fs::read_to_string(&file)
        .unwrap_or_else(|e| panic!("{}: {e}; run `make openapi`", file.display()));
    let snapshot: Value = serde_json::from_str(&text).expect("the snapshot is JSON");
    let now = described();
    if snapshot == now {
        return;
    }
    let names = |document| {
        operations(document)
            .iter()
            .map(Operation::name)
            .collect::<BTreeSet<_>>()
    };
    let (old, new) = (names(&snapshot), names(&now));
    panic!(
        "docs/openapi.json is not what the binary describes; run `make openapi` and review the change.\n\
         gone: {:?}\nnew: {:?}\nelse: a parameter, body or schema",
        old.difference(&new).collect::<Vec<_>>(),
        new.difference(&old).collect::<Vec<_>>()
    );
}

// covers: AP-01
#[test]
fn the_description_is_valid_openapi_3_1() {
    let document = described();
    assert_eq!(document["openapi"], "3.1.0");
    for field in ["title", "version", "summary"] {
        assert!(document["info"][field].is_string(), "info.{field}");
    }
    let scheme = &document["components"]["securitySchemes"]["bearer"];
    assert_eq!(
        (&scheme["type"], &scheme["scheme"]),
        (&"http".into(), &"bearer".into())
    );
    let schemas = document["components"]["schemas"].as_object().expect("schemas");
    let mut used = BTreeSet::new();
    references(&document, &mut |target| {
        let name = target
            .strip_prefix("#/components/schemas/")
            .unwrap_or_else(|| panic!("$ref to {target}"));
        assert!(schemas.contains_key(name), "{target} is not there");
        used.insert(name.to_owned());
    });
    let unused: Vec<_> = schemas.keys().filter(|name| !used.contains(*name)).collect();
    assert!(unused.is_empty(), "schemas that nothing refers to: {unused:?}");

    let tags: BTreeSet<&str> = document["tags"]
        .as_array()
        .expect("tags")
        .iter()
        .filter_map(|t| t["name"].as_str())
        .collect();
    let mut ids = BTreeMap::new();
    for operation in operations(&document) {
        let name = operation.name();
        check_operation(&operation, &tags);
        let id = operation.spec["operationId"]
            .as_str()
            .unwrap_or_else(|| panic!("{name} has no operationId"));
        if let Some(other) = ids.insert(id.to_owned(), name.clone()) {
            panic!("{name} and {other} are both called {id}");
        }
    }
    assert!(ids.len() > 60, "only {} operations", ids.len());
}

fn check_operation(operation: &Operation<'_>, tags: &BTreeSet<&str>) {
    let (name, spec) = (operation.name(), operation.spec);
    assert!(operation.path.starts_with('/'), "{name}");
    assert!(
        matches!(
            operation.method,
            "get" | "put" | "post" | "delete" | "patch" | "head" | "options"
        ),
        "{name}: unknown method"
    );
    assert!(
        spec["summary"].as_str().is_some_and(|s| s.len() > 5),
        "{name} has no summary"
    );
    let own: Vec<&str> = spec["tags"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    assert!(
        own.len() == 1 && tags.contains(own[0]),
        "{name} is tagged {own:?}"
    );

    let (mut said, mut named) = (operation.parameters("path"), placeholders(operation.path));
    said.sort_unstable();
    named.sort_unstable();
    assert_eq!(said, named, "{name}: the path parameters");
    for parameter in spec["parameters"].as_array().into_iter().flatten() {
        assert!(
            parameter["schema"].is_object() && parameter["name"].is_string(),
            "{name}: {parameter}"
        );
        assert!(
            parameter["in"] != "path" || parameter["required"] == true,
            "{name}: {parameter}"
        );
    }

    let security = spec["security"]
        .as_array()
        .unwrap_or_else(|| panic!("{name} does not say who may call it"));
    let bearer: Value = serde_json::json!({ "bearer": [] });
    assert_eq!(
        security.contains(&bearer),
        !operation.is_public(),
        "{name}: {security:?}"
    );

    let responses = spec["responses"]
        .as_object()
        .unwrap_or_else(|| panic!("{name} has no responses"));
    assert!(
        responses.keys().any(|status| status.starts_with(['2', '3'])),
        "{name} does not say what it answers"
    );
    for (status, response) in responses {
        assert!(
            response["description"].as_str().is_some_and(|d| !d.is_empty()),
            "{name} {status}: no description"
        );
        // Errors of OAuth have a shape of their own, those of pages are pages.
        let is_oauth = ["/oauth2/", "/login", "/auth/"]
            .iter()
            .any(|start| operation.path.starts_with(start));
        if status == "default" || (status.starts_with(['4', '5']) && !is_oauth) {
            let schema = &response["content"]["application/problem+json"]["schema"]["$ref"];
            assert_eq!(
                schema, "#/components/schemas/Problem",
                "{name} {status} is not described as a problem"
            );
        }
    }
    assert!(
        responses.contains_key("default"),
        "{name} does not describe its problems"
    );
    if spec["x-stoa-permission"].is_string() {
        assert!(
            responses.contains_key("401") && responses.contains_key("403"),
            "{name} lacks 401 or 403"
        );
    }
    if spec["requestBody"].is_object() {
        let content = spec["requestBody"]["content"].as_object().expect("content");
        assert!(
            content.values().all(|c| c["schema"].is_object()),
            "{name}: a body without schema"
        );
    }
}

fn references(value: &Value, found: &mut impl FnMut(&str)) {
    match value {
        Value::Object(object) => {
            if let Some(target) = object.get("$ref").and_then(Value::as_str) {
                found(target);
            }
            object.values().for_each(|v| references(v, found));
        }
        Value::Array(items) => items.iter().for_each(|v| references(v, found)),
        _ => {}
    }
}

/// What stands directly before the literal of a problem's code.
const MAKERS: &[&str] = &[
    "Problem::new(",
    "Problem::bad_request(",
    "Problem::conflict(",
    "Self::new(",
    "Self::conflict(",
    "problem.code = Cow::Borrowed(",
    "refuse(",
];

/// The problem codes in a source: the first literal of each maker's arguments, when it has a code's form.
fn codes(source: &str) -> Vec<String> {
    let product = source.split("#[cfg(test)]").next().unwrap_or_default();
    let after_makers = MAKERS.iter().flat_map(|maker| product.split(maker).skip(1));
    after_makers
        .filter_map(|rest| {
            // The status may stand before the code; nothing else does.
            let (before, rest) = rest.split_once('"')?;
            let is_status = before
                .trim()
                .trim_end_matches(',')
                .split("::")
                .all(|w| w.chars().all(|c| c.is_alphanumeric() || c == '_'));
            let code = rest.split('"').next()?;
            (is_status && is_code(code)).then(|| code.to_owned())
        })
        .collect()
}

fn is_code(text: &str) -> bool {
    let is_word = |w: &str| !w.is_empty() && w.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    text.split_once('.')
        .is_some_and(|(area, what)| is_word(area) && is_word(what))
}

fn sources(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
        let path = entry.expect("an entry").path();
        if path.is_dir() && !path.ends_with("tests") {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("tests.rs") {
            let text = std::fs::read_to_string(&path).expect("a source");
            found.push((path, text));
        }
    }
}

journeys! {
    // covers: AP-01
    async fn documentation(platform: &mut Platform) {
        let get = async |path: &str| -> Answer { send(platform.http.get(platform.at(path))).await };
        let served = get("/openapi.json").await;
        assert_eq!(
            (served.status, &served.body),
            (200, &described()),
            "the platform serves what the binary describes"
        );
        assert_eq!(get("/v3/api-docs").await.body, served.body);
        let known = send(
            platform
                .http
                .get(platform.at("/openapi.json"))
                .header("if-none-match", served.header("etag")),
        )
        .await;
        assert_eq!(known.status, 304);
        let docs = get("/docs").await;
        assert_eq!(docs.status, 200);
        assert!(docs.header("content-type").starts_with("text/html"));
        let page = docs.body.as_str().expect("a page");
        for operation in operations(&served.body)
            .iter()
            .filter(|o| o.path.starts_with("/api/"))
        {
            assert!(page.contains(operation.path), "/docs lacks {}", operation.path);
        }
        let moved = get("/swagger-ui.html").await;
        assert_eq!((moved.status, moved.header("location")), (308, "/docs"));

        let mut files = Vec::new();
        for service in std::fs::read_dir(repository().join("services")).expect("services") {
            sources(&service.expect("a service").path().join("src"), &mut files);
        }
        sources(&repository().join("crates/kernel/src"), &mut files);
        sources(&repository().join("crates/eventlog/src"), &mut files);
        let used: BTreeSet<String> = files.iter().flat_map(|(_, text)| codes(text)).collect();
        assert!(
            used.len() > 35,
            "only {} codes found: does the search still work?",
            used.len()
        );
        for code in &used {
            let page = get(&format!("/problems/{code}")).await;
            assert_eq!(
                page.status, 200,
                "{code} has no page: add it to services/gateway/src/docs/problems.rs"
            );
            assert!(
                page.body.as_str().is_some_and(|html| html.contains(code)),
                "{code}"
            );
        }
        get("/problems/no.such_code")
            .await
            .assert_problem(404, "request.not_found");

        let index = get("/problems").await;
        let documented = index.body.as_str().expect("a page").split("/problems/").skip(1);
        let literal = |code: &str| {
            files.iter().any(|(path, text)| {
                !path.ends_with("docs/problems.rs") && text.contains(&format!("\"{code}\""))
            })
        };
        let documented: BTreeSet<&str> = documented.filter_map(|rest| rest.split('"').next()).collect();
        assert!(documented.len() >= used.len(), "{documented:?}");
        for code in documented {
            assert!(literal(code), "/problems documents {code}, which nothing answers");
        }
    }
}
