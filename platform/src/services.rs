//! THE list of services. A new one is its folder, one line here, and its line in `Cargo.toml`.

use aide::openapi::{Info, OpenApi, ReferenceOr, SecurityScheme, Server, Tag};
use stoa_kernel::Service;
use stoa_kernel::migrate::{Schema, SeedStatement};
use stoa_kernel::openapi::{BEARER, endpoint_rules};
use stoa_kernel::service::Catalogue;

/// Every service of the platform.
#[must_use]
pub fn all() -> Vec<Service> {
    vec![
        stoa_gateway::service(),
        stoa_identity::service(),
        stoa_access::service(),
        stoa_organization::service(),
        stoa_customer::service(),
        stoa_contact::service(),
        stoa_user::service(),
    ]
}

/// The schemas to migrate, the event log's first because the services' refer to it.
#[must_use]
pub fn schemas(services: &[Service]) -> Vec<Schema> {
    let own = services.iter().map(|s| Schema {
        name: s.name,
        migrations: s.migrations,
    });
    std::iter::once(stoa_eventlog::SCHEMA).chain(own).collect()
}

/// What all services declare.
#[must_use]
pub fn catalogue(services: &[Service]) -> Catalogue {
    Catalogue {
        permissions: services
            .iter()
            .flat_map(|s| {
                s.permissions
                    .iter()
                    .map(|(permission, text)| (*permission, s.name, *text))
            })
            .collect(),
        resources: services
            .iter()
            .flat_map(|s| s.resources)
            .map(|resource| (resource.name.to_owned(), (resource.schema)()))
            .collect(),
        endpoint_rules: services
            .iter()
            .flat_map(|s| endpoint_rules(&(s.openapi)()))
            .collect(),
        paths: services
            .iter()
            .flat_map(|s| s.paths.iter().map(|path| (*path, s.name)))
            .collect(),
    }
}

/// The seeds of all services.
#[must_use]
pub fn seeds(services: &[Service], catalogue: &Catalogue) -> Vec<SeedStatement> {
    services
        .iter()
        .filter_map(|s| s.seed)
        .flat_map(|seed| seed(catalogue))
        .collect()
}

/// The merged OpenAPI 3.1 document.
#[must_use]
pub fn openapi(services: &[Service]) -> OpenApi {
    let mut merged = OpenApi {
        info: Info {
            title: "Stoa".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: Some("The API of every Stoa service, behind its gateway".to_owned()),
            ..Info::default()
        },
        servers: vec![Server {
            url: "/".to_owned(),
            ..Server::default()
        }],
        ..OpenApi::default()
    };
    for service in services {
        let part = (service.openapi)();
        for (_, operations) in stoa_kernel::openapi::operations(&part) {
            for name in operations.iter().flat_map(|(_, operation)| &operation.tags) {
                if !merged.tags.iter().any(|tag| tag.name == *name) {
                    let name = name.clone();
                    merged.tags.push(Tag {
                        name,
                        ..Tag::default()
                    });
                }
            }
        }
        if let Some(paths) = part.paths {
            merged.paths.get_or_insert_default().paths.extend(paths.paths);
        }
        if let Some(components) = part.components {
            merged
                .components
                .get_or_insert_default()
                .schemas
                .extend(components.schemas);
        }
    }
    let bearer = SecurityScheme::Http {
        scheme: "bearer".to_owned(),
        bearer_format: Some("JWT".to_owned()),
        description: Some("An access token of the built-in OpenID Provider".to_owned()),
        extensions: Default::default(),
    };
    merged
        .components
        .get_or_insert_default()
        .security_schemes
        .insert(BEARER.to_owned(), ReferenceOr::Item(bearer));
    merged.security = vec![[(BEARER.to_owned(), Vec::new())].into_iter().collect()];
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Invariant 5: an endpoint without a marker would be denied for ever, and undocumented.
    #[test]
    fn every_operation_has_a_rule_an_id_and_a_summary() {
        let services = all();
        let mut ids = BTreeSet::new();
        for service in &services {
            let api = (service.openapi)();
            let rules = endpoint_rules(&api);
            for (path, operations) in stoa_kernel::openapi::operations(&api) {
                for (method, operation) in operations {
                    assert!(
                        rules.iter().any(|r| r.pattern == path && r.methods == [method]),
                        "{method} {path} takes neither Allowed<P>, SignedIn nor Public"
                    );
                    let id = operation.operation_id.clone().unwrap_or_default();
                    assert!(!id.is_empty(), "{method} {path} has no operation id");
                    assert!(ids.insert(id.clone()), "operation id {id} is used twice");
                    assert!(operation.summary.is_some(), "{method} {path} has no summary");
                    assert!(
                        service.paths.iter().any(|prefix| path.starts_with(prefix)),
                        "{path} is not below a path that the gateway routes to {}",
                        service.name
                    );
                }
            }
        }
        assert!(
            ids.len() > 20,
            "only {} operations: the list of services is not complete",
            ids.len()
        );
    }

    /// The merged document names a schema once, so two services must not mean different things by one name.
    #[test]
    fn a_schema_name_means_the_same_in_every_service() {
        let mut seen = std::collections::BTreeMap::new();
        for service in all() {
            for (name, schema) in (service.openapi)().components.unwrap_or_default().schemas {
                let schema = serde_json::to_value(&schema).expect("JSON");
                let (owner, first) = seen.entry(name.clone()).or_insert((service.name, schema.clone()));
                assert_eq!(
                    *first, schema,
                    "{owner} and {} both have a schema {name}",
                    service.name
                );
            }
        }
        assert!(seen.len() > 30, "only {} schemas", seen.len());
    }

    #[test]
    fn every_permission_of_an_endpoint_is_declared_by_its_service() {
        for service in all() {
            for rule in endpoint_rules(&(service.openapi)()) {
                if let stoa_kernel::openapi::Requirement::Permission(name) = &rule.requirement {
                    assert!(
                        service.permissions.iter().any(|(known, _)| known == name),
                        "{} needs {name}, which {} does not declare",
                        rule.pattern,
                        service.name
                    );
                }
            }
        }
    }

    /// Grants on an undeclared resource could not have conditions, and a name declared twice would hide one schema.
    #[test]
    fn resources_are_declared_once_by_the_service_of_their_permissions() {
        let services = all();
        let declared = || {
            services
                .iter()
                .flat_map(|s| s.resources.iter().map(move |r| (s, r.name)))
        };
        let names: BTreeSet<_> = declared().map(|(_, name)| name).collect();
        assert_eq!(names.len(), declared().count());
        for (service, name) in declared() {
            let prefix = format!("{name}:");
            assert!(
                service.permissions.iter().any(|(p, _)| p.starts_with(&prefix)),
                "{} declares the resource {name} and no permission for it",
                service.name
            );
        }
        assert_eq!(catalogue(&services).resources.len(), names.len());
        assert!(names.contains("customers"));
    }

    #[test]
    fn names_and_paths_are_unique() {
        let services = all();
        let names: BTreeSet<_> = services.iter().map(|s| s.name).collect();
        assert_eq!(names.len(), services.len());
        let paths: Vec<_> = services.iter().flat_map(|s| s.paths).collect();
        assert_eq!(paths.iter().collect::<BTreeSet<_>>().len(), paths.len());
    }

    #[test]
    fn a_service_mints_only_scopes_of_its_own_name() {
        for service in all() {
            for scope in service.system_scopes {
                assert!(
                    scope.starts_with(&format!("{}.", service.name)),
                    "{scope} in {}",
                    service.name
                );
            }
        }
    }
}
