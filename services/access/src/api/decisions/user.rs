//! `GET /api/iam/permissions/user/{id}`

use super::ask::revision;
use crate::api::UserPath;
use crate::{App, ReadPolicy, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use std::collections::BTreeSet;
use stoa_contracts::access::{EffectivePermission, UserPermissions};
use stoa_kernel::decisions::Caller;
use stoa_kernel::http::{Json, Path};
use stoa_kernel::request::Identity;
use stoa_kernel::{Allowed, Problem, Scope};
use stoa_policy::Reason;
use stoa_types::UserId;

pub(crate) async fn handler(
    State(app): State<App>,
    mut allowed: Allowed<ReadPolicy>,
    Path(UserPath { id }): Path<UserPath>,
) -> Result<Json<UserPermissions>, Problem> {
    permissions_of(&app, &mut allowed.scope, id).await.map(Json)
}

/// Works out what a user of the scope's tenant may do now.
pub(crate) async fn permissions_of(
    app: &App,
    scope: &mut Scope,
    user: UserId,
) -> Result<UserPermissions, Problem> {
    let tenant = scope.tenant();
    let db = &app.context.db.app;
    let now = app.context.clock.now();
    let catalogue = &app.context.catalogue;
    let described = store::replica::describe(db.begin(scope), user, now, &catalogue.resources).await?;
    let named = store::grant::named_permissions(db.begin(scope)).await?;
    let declared = catalogue.permissions.iter().map(|(name, _, _)| *name);
    let names: BTreeSet<&str> = declared.chain(named.iter().map(String::as_str)).collect();
    let caller = app.context.decisions.caller(Identity { tenant, user }).await?;
    Ok(UserPermissions {
        user_id: user,
        revision: revision(&caller),
        roles: described.roles,
        branch_id: described.branch_id,
        permissions: names
            .into_iter()
            .filter_map(|name| effective(&caller, name))
            .collect(),
    })
}

fn effective(caller: &Caller, permission: &str) -> Option<EffectivePermission> {
    let decision = caller.decide(permission, None);
    decision.allowed.then(|| EffectivePermission {
        permission: permission.to_owned(),
        scope: decision.scope,
        depends_on_row: decision.reason == Reason::Possible,
        grants: decision.determining.as_slice().to_vec(),
    })
}

pub(crate) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("iam.permissions.ofUser")
        .tag("iam")
        .summary("List what a user may do, with the rows")
        .description("An unknown user holds nothing: the list is empty.")
}
