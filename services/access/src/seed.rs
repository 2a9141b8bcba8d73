//! The platform's endpoint rules: what the services' handlers ask for, and a few that hold on every installation.

use crate::store;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use stoa_kernel::migrate::SeedStatement;
use stoa_kernel::openapi::stable_id;
use stoa_kernel::service::Catalogue;
use stoa_policy::{EndpointRule, Requirement};

pub(crate) fn statements(catalogue: &Catalogue) -> Vec<SeedStatement> {
    let permissions = catalogue
        .permissions
        .iter()
        .map(|(name, service, description)| {
            let id = stable_id(name);
            json!({"id": id, "name": name, "service": service, "description": description.trim()})
        })
        .collect();
    let declared = catalogue.endpoint_rules.iter().flat_map(rows);
    // By key, so that two declarations of one endpoint are one row; a declared rule comes before a default.
    let mut by_key: BTreeMap<String, Value> = BTreeMap::new();
    for (key, row) in declared.chain(defaults().iter().flat_map(rows)) {
        by_key.entry(key).or_insert(row);
    }
    store::seed::statements(permissions, by_key.into_values().collect())
}

/// GW-03: sane rules for paths that may have no service of ours behind them.
fn defaults() -> [EndpointRule; 2] {
    let rule = |pattern: &str, requirement| EndpointRule {
        id: stable_id(pattern),
        pattern: pattern.to_owned(),
        methods: Vec::new(),
        requirement,
    };
    [
        rule("/public/**", Requirement::Public),
        rule(
            "/api/admin/**",
            Requirement::Permission("admin:access".to_owned()),
        ),
    ]
}

/// One row per method, with its key.
fn rows(rule: &EndpointRule) -> Vec<(String, Value)> {
    let any = [String::new()];
    let methods = if rule.methods.is_empty() {
        &any[..]
    } else {
        &rule.methods
    };
    methods
        .iter()
        .map(|method| {
            let key = match_key(method, &rule.pattern);
            let row = json!({
                "id": stable_id(&format!("{method} {}", rule.pattern)),
                "match_key": key,
                "pattern": rule.pattern,
                "method": method,
                "requirement": rule.requirement,
            });
            (key, row)
        })
        .collect()
}

/// Two patterns that match the same paths have one key: names of parameters do not count.
fn match_key(method: &str, pattern: &str) -> String {
    let segments: Vec<&str> = pattern
        .split('/')
        .map(|segment| if segment.starts_with('{') { "{}" } else { segment })
        .collect();
    format!("{method} {}", segments.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    // covers: GW-03
    #[test]
    fn an_endpoint_is_one_row_whatever_its_parameter_is_called() {
        assert_eq!(match_key("GET", "/a/{id}/b"), match_key("GET", "/a/{name}/b"));
        assert_ne!(match_key("GET", "/a/{id}"), match_key("PUT", "/a/{id}"));
        assert_ne!(match_key("GET", "/a/{id}"), match_key("GET", "/a/**"));
    }

    #[test]
    fn the_defaults_are_valid_rules() {
        assert!(stoa_policy::EndpointRules::compile(&defaults()).is_ok());
    }
}
