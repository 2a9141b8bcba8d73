//! Endpoint rules of a tenant.

use super::{invalid, refuse_if_any};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stoa_kernel::{FieldError, Problem};
use stoa_policy::Requirement;
use stoa_types::RuleId;

/// Most endpoint rules of one tenant.
pub const MAX_RULES: usize = 1_000;
/// Most methods of one rule, and the longest one.
const MAX_METHODS: usize = 20;
const MAX_METHOD_BYTES: usize = 32;
/// The longest pattern; a path has at most 4096 bytes.
const MAX_PATTERN_BYTES: usize = 1_024;

/// A tenant's own endpoint rule, laid over the platform's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// Its id.
    pub id: RuleId,
    /// `/api/customers/{id}` or `/assets/**`.
    pub pattern: String,
    /// HTTP methods; empty means any.
    pub methods: Vec<String>,
    /// What is asked of the caller: `"public"`, `"authenticated"` or `{"permission": "resource:action"}`.
    #[schemars(with = "serde_json::Value")]
    pub requirement: Requirement,
    /// Rises with every change; the ETag.
    pub version: i64,
    /// When it was created.
    pub created_at: Timestamp,
    /// Who created it.
    pub created_by: String,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Who changed it last.
    pub updated_by: String,
}

/// What a client writes of a [`Rule`].
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(example = serde_json::json!({
    "pattern": "/api/reports/**", "methods": ["GET"], "requirement": {"permission": "reports:read"}
}))]
pub struct RuleInput {
    /// Literal segments, `{name}` for one segment, `**` for the rest. The most specific pattern wins.
    pub pattern: String,
    /// HTTP methods; empty means any.
    #[serde(default)]
    pub methods: Vec<String>,
    /// `"public"`, `"authenticated"` or `{"permission": "resource:action"}`. A tenant's rules hold for its signed-in
    /// callers, so `public` here means any of them.
    #[schemars(with = "serde_json::Value")]
    pub requirement: Requirement,
}

impl RuleInput {
    /// Methods in upper case, so that the same rule is the same request.
    #[must_use]
    pub fn normalised(mut self) -> Self {
        for method in &mut self.methods {
            method.make_ascii_uppercase();
        }
        self
    }

    /// Checks the rule together with the tenant's other rules.
    ///
    /// # Errors
    /// 422 for a malformed rule or one that exists; 409 for the paths by which a tenant is administered.
    pub fn check(&self, id: RuleId, others: &[Rule]) -> Result<(), Problem> {
        self.check_size()?;
        let others = others.iter().filter(|other| other.id != id);
        let own = stoa_policy::EndpointRule {
            id: id.uuid(),
            pattern: self.pattern.clone(),
            methods: self.methods.clone(),
            requirement: self.requirement.clone(),
        };
        // The own rule stands last: what clashes is reported at the later one.
        let rules: Vec<_> = others.map(Rule::to_policy).chain([own]).collect();
        if rules.len() > MAX_RULES {
            return Err(Problem::conflict(
                "iam.too_many_rules",
                format!("a tenant has at most {MAX_RULES} endpoint rules; delete one or use a wider pattern"),
            ));
        }
        let own_at = format!("/endpointRules/{}", rules.len() - 1);
        let at = |pointer: &str| match pointer.strip_prefix(&own_at) {
            Some("") => "/pattern".to_owned(),
            Some(field) => field.to_owned(),
            None => pointer.to_owned(),
        };
        stoa_policy::EndpointRules::compile(&rules)
            .map_err(|error| invalid(&error.problems, "policy", at))?;
        if is_administrative(&self.pattern) {
            return Err(Problem::conflict(
                "iam.rule_protected",
                "the rules of /api/iam and /access are the platform's: a tenant could lock itself out; change who \
                 holds iam:write instead",
            ));
        }
        Ok(())
    }
}

impl RuleInput {
    /// Before anything is compiled: that takes time by the square of the methods, and every process holds all rules.
    fn check_size(&self) -> Result<(), Problem> {
        let mut errors = Vec::new();
        if self.pattern.len() > MAX_PATTERN_BYTES || self.pattern.contains(char::is_control) {
            let detail = format!("must have at most {MAX_PATTERN_BYTES} bytes and no control characters");
            errors.push(FieldError::new("/pattern", "length", detail));
        }
        let long = |method: &String| method.len() > MAX_METHOD_BYTES;
        if self.methods.len() > MAX_METHODS || self.methods.iter().any(long) {
            let detail = format!("must have at most {MAX_METHODS} entries of {MAX_METHOD_BYTES} characters");
            errors.push(FieldError::new("/methods", "length", detail));
        }
        refuse_if_any(errors)
    }
}

/// Whether a rule could replace one of the paths by which a tenant is administered. Their patterns start with literal
/// segments, so only patterns that do too are as specific.
fn is_administrative(pattern: &str) -> bool {
    let mut segments = pattern.split('/').skip(1);
    matches!(
        (segments.next(), segments.next()),
        (Some("api"), Some("iam")) | (Some("access"), _)
    )
}

impl Rule {
    /// The decision engine's view.
    #[must_use]
    pub fn to_policy(&self) -> stoa_policy::EndpointRule {
        stoa_policy::EndpointRule {
            id: self.id.uuid(),
            pattern: self.pattern.clone(),
            methods: self.methods.clone(),
            requirement: self.requirement.clone(),
        }
    }
}
