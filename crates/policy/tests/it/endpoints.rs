//! Endpoint rules.

use proptest::prelude::*;
use stoa_policy::*;
use uuid::Uuid;

fn rule(n: u128, method: &str, pattern: &str) -> EndpointRule {
    let methods = if method.is_empty() {
        vec![]
    } else {
        vec![method.to_owned()]
    };
    let requirement = Requirement::Authenticated;
    EndpointRule {
        id: Uuid::from_u128(n),
        pattern: pattern.into(),
        methods,
        requirement,
    }
}

fn compile(rules: &[(&str, &str)]) -> EndpointRules {
    let rules: Vec<_> = (0..)
        .zip(rules)
        .map(|(n, (method, pattern))| rule(n, method, pattern))
        .collect();
    EndpointRules::compile(&rules).unwrap()
}

fn number(found: Option<&CompiledRule>) -> Option<u128> {
    found.map(|rule| rule.id.as_u128())
}

// covers: GW-03
#[test]
fn the_most_specific_rule_wins() {
    let rules = compile(&[
        ("", "/api/**"),
        ("GET", "/api/customers/{id}"),
        ("", "/api/customers/{id}"),
        ("GET", "/api/customers/export"),
        ("", "/api/{kind}/export/now"),
        ("POST", "/api/customers"),
        ("", "/"),
    ]);
    for (method, path, expected) in [
        ("GET", "/api/customers/export", Some(3)),
        ("POST", "/api/customers/export", Some(2)),
        ("GET", "/api/customers/7", Some(1)),
        ("DELETE", "/api/customers/7", Some(2)),
        // Backs out of the literal "customers" to "{kind}".
        ("GET", "/api/customers/export/now", Some(4)),
        ("GET", "/api/customers/export/later", Some(0)),
        ("POST", "/api/customers", Some(5)),
        ("GET", "/api/customers", Some(0)),
        ("GET", "/api/customers/", Some(0)),
        ("GET", "/api", Some(0)),
        ("GET", "/api/", Some(0)),
        ("GET", "/", Some(6)),
        ("GET", "/apis", None),
        ("get", "/api/customers/7", Some(2)),
        ("GET", "", None),
        ("GET", "//", None),
        ("GET", "/api//customers", None),
        ("GET", "/api/../secret", None),
        ("GET", "/api/..", None),
        ("GET", "/api/./customers", None),
        ("GET", "/api/x//", None),
        ("GET", "api/customers", None),
    ] {
        assert_eq!(number(rules.decide(method, path)), expected, "{method} {path}");
    }
    assert_eq!(EndpointRules::default().decide("GET", "/"), None);
}

// covers: GW-03
#[test]
fn a_tenants_rule_overrides_the_same_rule_only() {
    let platform = compile(&[("GET", "/api/{id}"), ("", "/api/**"), ("", "/health")]);
    let tenant = vec![
        rule(10, "GET", "/api/{name}"),
        rule(11, "", "/**"),
        rule(12, "", "/health"),
    ];
    let tenant = EndpointRules::compile(&tenant).unwrap();
    let both = EndpointRules::layered(&platform, Some(&tenant));
    assert_eq!(number(both.decide("GET", "/api/7")), Some(10));
    assert_eq!(number(both.decide("POST", "/api/7")), Some(1));
    assert_eq!(number(both.decide("GET", "/elsewhere")), Some(11));
    assert_eq!(number(both.decide("GET", "/health")), Some(12));
    assert_eq!(
        number(EndpointRules::layered(&platform, None).decide("GET", "/api/7")),
        Some(0)
    );
}

#[test]
fn malformed_rules_are_refused_with_their_place() {
    let long = "/a".repeat(MAX_PATTERN_SEGMENTS + 1);
    for pattern in [
        "", "api", "/a//b", "/a/../b", "/**/a", "/a**", "/{}", "/{a", "/a{b}", "/a?b", "/%2e", &long,
    ] {
        let error = EndpointRules::compile(&[rule(1, "", "/ok"), rule(2, "", pattern)]).unwrap_err();
        assert_eq!(error.problems[0].pointer, "/endpointRules/1/pattern", "{pattern}");
    }
    EndpointRules::compile(&[rule(1, "", &"/a".repeat(MAX_PATTERN_SEGMENTS))]).unwrap();
    let twice = [rule(1, "get", "/a/{x}"), rule(2, "GET", "/a/{y}")];
    assert!(
        EndpointRules::compile(&twice).unwrap_err().problems[0]
            .message
            .contains("already")
    );
    assert!(EndpointRules::compile(&[rule(1, "G ET", "/a")]).is_err());
    let wildcard = Requirement::Permission("customers:*".into());
    assert!(
        EndpointRules::compile(&[EndpointRule {
            requirement: wildcard,
            ..rule(1, "", "/a")
        }])
        .is_err()
    );
}

/// The precedence, read off the pattern: one number a segment, then the method.
fn naive_rank(rule: &EndpointRule, method: &str, path: &str) -> Option<(Vec<u8>, bool)> {
    if !rule.methods.is_empty() && !rule.methods.iter().any(|m| m == method) {
        return None;
    }
    let mut rank = Vec::new();
    let mut segments = path.split('/').skip(1);
    for part in rule.pattern.split('/').skip(1) {
        if part == "**" {
            rank.push(0);
            return Some((rank, !rule.methods.is_empty()));
        }
        let segment = segments.next()?;
        match part.starts_with('{') {
            true => rank.push(2),
            false if part == segment => rank.push(3),
            false => return None,
        }
    }
    rank.push(1);
    segments
        .next()
        .is_none()
        .then_some((rank, !rule.methods.is_empty()))
}

fn patterns() -> impl Strategy<Value = Vec<EndpointRule>> {
    let segment = prop_oneof![Just("a"), Just("b"), Just("{x}")];
    let one = (
        prop::collection::vec(segment, 1..5),
        any::<bool>(),
        prop_oneof![Just(""), Just("GET"), Just("PUT")],
    );
    prop::collection::vec(one, 0..25).prop_map(|rules| {
        let mut seen = std::collections::HashSet::new();
        let rules = rules.into_iter().map(|(segments, tail, method)| {
            let end = if tail { "/**" } else { "" };
            (method, format!("/{}{end}", segments.join("/")))
        });
        (0..)
            .zip(rules.filter(|rule| seen.insert(rule.clone())))
            .map(|(n, (m, p))| rule(n, m, &p))
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    // covers: GW-03
    #[test]
    fn the_trie_finds_what_a_scan_finds(
        platform in patterns(),
        tenant in patterns(),
        path in prop::collection::vec(prop_oneof![Just("a"), Just("b"), Just("c")], 1..6),
        method in prop_oneof![Just("GET"), Just("PUT"), Just("POST")],
    ) {
        let path = format!("/{}", path.join("/"));
        let best = |rules: &[EndpointRule]| {
            let ranked = rules.iter().filter_map(|rule| Some((naive_rank(rule, method, &path)?, rule.id)));
            ranked.max_by(|a, b| a.0.cmp(&b.0))
        };
        let compiled = EndpointRules::compile(&platform).unwrap();
        prop_assert_eq!(compiled.decide(method, &path).map(|rule| rule.id), best(&platform).map(|(_, id)| id));

        let over = EndpointRules::compile(&tenant).unwrap();
        let layered = EndpointRules::layered(&compiled, Some(&over)).decide(method, &path);
        let expected = match (best(&platform), best(&tenant)) {
            (Some(platform), Some(tenant)) if platform.0 > tenant.0 => Some((platform, "platform")),
            (Some(platform), None) => Some((platform, "platform")),
            (_, tenant) => tenant.map(|tenant| (tenant, "tenant")),
        };
        prop_assert_eq!(layered.map(|rule| rule.id), expected.map(|((_, id), _)| id));
    }
}
