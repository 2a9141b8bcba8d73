//! One grant against one question: its scope and its condition.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::compile::CompiledGrant;
use crate::condition::{CompareOp, Condition, Lookup, Operand, Truth};
use crate::decide::Context;
use crate::model::{DataScope, Effect};
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
        let Some(attribute) = scope.attribute() else {
            return Truth::True;
        };
        let wanted = self.subject.ids_of(scope);
        match (wanted, resource.attribute(attribute)) {
            ([], _) => Truth::False,
            (_, ValueRef::Uuid(id)) => wanted.binary_search(&id).is_ok().into(),
            _ => Truth::Unknown,
        }
    }
}

impl CompiledSubject {
    /// The owners or branches, sorted, whose rows are in a scope that asks for [`DataScope::attribute`].
    fn ids_of(&self, scope: DataScope) -> &[Uuid] {
        match scope {
            DataScope::Own => std::slice::from_ref(&self.user),
            DataScope::Team => &self.team_members,
            DataScope::Branch => self.branch.as_slice(),
            DataScope::BranchAndBelow => &self.branches_below,
            DataScope::Organization => &self.organization_branches,
            DataScope::All => &[],
        }
    }
}

/// A scope as a condition on the resource alone. Its shape follows from the scope, not from how many ids there are, so
/// that subjects with the same rights share a prepared statement.
pub(crate) fn scope_condition(scope: DataScope, subject: &CompiledSubject) -> Condition {
    let Some(attribute) = scope.attribute() else {
        return Condition::always();
    };
    let operand = Operand::Resource(attribute.to_owned());
    let value = |id: &Uuid| Value::Uuid(*id);
    match (scope, subject.ids_of(scope)) {
        (_, []) => Condition::never(),
        (DataScope::Own | DataScope::Branch, [id, ..]) => Condition::Compare {
            left: operand,
            op: CompareOp::Eq,
            right: Operand::Literal(value(id)),
        },
        (_, ids) => Condition::In {
            operand,
            list: ids.iter().map(value).collect(),
        },
    }
}
