//! The decision: deny first, conditions only on the candidates, nothing allocated.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::compile::{CompiledGrant, CompiledPolicy, PermissionKey};
use crate::evaluate::{Outcome, Question};
use crate::model::{DataScope, Effect};
use crate::subject::CompiledSubject;
use crate::value::{Attributes, ValueRef};

/// The circumstances of a question.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The time of the injected clock, epoch milliseconds; conditions see it as `now`.
    pub now_ms: i64,
    /// The client's address as text; conditions see it as `ip`.
    pub ip: Option<&'a str>,
    /// What else conditions may ask as `context`.
    pub attributes: Option<&'a dyn Attributes>,
}

impl<'a> Context<'a> {
    /// A context of which only the time is known.
    pub fn at(now_ms: i64) -> Self {
        Self {
            now_ms,
            ip: None,
            attributes: None,
        }
    }

    /// With the client's address.
    #[must_use]
    pub fn with_ip(self, ip: &'a str) -> Self {
        Self { ip: Some(ip), ..self }
    }

    /// With further attributes.
    #[must_use]
    pub fn with_attributes(self, attributes: &'a dyn Attributes) -> Self {
        Self {
            attributes: Some(attributes),
            ..self
        }
    }

    pub(crate) fn attribute(&self, name: &str) -> ValueRef<'_> {
        match name {
            "now" => ValueRef::Int(self.now_ms),
            "ip" => self.ip.into(),
            name => self
                .attributes
                .map_or(ValueRef::Null, |attributes| attributes.attribute(name)),
        }
    }
}

/// An answer, with what determined it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// Whether the action is allowed.
    pub allowed: bool,
    /// Why.
    pub reason: Reason,
    /// The grants that determined it: the denial, or up to four allowing grants of the widest scope.
    pub determining: GrantIds,
    /// The policy's revision.
    pub revision: i64,
    /// The widest scope among the allowing grants; absent when refused.
    pub scope: Option<DataScope>,
}

/// Why a decision came out as it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reason {
    /// A grant allows it and none denies it.
    Granted,
    /// Asked without a resource: allowed for some resources; each still needs its own decision or a row filter.
    Possible,
    /// A grant denies it.
    Denied,
    /// A denial could not be ruled out, because a value it asks for is null.
    DeniedByUnknown,
    /// Grants allow it, but not for this resource.
    OutOfScope,
    /// Grants allow it for this resource under conditions that do not hold.
    ConditionNotMet,
    /// No grant in force allows it.
    NoGrant,
    /// The subject or the permission key was compiled against another policy: compile it again and ask again.
    OutOfDate,
}

/// Up to four grant ids, without a heap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GrantIds {
    ids: [Uuid; Self::CAPACITY],
    len: u8,
}

impl GrantIds {
    /// How many ids fit.
    pub const CAPACITY: usize = 4;

    /// The ids.
    pub fn as_slice(&self) -> &[Uuid] {
        self.ids.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// Adds an id, unless four are there.
    pub(crate) fn push(&mut self, id: Uuid) {
        if let Some(slot) = self.ids.get_mut(usize::from(self.len)) {
            *slot = id;
            self.len += 1;
        }
    }

    fn is_full(&self) -> bool {
        usize::from(self.len) == Self::CAPACITY
    }
}

impl Serialize for GrantIds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_slice().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for GrantIds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut ids = Self::default();
        for id in Vec::<Uuid>::deserialize(deserializer)? {
            ids.push(id);
        }
        Ok(ids)
    }
}

/// Gathers the outcomes of candidates, in their order, into a decision.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Widest first; a grant that applies before one that is merely possible.
    best: Option<(DataScope, bool)>,
    determining: GrantIds,
    any_allow: bool,
    any_in_scope: bool,
}

impl Tally {
    /// Whether an allowing grant of this scope could still change the answer.
    fn could_matter(&self, scope: DataScope) -> bool {
        self.best
            .is_none_or(|best| (scope, true) > best || ((scope, true) == best && !self.determining.is_full()))
    }

    pub(crate) fn allow(&mut self, grant: &CompiledGrant, outcome: Outcome) {
        self.any_allow = true;
        match outcome {
            Outcome::Applied | Outcome::Possible => {}
            Outcome::ConditionFalse | Outcome::ConditionUnknown => {
                self.any_in_scope = true;
                return;
            }
            _ => return,
        }
        let rank = Some((grant.scope, outcome == Outcome::Applied));
        if rank > self.best {
            self.best = rank;
            self.determining = GrantIds::default();
        }
        if rank == self.best {
            self.determining.push(grant.id);
        }
    }

    pub(crate) fn into_decision(self, revision: i64) -> Decision {
        let (reason, scope) = match self.best {
            Some((scope, true)) => (Reason::Granted, Some(scope)),
            Some((scope, false)) => (Reason::Possible, Some(scope)),
            None if self.any_in_scope => (Reason::ConditionNotMet, None),
            None if self.any_allow => (Reason::OutOfScope, None),
            None => (Reason::NoGrant, None),
        };
        Decision {
            allowed: scope.is_some(),
            reason,
            determining: self.determining,
            revision,
            scope,
        }
    }
}

/// The refusal by a denial.
pub(crate) fn denied_by(grant: &CompiledGrant, outcome: Outcome, revision: i64) -> Decision {
    let reason = if outcome == Outcome::Applied {
        Reason::Denied
    } else {
        Reason::DeniedByUnknown
    };
    let mut determining = GrantIds::default();
    determining.push(grant.id);
    Decision {
        allowed: false,
        reason,
        determining,
        revision,
        scope: None,
    }
}

/// The refusal of things compiled against another policy.
pub(crate) fn out_of_date(revision: i64) -> Decision {
    let determining = GrantIds::default();
    Decision {
        allowed: false,
        reason: Reason::OutOfDate,
        determining,
        revision,
        scope: None,
    }
}

/// May the subject do this, to this resource?
///
/// Without a resource it answers for an endpoint: an allowing grant with a scope or condition counts as
/// [`Reason::Possible`], and only a denial without either refuses. A permission that is not `resource:action`, or
/// that has a wildcard, is never granted.
pub fn decide(
    policy: &CompiledPolicy,
    subject: &CompiledSubject,
    permission: &str,
    resource: Option<&dyn Attributes>,
    context: &Context<'_>,
) -> Decision {
    decide_key(
        policy,
        subject,
        policy.permission_key(permission),
        resource,
        context,
    )
}

/// [`decide`] with a permission looked up before ([`CompiledPolicy::permission_key`]).
pub fn decide_key(
    policy: &CompiledPolicy,
    subject: &CompiledSubject,
    permission: PermissionKey,
    resource: Option<&dyn Attributes>,
    context: &Context<'_>,
) -> Decision {
    if subject.generation != policy.generation || permission.generation != policy.generation {
        return out_of_date(policy.revision);
    }
    let question = Question {
        subject,
        resource,
        context,
    };
    let mut tally = Tally::default();
    for grant in candidates_in_force(policy, subject, permission, context.now_ms) {
        match grant.effect {
            Effect::Deny => {
                let outcome = question.evaluate(grant);
                if outcome.denies() {
                    return denied_by(grant, outcome, policy.revision);
                }
            }
            Effect::Allow if tally.could_matter(grant.scope) => tally.allow(grant, question.evaluate(grant)),
            Effect::Allow => {}
        }
    }
    tally.into_decision(policy.revision)
}

/// The grants for a permission of all roles held now: one lookup per role and interned form of the permission.
pub(crate) fn candidates_in_force<'p>(
    policy: &'p CompiledPolicy,
    subject: &CompiledSubject,
    permission: PermissionKey,
    now_ms: i64,
) -> impl Iterator<Item = &'p CompiledGrant> {
    subject
        .roles
        .iter()
        .filter(move |held| held.in_force(now_ms))
        .flat_map(move |held| {
            permission
                .ids
                .into_iter()
                .flatten()
                .map(move |id| (held.role, id))
        })
        .flat_map(move |(role, id)| policy.candidates(role, id))
}
