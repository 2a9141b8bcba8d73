//! How long a request may take and how large its body may be: what every endpoint is given, and more for the few whose
//! description asks for it.

use http::Method;
use serde_json::Value;
use std::time::Duration;
use stoa_kernel::config::Server;
use stoa_kernel::openapi::{LARGE_BODY, LONG};

/// The bounds of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Allowance {
    /// From the request's arrival to its answer, or to the end of what the answer reads.
    pub(super) time: Duration,
    /// The configuration's key that says so.
    pub(super) time_key: &'static str,
    /// The body, in bytes.
    pub(super) body: usize,
    /// The configuration's key that says so.
    pub(super) body_key: &'static str,
}

/// Every endpoint's bounds.
pub(super) struct Allowances {
    usual: Allowance,
    generous: Vec<(Method, Vec<String>, Allowance)>,
}

impl Allowances {
    /// Reads the operations of the OpenAPI document that ask for more.
    pub(super) fn new(server: &Server, document: &Value) -> Self {
        let usual = Allowance {
            time: Duration::from_millis(server.request_timeout_ms),
            time_key: "server.request_timeout_ms",
            body: server.max_body_bytes,
            body_key: "server.max_body_bytes",
        };
        let mut generous = Vec::new();
        let paths = document["paths"].as_object();
        for (path, operations) in paths.into_iter().flatten() {
            for (method, operation) in operations.as_object().into_iter().flatten() {
                let asks = |extension: &str| operation[extension] == true;
                let mut allowance = usual;
                if asks(LONG) {
                    allowance.time = Duration::from_millis(server.long_request_timeout_ms).max(usual.time);
                    allowance.time_key = "server.long_request_timeout_ms";
                }
                if asks(LARGE_BODY) {
                    allowance.body = server.max_upload_bytes.max(usual.body);
                    allowance.body_key = "server.max_upload_bytes";
                }
                if let (true, Ok(method)) = (allowance != usual, method.to_ascii_uppercase().parse()) {
                    generous.push((method, path.split('/').map(str::to_owned).collect(), allowance));
                }
            }
        }
        Self { usual, generous }
    }

    /// The bounds of a request. A path in another spelling than the description's has the usual ones.
    pub(super) fn of(&self, method: &Method, path: &str) -> Allowance {
        let fits = |template: &[String]| {
            let mut segments = path.split('/');
            template.iter().all(|expected| {
                segments.next().is_some_and(|given| {
                    expected == given || (expected.starts_with('{') && !given.is_empty())
                })
            }) && segments.next().is_none()
        };
        let asked = self
            .generous
            .iter()
            .find(|(of, template, _)| of == method && fits(template));
        asked.map_or(self.usual, |(_, _, allowance)| *allowance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    // covers: GW-25
    #[test]
    fn only_the_operations_that_ask_are_given_more() {
        let document = json!({ "paths": {
            "/api/things": { "get": {}, "post": { LARGE_BODY: true, LONG: true } },
            "/api/things/{id}/all.csv": { "get": { LONG: true } }
        } });
        let server = Server::default();
        let allowances = Allowances::new(&server, &document);
        let bounds = |method: Method, path: &str| {
            let allowance = allowances.of(&method, path);
            (allowance.time.as_secs(), allowance.body)
        };
        let (usual, large) = (server.max_body_bytes, server.max_upload_bytes);
        assert_eq!(bounds(Method::GET, "/api/things"), (10, usual));
        assert_eq!(bounds(Method::POST, "/api/things"), (600, large));
        assert_eq!(bounds(Method::POST, "/api/things/"), (10, usual));
        assert_eq!(bounds(Method::GET, "/api/things/7/all.csv"), (600, usual));
        assert_eq!(bounds(Method::GET, "/api/things//all.csv"), (10, usual));
        assert_eq!(bounds(Method::GET, "/elsewhere"), (10, usual));
        let nothing = Allowances::new(&server, &Value::Null);
        assert_eq!(nothing.of(&Method::POST, "/api/things"), allowances.usual);
    }
}
