//! Routes and their rules. Pure.

mod predicates;

pub use predicates::{Predicates, ValueMatch};

use crate::address::check_url;
use crate::routing::Pattern;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stoa_kernel::FieldError;
use uuid::Uuid;

/// The most routes that one tenant may own.
pub(crate) const MAX_ROUTES: i64 = 5_000;

/// The largest route, in bytes of JSON: every gateway holds all routes of all tenants in memory.
const MAX_BYTES: usize = 16 << 10;

/// A route as it is written: when it matches, where it leads, and what changes on the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(example = example())]
pub struct RouteSpec {
    /// A name for people, unique among the tenant's routes: 1 to 200 characters.
    pub name: String,
    /// Among matching routes the highest priority wins, then the most specific path.
    #[serde(default)]
    pub priority: i32,
    /// When the route matches: all kinds of predicates must hold.
    pub predicates: Predicates,
    /// Where it leads.
    pub target: Target,
    /// Leading path segments to remove before forwarding. Not together with `rewrite`.
    #[serde(default)]
    pub strip_prefix: u8,
    /// The path to forward, as a template over the parameters of the path patterns: `/orders/{id}/**`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rewrite: Option<String>,
    /// A disabled route matches nothing.
    #[serde(default = "yes")]
    pub enabled: bool,
}

/// Where a route leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Target {
    /// A service of the platform, by its name.
    Service(String),
    /// A foreign server: `http://host:port`.
    Url(String),
}

/// A tenant's route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Route {
    /// Its id.
    pub id: Uuid,
    /// What it does.
    #[serde(flatten)]
    pub spec: RouteSpec,
    /// Who made it.
    pub origin: Origin,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: String,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Who last changed it.
    pub updated_by: String,
    /// Rises with every change; the ETag.
    pub version: i64,
}

/// Whose a route is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Origin {
    /// The platform's, for every tenant; read-only here.
    Seed,
    /// The tenant's own.
    Custom,
}

/// What a route is checked against.
pub(crate) struct Rules<'a> {
    /// The services that a route may lead to.
    pub(crate) services: &'a [&'static str],
    /// Whether loopback and private addresses are allowed as targets.
    pub(crate) private_upstreams: bool,
    /// The platform's routes.
    pub(crate) platform: &'a [Route],
    /// Whether the client wants to take paths over from the platform.
    pub(crate) force: bool,
}

impl RouteSpec {
    /// Checks everything that must hold before the route is published.
    pub(crate) fn check(&self, rules: &Rules<'_>) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let mut refuse = |pointer: &str, rule: &str, detail: &str| {
            errors.push(FieldError::new(pointer, rule, detail));
        };
        let name = self.name.chars().count();
        if name == 0 || name > 200 || self.name.chars().any(char::is_control) {
            refuse(
                "/name",
                "length",
                "must be 1 to 200 characters, none of them a control character",
            );
        }
        let text = serde_json::to_string(self).unwrap_or_default();
        if text.len() > MAX_BYTES {
            refuse("", "length", "must have at most 16 KiB as JSON");
            return errors;
        }
        if text.contains("\\u0000") {
            refuse("", "format", "must not contain the character NUL");
        }
        self.check_target(rules, &mut refuse);
        self.predicates.check(&mut refuse);
        let patterns = self.check_paths(rules, &mut refuse);
        self.check_rewrite(&patterns, &mut refuse);
        errors
    }

    fn check_target(&self, rules: &Rules<'_>, refuse: &mut dyn FnMut(&str, &str, &str)) {
        match &self.target {
            Target::Service(name) if rules.services.contains(&name.as_str()) => {}
            Target::Service(_) => {
                let known = rules.services.join(", ");
                refuse("/target/service", "unknown", &format!("must be one of {known}"));
            }
            Target::Url(url) => {
                if let Err((rule, detail)) = check_url(url, rules.private_upstreams) {
                    refuse("/target/url", rule, detail);
                }
            }
        }
    }

    fn check_paths(&self, rules: &Rules<'_>, refuse: &mut dyn FnMut(&str, &str, &str)) -> Vec<Pattern> {
        let mut patterns = Vec::new();
        for (index, text) in self.predicates.paths.iter().enumerate() {
            let pointer = format!("/predicates/paths/{index}");
            let pattern = match Pattern::parse(text) {
                Ok(pattern) => pattern,
                Err(why) => {
                    refuse(&pointer, "format", why);
                    continue;
                }
            };
            let own = Target::Service(crate::SERVICE.to_owned());
            let mut claimed = rules.platform.iter().filter(|route| route.claims(&pattern));
            // A wide pattern overlaps with many, of which the gateway's own may be any.
            if claimed.clone().any(|route| route.spec.target == own) {
                refuse(
                    &pointer,
                    "reserved",
                    "overlaps with the gateway's own paths, which stay the platform's",
                );
            } else if let Some(taken) = claimed.next()
                && !rules.force
            {
                let what = format!(
                    "overlaps with the platform's route \"{}\"; add ?force=true to take it over for this tenant",
                    taken.spec.name
                );
                refuse(&pointer, "shadows", &what);
            }
            patterns.push(pattern);
        }
        patterns
    }

    fn check_rewrite(&self, patterns: &[Pattern], refuse: &mut dyn FnMut(&str, &str, &str)) {
        let Some(text) = &self.rewrite else { return };
        if self.strip_prefix > 0 {
            refuse(
                "/rewrite",
                "exclusive",
                "must not be given together with stripPrefix",
            );
        }
        match Pattern::parse(text) {
            Err(why) => refuse("/rewrite", "format", why),
            Ok(template) => {
                for pattern in patterns {
                    if template.has_tail() && !pattern.has_tail() {
                        refuse(
                            "/rewrite",
                            "unknown",
                            "ends in **, but a path of the route does not",
                        );
                    }
                    for name in template.parameters() {
                        if !pattern.parameters().any(|known| known == name) {
                            let what = format!("uses {{{name}}}, which a path of the route does not have");
                            refuse("/rewrite", "unknown", &what);
                        }
                    }
                }
            }
        }
    }
}

impl Route {
    /// Whether some path is both this route's and `pattern`'s.
    fn claims(&self, pattern: &Pattern) -> bool {
        self.spec.enabled
            && self
                .spec
                .predicates
                .paths
                .iter()
                .any(|own| Pattern::parse(own).is_ok_and(|own| own.overlaps(pattern)))
    }
}

fn yes() -> bool {
    true
}

fn example() -> serde_json::Value {
    serde_json::json!({
        "name": "Billing",
        "predicates": {"paths": ["/billing/**"], "methods": ["GET", "POST"]},
        "target": {"url": "http://billing.example:8080"},
        "stripPrefix": 1
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> RouteSpec {
        serde_json::from_value(example()).unwrap()
    }

    fn seed(name: &str, service: &str, path: &str) -> Route {
        Route {
            id: Uuid::nil(),
            spec: RouteSpec {
                name: name.into(),
                priority: 0,
                predicates: Predicates {
                    paths: vec![path.into(), format!("{path}/**")],
                    ..Predicates::default()
                },
                target: Target::Service(service.into()),
                strip_prefix: 0,
                rewrite: None,
                enabled: true,
            },
            origin: Origin::Seed,
            created_at: Timestamp::UNIX_EPOCH,
            created_by: String::new(),
            updated_at: Timestamp::UNIX_EPOCH,
            updated_by: String::new(),
            version: 1,
        }
    }

    fn pointers(spec: &RouteSpec, force: bool) -> Vec<(String, String)> {
        let platform = [
            seed("customers", "customer", "/api/customers"),
            seed("routes", "gateway", "/api/admin/routes"),
        ];
        let rules = Rules {
            services: &["customer", "gateway"],
            private_upstreams: false,
            platform: &platform,
            force,
        };
        let errors = spec.check(&rules);
        errors.into_iter().map(|e| (e.pointer, e.rule)).collect()
    }

    // covers: GW-01
    #[test]
    fn a_good_route_passes() {
        assert_eq!(pointers(&spec(), false), []);
    }

    // covers: GW-01
    #[test]
    fn a_platform_path_is_taken_over_only_by_force_and_the_gateways_own_never() {
        let mut route = spec();
        route.predicates.paths = vec!["/x".into(), "/api/customers/{id}".into()];
        let at = |rule: &str| vec![("/predicates/paths/1".to_owned(), rule.to_owned())];
        assert_eq!(pointers(&route, false), at("shadows"));
        assert_eq!(pointers(&route, true), []);
        for wide in ["/api/admin/{what}", "/api/**", "/{a}/{b}/{c}", "/**"] {
            route.predicates.paths = vec!["/x".into(), wide.into()];
            assert_eq!(pointers(&route, true), at("reserved"), "{wide}");
        }
    }

    // covers: GW-01
    #[test]
    fn a_route_is_small_and_can_be_stored() {
        let mut route = spec();
        let wanted = |value: String| ValueMatch {
            name: "tag".into(),
            value: Some(value),
        };
        route.predicates.query = vec![wanted("x".repeat(MAX_BYTES))];
        assert_eq!(pointers(&route, true), [(String::new(), "length".to_owned())]);
        route.predicates.query = vec![wanted("a\0".into())];
        assert_eq!(pointers(&route, true), [(String::new(), "format".to_owned())]);
    }

    // covers: GW-01
    #[test]
    fn errors_name_the_field() {
        let mut route = spec();
        route.name = String::new();
        route.target = Target::Service("nobody".into());
        route.predicates.methods = vec!["get".into()];
        route.predicates.hosts = vec!["Shop".into()];
        route.rewrite = Some("/x/{id}".into());
        let found: Vec<_> = pointers(&route, false).into_iter().map(|(at, _)| at).collect();
        let expected = [
            "/name",
            "/target/service",
            "/predicates/methods/0",
            "/predicates/hosts/0",
            "/rewrite",
            "/rewrite",
        ];
        assert_eq!(found, expected);
    }
}
