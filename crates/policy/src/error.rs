//! What is wrong with a policy, and where.

use serde::{Deserialize, Serialize};

/// Most problems one error lists; more are only counted.
const MAX_LISTED: usize = 100;

/// One thing wrong, at one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// JSON pointer (RFC 6901) into the policy.
    pub pointer: String,
    /// What is wrong there.
    pub message: String,
}

impl Problem {
    /// A problem at a JSON pointer.
    pub fn new(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            pointer: pointer.into(),
            message: message.into(),
        }
    }
}

/// A policy, or a set of endpoint rules, that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the policy cannot be used, {count} problem(s); first at \"{}\": {}", first(problems).0, first(problems).1)]
pub struct CompileError {
    /// The first hundred problems; never empty.
    pub problems: Vec<Problem>,
    /// How many there are in all.
    pub count: usize,
}

fn first(problems: &[Problem]) -> (&str, &str) {
    problems
        .first()
        .map_or(("", "unknown"), |problem| (&problem.pointer, &problem.message))
}

impl CompileError {
    /// `Ok` when there are no problems.
    pub(crate) fn unless_empty(mut problems: Vec<Problem>) -> Result<(), Self> {
        if problems.is_empty() {
            return Ok(());
        }
        let count = problems.len();
        problems.truncate(MAX_LISTED);
        Err(Self { problems, count })
    }
}

/// A subject's grants cannot be used with a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the grants belong to tenant {grants} but the policy to tenant {policy}; load both for one tenant")]
pub struct TenantMismatch {
    /// Tenant of the policy.
    pub policy: uuid::Uuid,
    /// Tenant of the grants.
    pub grants: uuid::Uuid,
}
