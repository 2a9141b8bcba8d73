//! `POST /api/iam/assignments`

use super::{check_branch, check_user};
use crate::administration::Administration;
use crate::api::{administration, administration_reads};
use crate::error::{already_assigned, unknown_role};
use crate::model::{Assignment, AssignmentInput, Saved};
use crate::store::{self, PolicyWrite};
use crate::{App, SERVICE, WritePolicy, assigning};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use stoa_kernel::http::{Created, Json};
use stoa_kernel::idempotency::{Answer, Begun, Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem};
use stoa_types::AssignmentId;

pub(crate) async fn handler(
    State(app): State<App>,
    mut allowed: Allowed<WritePolicy>,
    key: IdempotencyKey,
    Json(body): Json<AssignmentInput>,
) -> Result<Response, Problem> {
    body.check()?;
    check_user(&app, &mut allowed.scope, body.user_id).await?;
    if let Some(branch) = body.branch_id {
        check_branch(&app, &mut allowed.scope, branch).await?;
    }
    let clock = &app.context.clock;
    let command = Command::new(SERVICE, "assignment:create", key, &body, &allowed.scope, clock)?;
    let tx = match command.begin(&app.context.db.app, &mut allowed.scope).await? {
        Begun::Fresh(tx) => tx,
        Begun::Replay(response) => return Ok(response),
    };
    let reads = administration_reads().into_iter().chain([
        store::assignment::of_user_and_role(body.user_id, body.role_id),
        store::assignment::home(body.user_id),
    ]);
    let (mut write, mut results) = PolicyWrite::lock(tx, clock.now(), reads).await?;
    let (roles, grants) = administration(&mut results)?;
    let held = results.one(store::assignment::read)?;
    let home = results.one(store::assignment::read_home)?.flatten();
    let Some(role) = roles.iter().find(|role| role.id == body.role_id) else {
        return write.refuse(unknown_role("/roleId")).await;
    };
    if held.is_some() {
        return write.refuse(already_assigned()).await;
    }
    let assignment = Assignment {
        id: AssignmentId::new(),
        user_id: body.user_id,
        role_id: role.id,
        role: role.name.clone(),
        valid_from: body.valid_from,
        valid_until: body.valid_until,
        branch_id: body.branch_id.or(home),
        created_at: write.now,
        created_by: write.actor.clone(),
    };
    let administration = Administration::of(&roles, &grants);
    if let Err(problem) = assigning::give(&mut write, &administration, &assignment, home).await {
        return write.refuse(problem).await;
    }
    let location = format!("/api/iam/assignments/{}", assignment.id);
    let saved = Saved {
        revision: write.revision,
        record: assignment,
    };
    write.answer(&command, Answer::created(location, 1, saved)).await
}

pub(crate) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("iam.assignments.create")
        .tag("iam")
        .summary("Give a user a role")
        .description(
            "With `validFrom` and `validUntil` it holds for that time only. `branchId` becomes the user's home \
             branch, from which the scopes `branch`, `branchAndBelow` and `organization` are measured.",
        )
        .response::<201, Created<Saved<Assignment>>>()
}
