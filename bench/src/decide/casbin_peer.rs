//! The peer: casbin-rs with the same rules, as role-based access control with domains.
//!
//! The matcher is kind to it: the cheapest and most selective comparisons come first, and how the resource relates to
//! the user (own, in the user's branches) is handed over ready-made instead of being looked up per rule.

use super::questions::{Question, Resource, World};
use anyhow::Context;
use casbin::{CoreApi, DefaultModel, Enforcer, MemoryAdapter, MgmtApi};
use stoa_policy::{Condition, DataScope, Effect, Grant, Operand, SubjectGrants, Value};

const MODEL: &str = r#"
[request_definition]
r = sub, dom, obj, act, own, near, status
[policy_definition]
p = sub, dom, obj, act, eft, scope, status
[role_definition]
g = _, _, _
[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))
[matchers]
m = r.obj == p.obj && r.act == p.act && r.dom == p.dom && g(r.sub, p.sub, r.dom) && (p.scope == "all" || (p.scope == "own" && r.own == "yes") || (p.scope == "branch" && r.near == "yes")) && (p.status == "any" || p.status == r.status)
"#;

/// casbin-rs with a world's rules loaded.
pub struct Casbin {
    enforcer: Enforcer,
}

impl Casbin {
    /// Loads the rules and roles of `world`.
    ///
    /// # Errors
    /// When casbin refuses them.
    pub async fn load(world: &World) -> anyhow::Result<Self> {
        let model = DefaultModel::from_str(MODEL).await?;
        let mut enforcer = Enforcer::new(model, MemoryAdapter::default()).await?;
        let domain = world.policy.tenant.to_string();
        let rules = world.policy.grants.iter().map(|grant| rule(grant, &domain));
        enforcer
            .add_policies(rules.collect::<anyhow::Result<_>>()?)
            .await?;
        enforcer.add_grouping_policies(links(world, &domain)).await?;
        Ok(Self { enforcer })
    }

    /// The decision on what [`request`] made.
    ///
    /// # Errors
    /// When casbin fails.
    pub fn allows(&self, request: Vec<String>) -> anyhow::Result<bool> {
        Ok(self.enforcer.enforce(request)?)
    }
}

/// A question in casbin's form.
///
/// # Errors
/// When it names what the world does not have.
pub fn request(world: &World, question: &Question) -> anyhow::Result<Vec<String>> {
    let subject = world.subjects.get(question.subject).context("no such subject")?;
    let permission = world
        .permissions
        .get(question.permission)
        .context("no such permission")?;
    let (object, action) = permission
        .split_once(':')
        .context("a permission is resource:action")?;
    let Resource {
        owner,
        branch,
        status,
    } = &question.resource;
    let yes = |holds: bool| if holds { "yes" } else { "no" }.to_owned();
    Ok(vec![
        subject.user.to_string(),
        world.policy.tenant.to_string(),
        object.to_owned(),
        action.to_owned(),
        yes(*owner == subject.user),
        yes(subject.branches_below.contains(branch)),
        (*status).to_owned(),
    ])
}

fn rule(grant: &Grant, domain: &str) -> anyhow::Result<Vec<String>> {
    let (object, action) = grant
        .permission
        .split_once(':')
        .context("a permission is resource:action")?;
    let effect = match grant.effect {
        Effect::Allow => "allow",
        Effect::Deny => "deny",
    };
    let scope = match grant.scope {
        DataScope::Own => "own",
        DataScope::BranchAndBelow => "branch",
        DataScope::All => "all",
        other => anyhow::bail!("no casbin form for {other:?}"),
    };
    let status = match &grant.condition {
        None => "any",
        Some(Condition::Compare {
            right: Operand::Literal(Value::Text(status)),
            ..
        }) => status,
        Some(other) => anyhow::bail!("no casbin form for {other:?}"),
    };
    let words = [
        &grant.role.to_string(),
        domain,
        object,
        action,
        effect,
        scope,
        status,
    ];
    Ok(words.map(str::to_owned).to_vec())
}

/// Users to roles, and roles to their parents.
fn links(world: &World, domain: &str) -> Vec<Vec<String>> {
    let assigned = |subject: &SubjectGrants| {
        let roles: Vec<_> = subject
            .assignments
            .iter()
            .map(|assignment| assignment.role)
            .collect();
        (subject.user, roles)
    };
    let users = world.subjects.iter().map(assigned);
    let roles = world
        .policy
        .roles
        .iter()
        .map(|role| (role.id, role.parents.clone()));
    users
        .chain(roles)
        .flat_map(|(from, to)| to.into_iter().map(move |to| (from, to)))
        .map(|(from, to)| vec![from.to_string(), to.to_string(), domain.to_owned()])
        .collect()
}
