//! `DELETE /api/users/{id}/roles/{roleId}`

use crate::{App, AssignRoles, SERVICE};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use schemars::JsonSchema;
use serde::Deserialize;
use std::ops::ControlFlow;
use stoa_contracts::access::WithdrawRole;
use stoa_kernel::http::Path;
use stoa_kernel::idempotency::{Answer, Begun, Command, IdempotencyKey};
use stoa_kernel::{Allowed, CallError, Problem};
use stoa_types::{RoleId, UserId};

/// Which role of whom.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Place {
    /// The user.
    id: UserId,
    /// The role.
    role_id: RoleId,
}

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("withdrawUserRole")
        .tag(crate::api::users::TAG)
        .summary("Take a role from a user")
        .description(
            "It ends at once. 404 when the user does not hold it, but 204 with an Idempotency-Key, since the first answer \
             may be lost. 409 `iam.last_administrator` when nobody would be left \
             to administer the tenant.",
        )
        .response::<204, ()>()
}

pub(super) async fn handle(
    mut allowed: Allowed<AssignRoles>,
    State(app): State<App>,
    Path(Place { id, role_id }): Path<Place>,
    headers: HeaderMap,
    key: IdempotencyKey,
) -> Result<Response, Problem> {
    let body = (id, role_id);
    let command = Command::new(SERVICE, "users:withdraw", key, &body, &allowed.scope, &app.clock)?;
    if let ControlFlow::Break(answer) = super::judged(&app, &command, &mut allowed, id).await? {
        return Ok(answer);
    }
    let withdraw = WithdrawRole {
        user: id,
        role: role_id,
    };
    match app.mesh.call(&mut allowed.scope, withdraw).await {
        // The access service commits by itself: an interruption before the key's row is written leaves the role gone.
        Err(CallError::Refused(problem)) if problem.status == 404 && super::is_keyed(&headers) => {}
        answer => _ = answer?,
    }
    // The access service has committed: this only remembers the answer for the key.
    match command.begin(&app.db, &mut allowed.scope).await? {
        Begun::Fresh(tx) => Ok(command.commit(tx, Answer::of(StatusCode::NO_CONTENT, ())).await?),
        Begun::Replay(answer) => Ok(answer),
    }
}
