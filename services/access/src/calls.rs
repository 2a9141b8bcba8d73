//! The calls that other services and every process's replica make.

mod acting;
mod roles;

use crate::error::refused;
use crate::model::Assignment;
use crate::store::{self, Change, PolicyWrite, actor_text, snapshot};
use crate::{App, CHANGE_LOCK, PROVISION, defaults, feed};
use std::future::Future;
use std::time::Duration;
use stoa_contracts::Done;
use stoa_contracts::access::{
    AssignRole, DescribeSubject, GrantRole, MayActFor, PermissionsOf, ProvisionTenant, Provisioned, RolesOf,
    SubjectDescription, WithdrawRole,
};
use stoa_kernel::decisions::{LoadPlatformRules, LoadPolicy, LoadSubject, PlatformRules, WatchChanges};
use stoa_kernel::mesh::{Call, Calls};
use stoa_kernel::{Actor, FieldError, Problem, Scope};
use stoa_policy::{SubjectGrants, TenantPolicy};
use stoa_types::{AssignmentId, TenantId};

/// The rest of a provisioning call, after the registry.
const PROVISION_BUDGET: Duration = Duration::from_secs(3);

/// All calls.
pub(crate) fn all(app: &App) -> Calls {
    Calls::new()
        .on::<LoadPlatformRules, _, _>(with(app, load_platform_rules))
        .on::<LoadPolicy, _, _>(with(app, load_policy))
        .on::<LoadSubject, _, _>(with(app, load_subject))
        .on::<WatchChanges, _, _>(with(app, watch_changes))
        .on::<DescribeSubject, _, _>(with(app, describe_subject))
        .on::<ProvisionTenant, _, _>(with(app, provision_tenant))
        .on::<AssignRole, _, _>(with(app, assign_role))
        .on::<GrantRole, _, _>(with(app, roles::grant_role))
        .on::<WithdrawRole, _, _>(with(app, roles::withdraw_role))
        .on::<MayActFor, _, _>(with(app, acting::may_act_for))
        .on::<RolesOf, _, _>(with(app, roles::roles_of))
        .on::<PermissionsOf, _, _>(with(app, roles::permissions_of))
}

fn with<C: Call, F, Fut>(app: &App, handler: F) -> impl Fn(Scope, C) -> Fut + Send + Sync + 'static
where
    F: Fn(App, Scope, C) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<C::Reply, Problem>> + Send + 'static,
{
    let app = app.clone();
    move |scope, call| handler(app.clone(), scope, call)
}

async fn load_platform_rules(
    app: App,
    mut scope: Scope,
    _call: LoadPlatformRules,
) -> Result<PlatformRules, Problem> {
    system_only(&scope)?;
    let tx = app.context.db.system.begin_system(&mut scope);
    let (revision, rules) = store::endpoint::platform(tx).await?;
    Ok(PlatformRules { revision, rules })
}

async fn load_policy(app: App, mut scope: Scope, call: LoadPolicy) -> Result<TenantPolicy, Problem> {
    system_only(&scope)?;
    same_tenant(&scope, call.tenant)?;
    Ok(store::replica::policy(app.context.db.app.begin(&mut scope)).await?)
}

async fn load_subject(app: App, mut scope: Scope, call: LoadSubject) -> Result<SubjectGrants, Problem> {
    system_only(&scope)?;
    same_tenant(&scope, call.tenant)?;
    Ok(store::replica::subject(app.context.db.app.begin(&mut scope), call.user).await?)
}

async fn watch_changes(
    app: App,
    scope: Scope,
    call: WatchChanges,
) -> Result<stoa_kernel::decisions::Changes, Problem> {
    system_only(&scope)?;
    feed::watch_changes(&app, scope, call).await
}

async fn describe_subject(
    app: App,
    mut scope: Scope,
    call: DescribeSubject,
) -> Result<SubjectDescription, Problem> {
    let tenant = scope.tenant();
    let db = &app.context.db;
    let plan = store::tenant::plan(db.system.begin_system(&mut scope), tenant)
        .await?
        .ok_or_else(|| Problem::not_found("tenant"))?;
    let now = app.context.clock.now();
    let schemas = &app.context.catalogue.resources;
    let tx = db.app.begin(&mut scope);
    let mut description = store::replica::describe(tx, call.user, now, schemas).await?;
    description.plan = plan;
    Ok(description)
}

/// The registry first, then the tenant's own rows: a call that breaks off between the two is completed by its repeat.
async fn provision_tenant(app: App, mut scope: Scope, call: ProvisionTenant) -> Result<Provisioned, Problem> {
    scope.require_platform()?;
    check_tenant(&call)?;
    let now = app.context.clock.now();
    let actor = actor_text(scope.actor());
    let registry = app.context.db.system.begin_system(&mut scope);
    store::tenant::register(registry, &call, now, &actor)
        .await
        .map_err(refused)?;

    let mut inside = PROVISION.scope(call.tenant, PROVISION_BUDGET);
    let mut tx = app.context.db.app.begin(&mut inside);
    let (sql, params) = store::tenant::first_revision(call.tenant);
    tx.defer(store::LOCK_CHANGES, stoa_kernel::params![CHANGE_LOCK]);
    tx.defer(sql, params);
    let created = tx.flush().await?.pop().is_some_and(|rows| !rows.is_empty());
    if !created {
        tx.rollback().await;
        return Ok(Provisioned { created });
    }
    let (mut write, _) = PolicyWrite::lock(tx, now, []).await?;
    let tenant = write.tenant();
    for (role, grants) in defaults::roles(now, &actor) {
        write.change(store::role::insert(tenant, &role));
        write.change(store::role::add_parents(tenant, &role));
        for grant in grants {
            write.change(store::grant::insert(tenant, &grant));
        }
    }
    write.record(Change {
        kind: "tenant.provisioned",
        entity: Some(tenant),
        user: None,
        before: None,
        after: snapshot(&call),
    });
    write.commit().await?;
    Ok(Provisioned { created })
}

async fn assign_role(app: App, mut scope: Scope, call: AssignRole) -> Result<Done, Problem> {
    scope.require_platform()?;
    let tx = app.context.db.app.begin(&mut scope);
    let reads = [
        store::role::by_name(&call.role),
        store::assignment::home(call.user),
    ];
    let (mut write, mut results) = PolicyWrite::lock(tx, app.context.clock.now(), reads).await?;
    let Some(role) = results.one(store::role::read)? else {
        let detail = format!("the tenant has no role {}", call.role);
        let problem = Problem::invalid(vec![FieldError::new("/role", "unknown", detail)]);
        return write.refuse(problem).await;
    };
    let home = results.one(store::assignment::read_home)?.flatten();
    let held = store::assignment::of_user_and_role(call.user, role.id);
    let held = write.ask(held).await?.one(store::assignment::read)?;
    let moves = call.branch.is_some() && call.branch != home;
    if held.is_some() && !moves {
        write.abandon().await;
        return Ok(Done {});
    }
    let (tenant, now, actor) = (write.tenant(), write.now, write.actor.clone());
    let before = held.as_ref().and_then(snapshot);
    let after = Assignment {
        branch_id: call.branch.or(home),
        ..held.clone().unwrap_or_else(|| Assignment {
            id: AssignmentId::new(),
            user_id: call.user,
            role_id: role.id,
            role: role.name,
            valid_from: None,
            valid_until: None,
            branch_id: None,
            created_at: now,
            created_by: actor.clone(),
        })
    };
    if held.is_none() {
        write.change(store::assignment::insert(tenant, &after));
    }
    if moves {
        write.change(store::assignment::set_home(
            tenant,
            call.user,
            call.branch,
            now,
            &actor,
        ));
    }
    write.record(Change {
        kind: if held.is_none() {
            "assignment.created"
        } else {
            "subject.moved"
        },
        entity: Some(after.id.uuid()),
        user: Some(call.user),
        before,
        after: snapshot(&after),
    });
    write.commit().await.map_err(refused)?;
    Ok(Done {})
}

/// Policies are for the platform's own processes, whoever's request they work on.
fn system_only(scope: &Scope) -> Result<(), Problem> {
    match scope.actor() {
        Actor::System(_) => Ok(()),
        Actor::User(_) => Err(Problem::forbidden(
            "this call is the platform's own; make it with a system scope",
        )),
    }
}

fn same_tenant(scope: &Scope, tenant: TenantId) -> Result<(), Problem> {
    if scope.tenant() == tenant {
        return Ok(());
    }
    Err(Problem::forbidden("the call names another tenant than its scope"))
}

fn check_tenant(call: &ProvisionTenant) -> Result<(), Problem> {
    let mut errors = Vec::new();
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_slug = (1..=63).contains(&call.slug.len())
        && call.slug.chars().all(|c| is_word(c) || c == '-')
        && call.slug.starts_with(is_word)
        && call.slug.ends_with(is_word);
    if !is_slug {
        let detail = "1 to 63 of a-z, 0-9 and -, without - at the ends";
        errors.push(FieldError::new("/slug", "format", detail));
    }
    if !(1..=200).contains(&call.name.chars().count()) {
        errors.push(FieldError::new(
            "/name",
            "length",
            "must have 1 to 200 characters",
        ));
    }
    if !matches!(call.plan.as_str(), "free" | "premium") {
        errors.push(FieldError::new("/plan", "unknown", "must be free or premium"));
    }
    if call.tenant.uuid().is_nil() {
        errors.push(FieldError::new("/tenant", "format", "must not be the nil UUID"));
    }
    if errors.is_empty() {
        return Ok(());
    }
    Err(Problem::invalid(errors))
}
