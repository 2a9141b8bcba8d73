//! `GET /api/iam/permissions/user/{id}`

use super::ask::revision;
use crate::api::UserPath;
use crate::{App, ReadPolicy, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeSet;
use stoa_kernel::decisions::Caller;
use stoa_kernel::http::{Json, Path};
use stoa_kernel::request::Identity;
use stoa_kernel::{Allowed, Problem};
use stoa_policy::{DataScope, Reason};
use stoa_types::{BranchId, UserId};
use uuid::Uuid;

/// What a user may do.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserPermissions {
    /// The user.
    user_id: UserId,
    /// The policy's revision that decided.
    revision: i64,
    /// Names of the roles in force now, without inherited ones.
    roles: Vec<String>,
    /// The user's home branch.
    branch_id: Option<BranchId>,
    /// The permissions, in alphabetical order.
    permissions: Vec<EffectivePermission>,
}

/// A permission that a user holds.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EffectivePermission {
    /// `resource:action`.
    permission: String,
    /// The widest scope of rows: `own`, `branch` or `all`.
    #[schemars(with = "Option<String>")]
    scope: Option<DataScope>,
    /// Whether it depends on the row: by the scope, or by a condition.
    depends_on_row: bool,
    /// The grants that give it.
    grants: Vec<Uuid>,
}

pub(crate) async fn handler(
    State(app): State<App>,
    mut allowed: Allowed<ReadPolicy>,
    Path(UserPath { id }): Path<UserPath>,
) -> Result<Json<UserPermissions>, Problem> {
    let tenant = allowed.scope.tenant();
    let db = &app.context.db.app;
    let now = app.context.clock.now();
    let described = store::replica::describe(db.begin(&mut allowed.scope), id, now).await?;
    let named = store::grant::named_permissions(db.begin(&mut allowed.scope)).await?;
    let declared = app.context.catalogue.permissions.iter().map(|(name, _, _)| *name);
    let names: BTreeSet<&str> = declared.chain(named.iter().map(String::as_str)).collect();
    let caller = app
        .context
        .decisions
        .caller(Identity { tenant, user: id })
        .await?;
    Ok(Json(UserPermissions {
        user_id: id,
        revision: revision(&caller),
        roles: described.roles,
        branch_id: described.branch_id,
        permissions: names
            .into_iter()
            .filter_map(|name| effective(&caller, name))
            .collect(),
    }))
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
