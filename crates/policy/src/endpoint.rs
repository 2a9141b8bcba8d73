//! Endpoint rules: which requirement a method and path have. No rule means no access.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use uuid::Uuid;

use crate::error::{CompileError, Problem};
use crate::model::{EndpointRule, Requirement};
use crate::permission::PermissionPattern;

/// Most segments of a pattern.
pub const MAX_PATTERN_SEGMENTS: usize = 31;

/// Endpoint rules of one layer, compiled into a trie of path segments.
#[derive(Debug, Default)]
pub struct EndpointRules {
    nodes: Vec<Node>,
    rules: Vec<CompiledRule>,
}

/// One rule for one method, or for any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompiledRule {
    /// The rule's id.
    pub id: Uuid,
    /// Its pattern, for the request record and as the route's metric label.
    pub pattern: Box<str>,
    /// The method in upper case; `None` is any.
    pub method: Option<Box<str>>,
    /// What is asked of the caller.
    pub requirement: Requirement,
    rank: Rank,
}

/// Precedence; greater is more specific. Two bits a segment from the left, then whether the method is exact. Two
/// rules of equal rank that match the same path have the same pattern.
type Rank = (u64, bool);

#[derive(Debug, Default)]
struct Node {
    literals: HashMap<Box<str>, usize, RandomState>,
    parameter: Option<usize>,
    /// Rules for a path that ends here.
    end: Vec<usize>,
    /// Rules for this path and everything below: `**`.
    tail: Vec<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Segment<'a> {
    Literal(&'a str),
    Parameter,
}

struct Pattern<'a> {
    segments: Vec<Segment<'a>>,
    tail: bool,
}

impl EndpointRules {
    /// Compiles the rules of one layer.
    ///
    /// # Errors
    /// Malformed patterns or methods, two rules for the same pattern and method (`{id}` and `{name}` are the
    /// same), unknown permissions; with JSON pointers below `/endpointRules`.
    pub fn compile(rules: &[EndpointRule]) -> Result<Self, CompileError> {
        let mut compiled = Self {
            nodes: vec![Node::default()],
            rules: Vec::new(),
        };
        let mut problems = Vec::new();
        for (index, rule) in rules.iter().enumerate() {
            if let Err(problem) = compiled.add(rule, &format!("/endpointRules/{index}")) {
                problems.push(problem);
            }
        }
        CompileError::unless_empty(problems).map(|()| compiled)
    }

    fn add(&mut self, rule: &EndpointRule, at: &str) -> Result<(), Problem> {
        let pattern = Pattern::parse(&rule.pattern)
            .map_err(|message| Problem::new(format!("{at}/pattern"), message))?;
        if let Requirement::Permission(permission) = &rule.requirement
            && !matches!(
                PermissionPattern::parse(permission),
                Some(PermissionPattern::Exact { .. })
            )
        {
            let at = format!("{at}/requirement/permission");
            return Err(Problem::new(at, "expected resource:action without wildcards"));
        }
        let mut methods = Vec::with_capacity(rule.methods.len().max(1));
        for (index, method) in rule.methods.iter().enumerate() {
            if method.is_empty() || !method.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-') {
                return Err(Problem::new(
                    format!("{at}/methods/{index}"),
                    "expected an HTTP method such as GET",
                ));
            }
            methods.push(Some(method.to_ascii_uppercase()));
        }
        if methods.is_empty() {
            methods.push(None);
        }
        let node = self.node_for(&pattern.segments);
        for method in methods {
            self.add_at(node, &pattern, rule, method)
                .map_err(|message| Problem::new(at, message))?;
        }
        Ok(())
    }

    fn add_at(
        &mut self,
        node: usize,
        pattern: &Pattern<'_>,
        rule: &EndpointRule,
        method: Option<String>,
    ) -> Result<(), String> {
        let Some(node) = self.nodes.get_mut(node) else {
            return Ok(());
        };
        let place = if pattern.tail {
            &mut node.tail
        } else {
            &mut node.end
        };
        let here = place.iter().filter_map(|index| self.rules.get(*index));
        if let Some(other) = here
            .into_iter()
            .find(|other| other.method.as_deref() == method.as_deref())
        {
            let method = method.as_deref().unwrap_or("any method");
            return Err(format!(
                "\"{}\" has a rule for {method} already: {}",
                other.pattern, other.id
            ));
        }
        place.push(self.rules.len());
        self.rules.push(CompiledRule {
            id: rule.id,
            pattern: rule.pattern.as_str().into(),
            rank: (pattern.rank(), method.is_some()),
            method: method.map(Into::into),
            requirement: rule.requirement.clone(),
        });
        Ok(())
    }

    /// The node for these segments, made when missing.
    fn node_for(&mut self, segments: &[Segment<'_>]) -> usize {
        let mut at = 0;
        for segment in segments {
            let next_free = self.nodes.len();
            let Some(node) = self.nodes.get_mut(at) else {
                return at;
            };
            let next = match segment {
                Segment::Literal(text) => *node.literals.entry((*text).into()).or_insert(next_free),
                Segment::Parameter => *node.parameter.get_or_insert(next_free),
            };
            if next == next_free {
                self.nodes.push(Node::default());
            }
            at = next;
        }
        at
    }

    /// The most specific rule for a method (upper case) and path, or `None`: refuse.
    ///
    /// The path must be normalised, decoded once and without query. Literal segments win over `{name}` over the
    /// end over `**`, from left to right; then a rule for the method wins over one for any. `{name}` is one
    /// segment that is not empty; `**` is the rest, also none. A path with a `.`, `..` or empty segment (except
    /// after a final slash) matches nothing. Allocates nothing.
    pub fn decide(&self, method: &str, path: &str) -> Option<&CompiledRule> {
        let rest = checked_path(path)?;
        self.find(0, Some(rest), method)
    }

    /// `rest` is what follows the slash; `None` at the end of the path.
    fn find(&self, node: usize, rest: Option<&str>, method: &str) -> Option<&CompiledRule> {
        let node = self.nodes.get(node)?;
        let Some(rest) = rest else {
            return self
                .for_method(&node.end, method)
                .or_else(|| self.for_method(&node.tail, method));
        };
        let (segment, rest) = match rest.split_once('/') {
            Some((segment, rest)) => (segment, Some(rest)),
            None => (rest, None),
        };
        let literal = node
            .literals
            .get(segment)
            .and_then(|next| self.find(*next, rest, method));
        literal
            .or_else(|| {
                node.parameter
                    .filter(|_| !segment.is_empty())
                    .and_then(|next| self.find(next, rest, method))
            })
            .or_else(|| self.for_method(&node.tail, method))
    }

    fn for_method(&self, place: &[usize], method: &str) -> Option<&CompiledRule> {
        let rules = || place.iter().filter_map(|index| self.rules.get(*index));
        let exact = rules().find(|rule| rule.method.as_deref() == Some(method));
        exact.or_else(|| rules().find(|rule| rule.method.is_none()))
    }

    /// The platform's rules with a tenant's laid over them.
    pub fn layered<'a>(platform: &'a EndpointRules, tenant: Option<&'a EndpointRules>) -> LayeredRules<'a> {
        LayeredRules { platform, tenant }
    }

    /// How many rules, counted once for each method.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there is no rule, so that everything is refused.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    pub(crate) fn approximate_bytes(&self) -> usize {
        self.rules
            .iter()
            .map(|rule| size_of::<CompiledRule>() + rule.pattern.len() + 32)
            .sum::<usize>()
            + self.nodes.len() * (size_of::<Node>() + 64)
    }
}

/// Two layers of endpoint rules.
#[derive(Debug, Clone, Copy)]
pub struct LayeredRules<'a> {
    platform: &'a EndpointRules,
    tenant: Option<&'a EndpointRules>,
}

impl<'a> LayeredRules<'a> {
    /// The most specific rule of both layers; for the same pattern and method the tenant's.
    pub fn decide(&self, method: &str, path: &str) -> Option<&'a CompiledRule> {
        let platform = self.platform.decide(method, path);
        let tenant = self.tenant.and_then(|tenant| tenant.decide(method, path));
        match (platform, tenant) {
            (Some(platform), Some(tenant)) if platform.rank > tenant.rank => Some(platform),
            (platform, tenant) => tenant.or(platform),
        }
    }
}

impl<'a> Pattern<'a> {
    fn parse(text: &'a str) -> Result<Self, &'static str> {
        let path = text.strip_prefix('/').ok_or("a pattern starts with \"/\"")?;
        let (path, tail) = match path.strip_suffix("**") {
            Some("") => {
                return Ok(Self {
                    segments: Vec::new(),
                    tail: true,
                });
            }
            Some(before) => (
                before
                    .strip_suffix('/')
                    .ok_or("\"**\" is a whole segment, the last one")?,
                true,
            ),
            None => (path, false),
        };
        let parts: Vec<&str> = path.split('/').collect();
        let mut segments = Vec::with_capacity(parts.len());
        for (index, part) in parts.iter().enumerate() {
            let last = index + 1 == parts.len() && !tail;
            segments.push(Segment::parse(part, last)?);
        }
        if segments.len() > MAX_PATTERN_SEGMENTS {
            return Err("a pattern has at most 31 segments");
        }
        Ok(Self { segments, tail })
    }

    /// Two bits a segment: literal, parameter, end, and nothing for `**`.
    fn rank(&self) -> u64 {
        let end = (!self.tail).then_some(1);
        let kinds = self.segments.iter().map(|segment| match segment {
            Segment::Literal(_) => 3,
            Segment::Parameter => 2,
        });
        (1..)
            .zip(kinds.chain(end))
            .fold(0, |rank, (position, kind): (u32, u64)| {
                rank | kind << (64 - 2 * position)
            })
    }
}

impl<'a> Segment<'a> {
    fn parse(part: &'a str, last: bool) -> Result<Self, &'static str> {
        let parameter = part.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        match (part, parameter) {
            ("", _) if last => Ok(Self::Literal("")),
            ("", _) => Err("a pattern has no empty segment, except after a final slash"),
            ("." | "..", _) => Err("a pattern has no \".\" or \"..\" segment"),
            (_, Some(name)) if is_parameter_name(name) => Ok(Self::Parameter),
            _ if part.contains(['{', '}', '*', '?', '#', '%', '\\']) => {
                Err("a segment is text, {name}, or ** at the end; without ? # % or \\")
            }
            _ => Ok(Self::Literal(part)),
        }
    }
}

fn is_parameter_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// What follows the first slash, or `None` for a path that no rule may match.
fn checked_path(path: &str) -> Option<&str> {
    let rest = path.strip_prefix('/')?;
    let segments = rest.strip_suffix('/').unwrap_or(rest);
    let is_clean = segments
        .split('/')
        .all(|segment| !matches!(segment, "" | "." | ".."));
    (rest.is_empty() || is_clean).then_some(rest)
}
