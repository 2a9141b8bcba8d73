//! One grant against one question: its scope and its condition.

use serde::{Deserialize, Serialize};

use crate::compile::CompiledGrant;
use crate::condition::{CompareOp, Condition, Lookup, Operand, Truth};
use crate::decide::Context;
use crate::model::{BRANCH_ATTRIBUTE, DataScope, Effect, OWNER_ATTRIBUTE};
use crate::subject::CompiledSubject;
use crate::value::{Attributes, Value, ValueRef};

/// What became of one grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// Scope and condition hold.
    Applied,
    /// Asked without a resource: this grant allows it for some.
    Possible,
    /// Asked without a resource: this denial can only be decided with one.
    Deferred,
    /// The resource is outside the scope.
    ScopeMismatch,
    /// The resource has no owner or branch to compare; a denial applies all the same.
    ScopeUnknown,
    /// The condition does not hold.
    ConditionFalse,
    /// The condition met a null; a denial applies all the same.
    ConditionUnknown,
    /// The role is held, but not yet.
    NotYetValid,
    /// The role was held.
    Expired,
}

impl Outcome {
    /// Whether a denial with this outcome refuses: what cannot be ruled out does.
    pub(crate) fn denies(self) -> bool {
        matches!(self, Self::Applied | Self::ScopeUnknown | Self::ConditionUnknown)
    }
}

/// A question about one resource (or none), as conditions see it.
pub(crate) struct Question<'a> {
    pub(crate) subject: &'a CompiledSubject,
    pub(crate) resource: Option<&'a dyn Attributes>,
    pub(crate) context: &'a Context<'a>,
}

impl Lookup for Question<'_> {
    fn operand<'a>(&'a self, operand: &'a Operand) -> ValueRef<'a> {
        match operand {
            Operand::Resource(name) => self.resource.map_or(ValueRef::Null, |row| row.attribute(name)),
            Operand::Subject(name) => self.subject.attribute(name),
            Operand::Context(name) => self.context.attribute(name),
            Operand::Literal(value) => value.as_ref(),
        }
    }
}

impl Question<'_> {
    /// What becomes of one grant that is in force.
    pub(crate) fn evaluate(&self, grant: &CompiledGrant) -> Outcome {
        let Some(resource) = self.resource else {
            return match (grant.scope, &grant.condition, grant.effect) {
                (DataScope::All, None, _) => Outcome::Applied,
                (_, _, Effect::Allow) => Outcome::Possible,
                (_, _, Effect::Deny) => Outcome::Deferred,
            };
        };
        let scope = self.scope(grant.scope, resource);
        if scope == Truth::False {
            return Outcome::ScopeMismatch;
        }
        let condition = grant
            .condition
            .as_ref()
            .map_or(Truth::True, |condition| condition.evaluate(self));
        match (scope, condition) {
            (_, Truth::False) => Outcome::ConditionFalse,
            (Truth::Unknown, _) => Outcome::ScopeUnknown,
            (_, Truth::Unknown) => Outcome::ConditionUnknown,
            _ => Outcome::Applied,
        }
    }

    /// The same test as [`scope_condition`], without building it.
    fn scope(&self, scope: DataScope, resource: &dyn Attributes) -> Truth {
        match scope {
            DataScope::All => Truth::True,
            DataScope::Own => match resource.attribute(OWNER_ATTRIBUTE) {
                ValueRef::Uuid(owner) => (owner == self.subject.user).into(),
                _ => Truth::Unknown,
            },
            DataScope::Branch => match resource.attribute(BRANCH_ATTRIBUTE) {
                _ if self.subject.branches.is_empty() => Truth::False,
                ValueRef::Uuid(branch) => self.subject.branches.binary_search(&branch).is_ok().into(),
                _ => Truth::Unknown,
            },
        }
    }
}

/// A scope as a condition on the resource alone.
pub(crate) fn scope_condition(scope: DataScope, subject: &CompiledSubject) -> Condition {
    match scope {
        DataScope::All => Condition::always(),
        DataScope::Own => Condition::Compare {
            left: Operand::Resource(OWNER_ATTRIBUTE.to_owned()),
            op: CompareOp::Eq,
            right: Operand::Literal(Value::Uuid(subject.user)),
        },
        DataScope::Branch if subject.branches.is_empty() => Condition::never(),
        DataScope::Branch => Condition::In {
            operand: Operand::Resource(BRANCH_ATTRIBUTE.to_owned()),
            list: subject.branches.iter().copied().map(Value::Uuid).collect(),
        },
    }
}
