//! `POST /api/users/{id}/roles`

use crate::model::UserRoleInput;
use crate::{App, AssignRoles, SERVICE, error};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use std::ops::ControlFlow;
use stoa_contracts::access::{GrantRole, HeldRole};
use stoa_kernel::http::{Json, Path};
use stoa_kernel::idempotency::{Answer, Begun, Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem};
use stoa_types::UserId;

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("assignUserRole")
        .tag(crate::api::users::TAG)
        .summary("Give a user a role")
        .description(
            "403 when the role gives more than the caller holds, unless the caller holds `iam:write`. 200 when the user \
             has the role for this period already, 409 `iam.already_assigned` when for another one. With an \
             Idempotency-Key a role that the caller has given is answered with 201, since the first answer may be lost.",
        )
        .response::<201, Json<HeldRole>>()
        .response::<200, Json<HeldRole>>()
}

pub(super) async fn handle(
    mut allowed: Allowed<AssignRoles>,
    State(app): State<App>,
    Path(id): Path<UserId>,
    headers: HeaderMap,
    key: IdempotencyKey,
    Json(input): Json<UserRoleInput>,
) -> Result<Response, Problem> {
    let input = input.checked()?;
    let is_keyed = super::is_keyed(&headers);
    let body = (id, &input);
    let command = Command::new(SERVICE, "users:assign", key, &body, &allowed.scope, &app.clock)?;
    let user = match super::judged(&app, &command, &mut allowed, id).await? {
        ControlFlow::Continue(user) => user,
        ControlFlow::Break(answer) => return Ok(answer),
    };
    if user.record.is_archived() {
        return Err(error::archived());
    }
    let grant = GrantRole {
        user: id,
        role: input.role_id,
        valid_from: input.valid_from,
        valid_until: input.valid_until,
    };
    let granted = app.mesh.call(&mut allowed.scope, grant).await?;
    // The access service commits by itself: an interruption before the key's row is written leaves the role without it.
    let caller = allowed.scope.user().map(|user| user.to_string());
    let repeated = is_keyed && caller.as_deref() == Some(&*granted.role.created_by);
    let status = if granted.created || repeated {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    // The access service has committed: this only remembers the answer for the key.
    match command.begin(&app.db, &mut allowed.scope).await? {
        Begun::Fresh(tx) => Ok(command.commit(tx, Answer::of(status, granted.role)).await?),
        Begun::Replay(answer) => Ok(answer),
    }
}
