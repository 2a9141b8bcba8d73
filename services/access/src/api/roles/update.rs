//! `PUT /api/iam/roles/{id}`

use crate::administration::Administration;
use crate::api::{RolePath, administration, administration_reads};
use crate::assigning::keep_administrable;
use crate::model::{Role, RoleInput, Saved};
use crate::store::administration::Loss;
use crate::store::{self, Change, PolicyWrite, snapshot};
use crate::{App, SERVICE, WritePolicy};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use stoa_kernel::http::{IfMatch, Json, Path, Versioned};
use stoa_kernel::idempotency::{Answer, Begun, Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem};
use stoa_types::RoleId;

pub(crate) async fn handler(
    State(app): State<App>,
    mut allowed: Allowed<WritePolicy>,
    Path(RolePath { id }): Path<RolePath>,
    if_match: IfMatch,
    key: IdempotencyKey,
    Json(body): Json<RoleInput>,
) -> Result<Response, Problem> {
    body.check()?;
    let clock = &app.context.clock;
    let command = Command::new(SERVICE, "role:update", key, &(id, &body), &allowed.scope, clock)?;
    let tx = match command.begin(&app.context.db.app, &mut allowed.scope).await? {
        Begun::Fresh(tx) => tx,
        Begun::Replay(response) => return Ok(response),
    };
    let (mut write, mut results) = PolicyWrite::lock(tx, clock.now(), administration_reads()).await?;
    let (mut roles, grants) = administration(&mut results)?;
    let before_change = Administration::of(&roles, &grants);
    let (before, after) = match change(&mut roles, id, if_match, body, &write) {
        Ok(change) => change,
        Err(problem) => return write.refuse(problem).await,
    };
    let after_change = Administration::of(&roles, &grants);
    if before_change.shrinks_to(&after_change)
        && let Err(problem) = keep_administrable(&mut write, &after_change, Loss::default()).await
    {
        return write.refuse(problem).await;
    }
    write.change(store::role::update(&after));
    write.change(store::role::drop_parents(&after));
    write.change(store::role::add_parents(write.tenant(), &after));
    write.record(Change {
        kind: "role.updated",
        entity: Some(id.uuid()),
        user: None,
        before: snapshot(&before),
        after: snapshot(&after),
    });
    let answer = Answer::ok(
        after.version,
        Saved {
            revision: write.revision,
            record: after,
        },
    );
    write.answer(&command, answer).await
}

/// Changes the role among all others, and returns it as it was and as it is.
fn change(
    roles: &mut [Role],
    id: RoleId,
    if_match: IfMatch,
    body: RoleInput,
    write: &PolicyWrite<'_>,
) -> Result<(Role, Role), Problem> {
    let before = roles.iter().find(|role| role.id == id).cloned();
    let before = before.ok_or_else(|| Problem::not_found("role"))?;
    if_match.check(before.version)?;
    body.check_among(id, roles)?;
    let after = Role {
        name: body.name,
        description: body.description,
        parents: body.parents,
        version: before.version + 1,
        updated_at: write.now,
        updated_by: write.actor.clone(),
        ..before.clone()
    };
    if let Some(slot) = roles.iter_mut().find(|role| role.id == id) {
        slot.clone_from(&after);
    }
    Ok((before, after))
}

pub(crate) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("iam.roles.update")
        .tag("iam")
        .summary("Replace a role's name, description and parents")
        .description("Refused (409) when nobody would be left who holds `iam:write`.")
        .response::<200, Versioned<Saved<Role>>>()
}
