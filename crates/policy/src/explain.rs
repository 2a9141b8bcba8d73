//! Why a decision came out as it did: every grant considered, and what was nearly enough.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::compile::{CompiledGrant, CompiledPolicy, PermissionKey};
use crate::decide::{Context, Decision, Reason, Tally, denied_by, out_of_date};
use crate::evaluate::{Outcome, Question};
use crate::model::{DataScope, Effect};
use crate::permission::PermissionPattern;
use crate::subject::CompiledSubject;
use crate::value::Attributes;

/// Most near misses of an explanation.
pub const MAX_NEAR_MISSES: usize = 10;

/// A decision with its reasons. Costs a scan of the policy: for people, not for requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The same as [`decide`](crate::decide()) answers.
    pub decision: Decision,
    /// Every grant for the permission that the subject holds, held or will hold, in order of evaluation.
    pub considered: Vec<Considered>,
    /// When nothing allowed it: up to ten grants that would have, each role named once.
    pub near_misses: Vec<NearMiss>,
}

/// A grant that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Considered {
    /// The grant.
    pub grant: Uuid,
    /// The name of the role that holds it.
    pub role: String,
    /// The permission as the grant has it, wildcards included.
    pub permission: String,
    /// Allow or deny.
    pub effect: Effect,
    /// Its scope.
    pub scope: DataScope,
    /// What became of it.
    pub outcome: Outcome,
}

/// A grant that would have allowed the action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NearMiss {
    /// The grant.
    pub grant: Uuid,
    /// The name of the role that holds it.
    pub role: String,
    /// The permission as the grant has it.
    pub permission: String,
    /// Its scope.
    pub scope: DataScope,
    /// What is missing.
    pub missing: Missing,
}

/// What a near miss lacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Missing {
    /// The subject does not hold the role now.
    Role,
    /// The subject holds it, for another action on the same resource.
    Action,
}

/// Explains what [`decide`](crate::decide()) answers to the same question.
pub fn explain(
    policy: &CompiledPolicy,
    subject: &CompiledSubject,
    permission: &str,
    resource: Option<&dyn Attributes>,
    context: &Context<'_>,
) -> Explanation {
    if !subject.belongs_to(policy) {
        let decision = out_of_date(policy.revision);
        return Explanation {
            decision,
            considered: Vec::new(),
            near_misses: Vec::new(),
        };
    }
    let key = policy.permission_key(permission);
    let question = Question {
        subject,
        resource,
        context,
    };
    let looked_at = consider(policy, key, &question);
    let decision = conclude(policy, &looked_at);
    let near_misses = match decision.reason {
        Reason::NoGrant | Reason::OutOfScope | Reason::ConditionNotMet => {
            near_misses(policy, permission, key, &question)
        }
        _ => Vec::new(),
    };
    let considered = looked_at
        .into_iter()
        .map(|(grant, outcome)| describe(policy, grant, outcome))
        .collect();
    Explanation {
        decision,
        considered,
        near_misses,
    }
}

/// Every grant for the permission of every role in the subject's list, with its outcome.
fn consider<'p>(
    policy: &'p CompiledPolicy,
    key: PermissionKey,
    question: &Question<'_>,
) -> Vec<(&'p CompiledGrant, Outcome)> {
    let now = question.context.now_ms;
    let mut looked_at = Vec::new();
    for periods in question.subject.roles.chunk_by(|a, b| a.role == b.role) {
        let Some(role) = periods.first().map(|held| held.role) else {
            continue;
        };
        let not_in_force = if periods.iter().any(|held| held.in_force(now)) {
            None
        } else if periods.iter().any(|held| held.from > now) {
            Some(Outcome::NotYetValid)
        } else {
            Some(Outcome::Expired)
        };
        for permission in key.ids.into_iter().flatten() {
            for grant in policy.candidates(role, permission) {
                looked_at.push((grant, not_in_force.unwrap_or_else(|| question.evaluate(grant))));
            }
        }
    }
    looked_at
}

/// The decision that follows from the outcomes alone.
fn conclude(policy: &CompiledPolicy, looked_at: &[(&CompiledGrant, Outcome)]) -> Decision {
    let denial = looked_at
        .iter()
        .find(|(grant, outcome)| grant.effect == Effect::Deny && outcome.denies());
    if let Some((grant, outcome)) = denial {
        return denied_by(grant, *outcome, policy.revision);
    }
    let mut tally = Tally::default();
    for (grant, outcome) in looked_at {
        let in_force = !matches!(outcome, Outcome::NotYetValid | Outcome::Expired);
        if grant.effect == Effect::Allow && in_force {
            tally.allow(grant, *outcome);
        }
    }
    tally.into_decision(policy.revision)
}

fn near_misses(
    policy: &CompiledPolicy,
    permission: &str,
    key: PermissionKey,
    question: &Question<'_>,
) -> Vec<NearMiss> {
    let Some((resource, _)) = permission.split_once(':') else {
        return Vec::new();
    };
    let now = question.context.now_ms;
    let holds = |role: u32| {
        question
            .subject
            .roles
            .iter()
            .any(|held| held.role == role && held.in_force(now))
    };
    // Roles first: what somebody else holds answers "whom do I ask to be"; then what else this subject may do.
    let mut by_missing = [Vec::new(), Vec::new()];
    for grant in policy.grants.iter().filter(|grant| grant.effect == Effect::Allow) {
        let covers = key.ids.contains(&Some(grant.permission));
        let name = policy
            .permissions
            .names
            .get(grant.permission as usize)
            .map_or("", |name| name);
        let (missing, found) = match (covers, holds(grant.role)) {
            (true, false) => (Missing::Role, &mut by_missing[0]),
            (false, true)
                if PermissionPattern::parse(name).and_then(PermissionPattern::resource) == Some(resource) =>
            {
                (Missing::Action, &mut by_missing[1])
            }
            _ => continue,
        };
        if found.len() < MAX_NEAR_MISSES
            && !found
                .iter()
                .any(|(other, _): &(&CompiledGrant, _)| other.role == grant.role && missing == Missing::Role)
            && matches!(question.evaluate(grant), Outcome::Applied | Outcome::Possible)
        {
            found.push((grant, missing));
        }
    }
    by_missing
        .into_iter()
        .flatten()
        .take(MAX_NEAR_MISSES)
        .map(|(grant, missing)| {
            let described = describe(policy, grant, Outcome::Applied);
            NearMiss {
                grant: described.grant,
                role: described.role,
                permission: described.permission,
                scope: described.scope,
                missing,
            }
        })
        .collect()
}

fn describe(policy: &CompiledPolicy, grant: &CompiledGrant, outcome: Outcome) -> Considered {
    let role = policy
        .roles
        .get(grant.role as usize)
        .map_or("", |role| &role.name);
    let permission = policy
        .permissions
        .names
        .get(grant.permission as usize)
        .map_or("", |name| name);
    Considered {
        grant: grant.id,
        role: role.to_owned(),
        permission: permission.to_owned(),
        effect: grant.effect,
        scope: grant.scope,
        outcome,
    }
}
