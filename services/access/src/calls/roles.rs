//! Roles given, taken and listed for the user service, on behalf of its callers.

use crate::administration::Administration;
use crate::api::{administration, administration_reads};
use crate::error::{already_assigned, exceeds_own_rights, unknown_role};
use crate::model::{Assignment, check_period};
use crate::store::{self, PolicyWrite, Results};
use crate::{App, WritePolicy, assigning, delegation};
use jiff::Timestamp;
use stoa_contracts::access::{
    ASSIGN_ROLES, GrantRole, HeldRole, HeldRoles, PermissionsOf, RoleGranted, RoleWithdrawn, RolesOf,
    UserPermissions, WithdrawRole,
};
use stoa_kernel::request::Identity;
use stoa_kernel::{Permission, Problem, Scope};
use stoa_policy::{OWNER_ATTRIBUTE, Value};
use stoa_types::{AssignmentId, RoleId, UserId};

/// How far a caller may hand out roles.
enum Authority {
    /// Whoever writes the policy may give any role.
    Policy,
    /// Up to what this user holds.
    Own(UserId),
}

pub(super) async fn grant_role(app: App, mut scope: Scope, call: GrantRole) -> Result<RoleGranted, Problem> {
    check_period(call.valid_from, call.valid_until)?;
    let authority = authority(&app, &scope, call.user).await?;
    let now = app.context.clock.now();
    let reads = [
        store::assignment::of_user_and_role(call.user, call.role),
        store::assignment::home(call.user),
    ];
    let reads = administration_reads()
        .into_iter()
        .chain(reads)
        .chain(authority.reads(call.user, call.role, now, call.valid_until));
    let tx = app.context.db.app.begin(&mut scope);
    let (mut write, mut results) = PolicyWrite::lock(tx, now, reads).await?;
    let (roles, grants) = administration(&mut results)?;
    let held = results.one(store::assignment::read)?;
    let home = results.one(store::assignment::read_home)?.flatten();
    let Some(role) = roles.iter().find(|role| role.id == call.role) else {
        return write.refuse(unknown_role("/roleId")).await;
    };
    if let Err(problem) = authority.check(&mut results) {
        return write.refuse(problem).await;
    }
    if let Some(held) = held {
        let revision = write.revision - 1;
        if (held.valid_from, held.valid_until) != (call.valid_from, call.valid_until) {
            return write.refuse(already_assigned()).await;
        }
        write.abandon().await;
        return Ok(RoleGranted {
            role: shown(held),
            created: false,
            revision,
        });
    }
    let assignment = Assignment {
        id: AssignmentId::new(),
        user_id: call.user,
        role_id: role.id,
        role: role.name.clone(),
        valid_from: call.valid_from,
        valid_until: call.valid_until,
        branch_id: home,
        created_at: write.now,
        created_by: write.actor.clone(),
    };
    let administration = Administration::of(&roles, &grants);
    if let Err(problem) = assigning::give(&mut write, &administration, &assignment, home).await {
        return write.refuse(problem).await;
    }
    let revision = write.revision;
    write.commit().await.map_err(crate::error::refused)?;
    Ok(RoleGranted {
        role: shown(assignment),
        created: true,
        revision,
    })
}

pub(super) async fn withdraw_role(
    app: App,
    mut scope: Scope,
    call: WithdrawRole,
) -> Result<RoleWithdrawn, Problem> {
    let authority = authority(&app, &scope, call.user).await?;
    let now = app.context.clock.now();
    let reads = administration_reads()
        .into_iter()
        .chain([store::assignment::of_user_and_role(call.user, call.role)])
        .chain(authority.reads(call.user, call.role, now, Some(now)));
    let tx = app.context.db.app.begin(&mut scope);
    let (mut write, mut results) = PolicyWrite::lock(tx, now, reads).await?;
    let (roles, grants) = administration(&mut results)?;
    let Some(held) = results.one(store::assignment::read)? else {
        return write.refuse(Problem::not_found("role of this user")).await;
    };
    if let Err(problem) = authority.check(&mut results) {
        return write.refuse(problem).await;
    }
    let administration = Administration::of(&roles, &grants);
    if let Err(problem) = assigning::take(&mut write, &administration, &held).await {
        return write.refuse(problem).await;
    }
    let revision = write.revision;
    write.commit().await?;
    Ok(RoleWithdrawn { revision })
}

pub(super) async fn roles_of(app: App, mut scope: Scope, call: RolesOf) -> Result<HeldRoles, Problem> {
    let held = store::assignment::of_user(app.context.db.app.begin(&mut scope), call.user).await?;
    let mut roles: Vec<HeldRole> = held.into_iter().map(shown).collect();
    roles.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(HeldRoles { roles })
}

pub(super) async fn permissions_of(
    app: App,
    mut scope: Scope,
    call: PermissionsOf,
) -> Result<UserPermissions, Problem> {
    crate::api::permissions_of(&app, &mut scope, call.user).await
}

fn shown(assignment: Assignment) -> HeldRole {
    HeldRole {
        role_id: assignment.role_id,
        name: assignment.role,
        valid_from: assignment.valid_from,
        valid_until: assignment.valid_until,
        created_at: assignment.created_at,
        created_by: assignment.created_by,
    }
}

/// Decides whether the scope's user may give `user` roles and take them at all. The calling service has decided that
/// too; here it is decided again, because no service may be trusted with rights.
async fn authority(app: &App, scope: &Scope, user: UserId) -> Result<Authority, Problem> {
    let caller = scope.user().ok_or_else(|| {
        Problem::forbidden("roles are given and taken by users; call this on behalf of one")
    })?;
    let identity = Identity {
        tenant: scope.tenant(),
        user: caller,
    };
    let rights = app.context.decisions.caller(identity).await?;
    if rights.decide(WritePolicy::NAME, None).allowed {
        return Ok(Authority::Policy);
    }
    let row = [(OWNER_ATTRIBUTE, Value::Uuid(user.uuid()))];
    if rights.decide(ASSIGN_ROLES, Some(&row)).allowed {
        return Ok(Authority::Own(caller));
    }
    Err(rights.refusal(ASSIGN_ROLES, Some(&row)))
}

impl Authority {
    /// What [`Authority::check`] needs to know, read under the lock of the write: the role's grants, those that the
    /// caller holds now and until `until`, and where the user stands.
    fn reads(
        &self,
        user: UserId,
        role: RoleId,
        now: Timestamp,
        until: Option<Timestamp>,
    ) -> Vec<store::Statement> {
        match self {
            Self::Policy => Vec::new(),
            Self::Own(caller) => vec![
                store::grant::of_role_and_above(role),
                store::grant::held_by(*caller, now, until),
                store::reach::of(*caller, user),
            ],
        }
    }

    /// Refuses (403) a role that gives the user more than the caller holds.
    fn check(&self, results: &mut Results) -> Result<(), Problem> {
        let Self::Own(_) = self else {
            return Ok(());
        };
        let role = results.all(store::grant::read)?;
        let held = results.all(store::grant::read)?;
        let reach = results.one(store::reach::read)?.unwrap_or_default();
        delegation::excess(&role, &held, reach).map_or(Ok(()), |grant| Err(exceeds_own_rights("role", grant)))
    }
}
