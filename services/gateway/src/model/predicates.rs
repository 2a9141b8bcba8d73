//! When a route matches.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The most entries in each list of predicates.
const MAX_PREDICATES: usize = 20;

/// When a route matches.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Predicates {
    /// Path patterns, of which one must match: text segments, `{name}` for one segment, `**` at the end for the rest.
    pub paths: Vec<String>,
    /// Methods in upper case, of which one must match; any unless given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
    /// Hosts in lower case, of which one must match; `*.` in front stands for any host below. Any unless given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// Headers that must all be there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<ValueMatch>,
    /// Query parameters that must all be there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub query: Vec<ValueMatch>,
}

/// A header or query parameter that must be there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ValueMatch {
    /// Its name; a header's in lower case.
    pub name: String,
    /// Its exact value; any unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

impl Predicates {
    /// How many there are beside the paths.
    pub(crate) fn count(&self) -> usize {
        self.methods.len() + self.hosts.len() + self.headers.len() + self.query.len()
    }
}

impl Predicates {
    pub(super) fn check(&self, refuse: &mut dyn FnMut(&str, &str, &str)) {
        if self.paths.is_empty() {
            refuse(
                "/predicates/paths",
                "required",
                "must have at least one path pattern",
            );
        }
        let lists = [
            ("paths", self.paths.len()),
            ("methods", self.methods.len()),
            ("hosts", self.hosts.len()),
            ("headers", self.headers.len()),
            ("query", self.query.len()),
        ];
        for (list, _) in lists.iter().filter(|(_, len)| *len > MAX_PREDICATES) {
            refuse(
                &format!("/predicates/{list}"),
                "length",
                "must have at most 20 entries",
            );
        }
        for (index, method) in self.methods.iter().enumerate() {
            if method.is_empty() || !method.bytes().all(|b| b.is_ascii_uppercase() || b == b'-') {
                let pointer = format!("/predicates/methods/{index}");
                refuse(&pointer, "format", "must be a method in upper case, such as GET");
            }
        }
        for (index, host) in self.hosts.iter().enumerate() {
            let name = host.strip_prefix("*.").unwrap_or(host);
            let is_host = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-');
            if name.is_empty() || !name.bytes().all(is_host) {
                let pointer = format!("/predicates/hosts/{index}");
                refuse(
                    &pointer,
                    "format",
                    "must be a host in lower case without port; *. in front is allowed",
                );
            }
        }
        for (index, header) in self.headers.iter().enumerate() {
            let lower = header.name.to_ascii_lowercase() == header.name;
            if !lower || http::HeaderName::from_bytes(header.name.as_bytes()).is_err() {
                let pointer = format!("/predicates/headers/{index}/name");
                refuse(&pointer, "format", "must be a header's name in lower case");
            }
        }
        for (index, parameter) in self.query.iter().enumerate() {
            if parameter.name.is_empty() {
                let pointer = format!("/predicates/query/{index}/name");
                refuse(&pointer, "required", "must not be empty");
            }
        }
    }
}
