//! `DELETE /api/iam/assignments/{id}`

use crate::administration::Administration;
use crate::api::{AssignmentPath, administration, administration_reads};
use crate::model::Written;
use crate::store::{self, PolicyWrite};
use crate::{App, SERVICE, WritePolicy, assigning};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use stoa_kernel::http::{Json, Path};
use stoa_kernel::idempotency::{Answer, Begun, Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem};

pub(crate) async fn handler(
    State(app): State<App>,
    mut allowed: Allowed<WritePolicy>,
    Path(AssignmentPath { id }): Path<AssignmentPath>,
    key: IdempotencyKey,
) -> Result<Response, Problem> {
    let clock = &app.context.clock;
    let command = Command::new(SERVICE, "assignment:delete", key, &id, &allowed.scope, clock)?;
    let tx = match command.begin(&app.context.db.app, &mut allowed.scope).await? {
        Begun::Fresh(tx) => tx,
        Begun::Replay(response) => return Ok(response),
    };
    let reads = administration_reads()
        .into_iter()
        .chain([store::assignment::by_id(id)]);
    let (mut write, mut results) = PolicyWrite::lock(tx, clock.now(), reads).await?;
    let (roles, grants) = administration(&mut results)?;
    let Some(assignment) = results.one(store::assignment::read)? else {
        return write.refuse(Problem::not_found("assignment")).await;
    };
    let administration = Administration::of(&roles, &grants);
    if let Err(problem) = assigning::take(&mut write, &administration, &assignment).await {
        return write.refuse(problem).await;
    }
    let revision = write.revision;
    write
        .answer(&command, Answer::of(StatusCode::OK, Written { revision }))
        .await
}

pub(crate) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("iam.assignments.delete")
        .tag("iam")
        .summary("Take a role from a user")
        .description("Refused (409) for the last user who holds `iam:write`.")
        .response::<200, Json<Written>>()
}
