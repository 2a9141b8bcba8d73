//! `DELETE /api/iam/roles/{id}`

use crate::api::RolePath;
use crate::error::role_in_use;
use crate::model::{Role, Written};
use crate::store::{self, Change, PolicyWrite, Results};
use crate::{App, SERVICE, WritePolicy};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde_json::json;
use stoa_kernel::http::{IfMatch, Json, Path};
use stoa_kernel::idempotency::{Answer, Begun, Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem};

pub(crate) async fn handler(
    State(app): State<App>,
    mut allowed: Allowed<WritePolicy>,
    Path(RolePath { id }): Path<RolePath>,
    if_match: IfMatch,
    key: IdempotencyKey,
) -> Result<Response, Problem> {
    let clock = &app.context.clock;
    let command = Command::new(SERVICE, "role:delete", key, &id, &allowed.scope, clock)?;
    let tx = match command.begin(&app.context.db.app, &mut allowed.scope).await? {
        Begun::Fresh(tx) => tx,
        Begun::Replay(response) => return Ok(response),
    };
    let reads = [
        store::role::by_id(id),
        store::assignment::role_is_used(id),
        store::grant::of_role(id),
    ];
    let (mut write, mut results) = PolicyWrite::lock(tx, clock.now(), reads).await?;
    let role = match deletable(&mut results, if_match) {
        Ok(role) => role,
        Err(problem) => return write.refuse(problem).await,
    };
    let grants = results.all(store::grant::read)?;
    write.change(store::role::delete(id));
    write.record(Change {
        kind: "role.deleted",
        entity: Some(id.uuid()),
        user: None,
        before: Some(json!({"role": role, "grants": grants})),
        after: None,
    });
    let revision = write.revision;
    write
        .answer(&command, Answer::of(StatusCode::OK, Written { revision }))
        .await
}

/// A role that nobody holds gives nothing to anybody, so deleting it cannot lock anybody out.
fn deletable(results: &mut Results, if_match: IfMatch) -> Result<Role, Problem> {
    let role = results.one(store::role::read)?;
    let role = role.ok_or_else(|| Problem::not_found("role"))?;
    if_match.check(role.version)?;
    match results.one(|row| Ok(row.try_get(0)?))? {
        Some(false) => Ok(role),
        _ => Err(role_in_use()),
    }
}

pub(crate) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("iam.roles.delete")
        .tag("iam")
        .summary("Delete a role with its grants")
        .description(
            "Refused (409) while a user holds it or a role inherits from it. The audit trail keeps it.",
        )
        .response::<200, Json<Written>>()
}
