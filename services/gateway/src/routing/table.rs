//! One owner's routes, compiled: a trie of path segments whose leaves name routes in order of precedence.

use super::pattern::{Pattern, Segment};
use crate::model::{Predicates, RouteSpec, Target, ValueMatch};
use foldhash::fast::RandomState;
use http::{HeaderMap, Method};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;
use uuid::Uuid;

/// What a route is matched against.
#[derive(Clone, Copy)]
pub(crate) struct Question<'a> {
    /// The method.
    pub(crate) method: &'a Method,
    /// The normalised path.
    pub(crate) path: &'a str,
    /// The host in lower case, without port.
    pub(crate) host: &'a str,
    /// The request's headers.
    pub(crate) headers: &'a HeaderMap,
    /// The raw query.
    pub(crate) query: Option<&'a str>,
}

/// A compiled route.
#[derive(Debug)]
pub(crate) struct Compiled {
    /// The route's name, for the request record.
    pub(crate) name: Box<str>,
    /// Where it leads.
    pub(crate) upstream: Upstream,
    predicates: Option<Predicates>,
    strip_prefix: usize,
    rewrite: Option<Pattern>,
}

/// Where a route leads.
#[derive(Debug)]
pub(crate) enum Upstream {
    /// A service of the platform.
    Service(Box<str>),
    /// A foreign server, as `http://host:port`.
    Url(Box<str>),
}

impl Upstream {
    /// How the request record names it.
    pub(crate) fn label(&self) -> &str {
        match self {
            Self::Service(name) => name,
            Self::Url(origin) => origin,
        }
    }
}

/// A route that matched, and by which of its patterns.
#[derive(Clone, Debug)]
pub(crate) struct Match {
    /// The route.
    pub(crate) route: Arc<Compiled>,
    pattern: Arc<Pattern>,
}

impl Match {
    /// The path to ask the upstream for, when it is not the request's own.
    pub(crate) fn rewritten(&self, path: &str) -> Option<String> {
        if let Some(template) = &self.route.rewrite {
            return Some(template.fill(&self.pattern, path));
        }
        if self.route.strip_prefix == 0 {
            return None;
        }
        let mut rest = path.strip_prefix('/').unwrap_or(path);
        for _ in 0..self.route.strip_prefix {
            rest = rest.split_once('/').map_or("", |(_, rest)| rest);
        }
        Some(format!("/{rest}"))
    }
}

/// The routes of one owner.
#[derive(Debug, Default)]
pub(crate) struct Table {
    /// In order of precedence: one entry per pattern of each route.
    entries: Vec<Match>,
    nodes: Vec<Node>,
}

#[derive(Debug, Default)]
struct Node {
    literals: HashMap<Box<str>, usize, RandomState>,
    parameter: Option<usize>,
    /// Entries of a path that ends here.
    end: Vec<usize>,
    /// Entries of this path and everything below.
    tail: Vec<usize>,
}

impl Table {
    /// Compiles enabled routes. Precedence: priority, then how specific the pattern is, then how many predicates, then
    /// the id, so that every instance agrees.
    ///
    /// # Errors
    /// Names the route and the pattern that cannot be compiled.
    pub(crate) fn compile(routes: &[(Uuid, RouteSpec)]) -> Result<Self, String> {
        let mut entries = Vec::new();
        for (id, spec) in routes.iter().filter(|(_, spec)| spec.enabled) {
            let name = &spec.name;
            let parse = |text: &String| {
                Pattern::parse(text).map_err(|why| format!("route {id} ({name}): {text} {why}"))
            };
            let route = Arc::new(Compiled {
                name: name.as_str().into(),
                upstream: match &spec.target {
                    Target::Service(service) => Upstream::Service(service.as_str().into()),
                    Target::Url(url) => Upstream::Url(url.trim_end_matches('/').into()),
                },
                predicates: (spec.predicates.count() > 0).then(|| spec.predicates.clone()),
                strip_prefix: usize::from(spec.strip_prefix),
                rewrite: spec.rewrite.as_ref().map(parse).transpose()?,
            });
            for path in &spec.predicates.paths {
                let pattern = Arc::new(parse(path)?);
                let order = (
                    Reverse(spec.priority),
                    Reverse(pattern.rank()),
                    Reverse(spec.predicates.count()),
                    *id,
                );
                let route = route.clone();
                entries.push((order, Match { route, pattern }));
            }
        }
        entries.sort_by_key(|(order, _)| *order);
        let entries: Vec<Match> = entries.into_iter().map(|(_, entry)| entry).collect();
        let mut nodes = vec![Node::default()];
        for (index, entry) in entries.iter().enumerate() {
            insert(&mut nodes, &entry.pattern, index);
        }
        Ok(Self { entries, nodes })
    }

    /// The route of highest precedence whose pattern and predicates match.
    pub(crate) fn find(&self, question: &Question<'_>) -> Option<&Match> {
        let rest = question.path.strip_prefix('/')?;
        let mut best = usize::MAX;
        self.walk(0, Some(rest), question, &mut best);
        self.entries.get(best)
    }

    /// `rest` is what follows the slash; `None` at the end of the path.
    fn walk(&self, node: usize, rest: Option<&str>, question: &Question<'_>, best: &mut usize) {
        let Some(node) = self.nodes.get(node) else { return };
        self.consider(&node.tail, question, best);
        let Some(rest) = rest else {
            self.consider(&node.end, question, best);
            return;
        };
        let (segment, rest) = rest
            .split_once('/')
            .map_or((rest, None), |(segment, rest)| (segment, Some(rest)));
        if let Some(next) = node.literals.get(segment) {
            self.walk(*next, rest, question, best);
        }
        if let Some(next) = node.parameter.filter(|_| !segment.is_empty()) {
            self.walk(next, rest, question, best);
        }
    }

    /// `place` is in order of precedence, so its first match is its best.
    fn consider(&self, place: &[usize], question: &Question<'_>, best: &mut usize) {
        let found = place.iter().take_while(|index| **index < *best).find(|index| {
            let entry = self.entries.get(**index);
            entry.is_some_and(|e| e.route.predicates.as_ref().is_none_or(|p| holds(p, question)))
        });
        if let Some(index) = found {
            *best = *index;
        }
    }
}

fn insert(nodes: &mut Vec<Node>, pattern: &Pattern, entry: usize) {
    let mut at = 0;
    for segment in &pattern.segments {
        let free = nodes.len();
        let Some(node) = nodes.get_mut(at) else { return };
        let next = match segment {
            Segment::Literal(text) => *node.literals.entry(text.clone()).or_insert(free),
            Segment::Parameter(_) => *node.parameter.get_or_insert(free),
        };
        if next == free {
            nodes.push(Node::default());
        }
        at = next;
    }
    if let Some(node) = nodes.get_mut(at) {
        let place = if pattern.tail {
            &mut node.tail
        } else {
            &mut node.end
        };
        place.push(entry);
    }
}

fn holds(predicates: &Predicates, question: &Question<'_>) -> bool {
    let method = question.method.as_str();
    let methods = &predicates.methods;
    (methods.is_empty() || methods.iter().any(|m| m == method))
        && (predicates.hosts.is_empty() || predicates.hosts.iter().any(|h| host_matches(h, question.host)))
        && predicates
            .headers
            .iter()
            .all(|want| has_header(want, question.headers))
        && predicates
            .query
            .iter()
            .all(|want| has_parameter(want, question.query))
}

/// `*.example.com` is any host below `example.com`.
fn host_matches(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix('*') {
        Some(suffix) => host.len() > suffix.len() && host.ends_with(suffix),
        None => pattern == host,
    }
}

fn has_header(want: &ValueMatch, headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(want.name.as_str()).iter();
    match &want.value {
        None => values.next().is_some(),
        Some(value) => values.any(|v| v.as_bytes() == value.as_bytes()),
    }
}

fn has_parameter(want: &ValueMatch, query: Option<&str>) -> bool {
    url::form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .any(|(name, value)| name == want.name && want.value.as_ref().is_none_or(|v| value == *v))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(name: &str, paths: &[&str]) -> RouteSpec {
        RouteSpec {
            name: name.into(),
            priority: 0,
            predicates: Predicates {
                paths: paths.iter().map(|p| (*p).to_owned()).collect(),
                ..Predicates::default()
            },
            target: Target::Service("customer".into()),
            strip_prefix: 0,
            rewrite: None,
            enabled: true,
        }
    }

    fn table(specs: Vec<RouteSpec>) -> Table {
        let routes: Vec<_> = (1u128..).map(Uuid::from_u128).zip(specs).collect();
        Table::compile(&routes).unwrap()
    }

    fn ask(table: &Table, method: &Method, target: &str, host: &str, headers: &HeaderMap) -> String {
        let (path, query) = target
            .split_once('?')
            .map_or((target, None), |(p, q)| (p, Some(q)));
        let question = Question {
            method,
            path,
            host,
            headers,
            query,
        };
        table
            .find(&question)
            .map_or_else(|| "-".to_owned(), |m| m.route.name.to_string())
    }

    fn get(table: &Table, target: &str) -> String {
        ask(table, &Method::GET, target, "stoa.example", &HeaderMap::new())
    }

    // covers: GW-01
    #[test]
    fn the_more_specific_pattern_wins_and_priority_wins_over_that() {
        let mut specs = vec![
            spec("all", &["/**"]),
            spec("customers", &["/api/customers/**", "/api/customers"]),
            spec("one", &["/api/customers/{id}"]),
            spec("me", &["/api/customers/me"]),
            spec("any", &["/{area}/customers/{id}/notes"]),
        ];
        let plain = table(specs.clone());
        assert_eq!(get(&plain, "/"), "all");
        assert_eq!(get(&plain, "/api/customers"), "customers");
        assert_eq!(get(&plain, "/api/customers/7"), "one");
        assert_eq!(get(&plain, "/api/customers/me"), "me");
        assert_eq!(get(&plain, "/api/customers/7/notes"), "customers");
        assert_eq!(get(&plain, "/crm/customers/7/notes"), "any");

        specs[0].priority = 1;
        assert_eq!(get(&table(specs.clone()), "/api/customers/me"), "all");
        specs[0].enabled = false;
        assert_eq!(get(&table(specs), "/nothing"), "-");
    }

    // covers: GW-01
    #[test]
    fn predicates_fall_back_to_the_next_route() {
        let mut writes = spec("writes", &["/api/x/**"]);
        writes.predicates.methods = vec!["POST".into()];
        let mut host = spec("host", &["/api/x/**"]);
        host.predicates.hosts = vec!["*.shop.example".into()];
        let mut header = spec("header", &["/api/x/**"]);
        header.predicates.headers = vec![ValueMatch {
            name: "x-canary".into(),
            value: Some("1".into()),
        }];
        let mut query = spec("query", &["/api/x/**"]);
        query.predicates.query = vec![ValueMatch {
            name: "beta".into(),
            value: None,
        }];
        let table = table(vec![spec("plain", &["/api/x/**"]), writes, host, header, query]);
        let none = HeaderMap::new();
        assert_eq!(get(&table, "/api/x/1"), "plain");
        assert_eq!(
            ask(&table, &Method::POST, "/api/x/1", "stoa.example", &none),
            "writes"
        );
        assert_eq!(
            ask(&table, &Method::GET, "/api/x/1", "a.shop.example", &none),
            "host"
        );
        assert_eq!(
            ask(&table, &Method::GET, "/api/x/1", ".shop.example", &none),
            "plain"
        );
        assert_eq!(get(&table, "/api/x/1?alpha=1&beta"), "query");
        let mut headers = HeaderMap::new();
        headers.insert("x-canary", "1".parse().unwrap());
        assert_eq!(
            ask(&table, &Method::GET, "/api/x/1", "stoa.example", &headers),
            "header"
        );
        headers.insert("x-canary", "2".parse().unwrap());
        assert_eq!(
            ask(&table, &Method::GET, "/api/x/1", "stoa.example", &headers),
            "plain"
        );
    }

    // covers: GW-01
    #[test]
    fn prefixes_are_stripped_and_paths_rewritten() {
        let mut strip = spec("strip", &["/shop/**"]);
        strip.strip_prefix = 1;
        let mut rewrite = spec("rewrite", &["/old/{id}/**"]);
        rewrite.rewrite = Some("/new/{id}/**".into());
        let table = table(vec![strip, rewrite, spec("as is", &["/api"])]);
        for (path, expected) in [
            ("/shop/a/b", Some("/a/b")),
            ("/shop", Some("/")),
            ("/old/7/x", Some("/new/7/x")),
            ("/api", None),
        ] {
            let headers = HeaderMap::new();
            let question = Question {
                method: &Method::GET,
                path,
                host: "",
                headers: &headers,
                query: None,
            };
            let rewritten = table.find(&question).unwrap().rewritten(path);
            assert_eq!(rewritten.as_deref(), expected, "{path}");
        }
    }

    // covers: GW-01
    #[test]
    fn five_thousand_routes_are_matched_without_a_scan() {
        let specs = (0..5_000)
            .map(|n| spec(&format!("r{n}"), &[&format!("/api/r{n}/**")]))
            .collect();
        let table = table(specs);
        assert_eq!(get(&table, "/api/r4999/x"), "r4999");
        assert_eq!(get(&table, "/api/none"), "-");
    }
}
