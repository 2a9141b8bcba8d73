//! `PUT /api/iam/users/{id}/branch`

use super::{check_branch, check_user};
use crate::api::UserPath;
use crate::model::{HomeBranch, Saved};
use crate::store::{self, Change, PolicyWrite};
use crate::{App, SERVICE, WritePolicy};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde_json::json;
use stoa_kernel::http::{Json, Path};
use stoa_kernel::idempotency::{Answer, Begun, Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem};

pub(crate) async fn handler(
    State(app): State<App>,
    mut allowed: Allowed<WritePolicy>,
    Path(UserPath { id }): Path<UserPath>,
    key: IdempotencyKey,
    Json(body): Json<HomeBranch>,
) -> Result<Response, Problem> {
    check_user(&app, &mut allowed.scope, id).await?;
    if let Some(branch) = body.branch_id {
        check_branch(&app, &mut allowed.scope, branch).await?;
    }
    let clock = &app.context.clock;
    let command = Command::new(SERVICE, "subject:move", key, &(id, &body), &allowed.scope, clock)?;
    let tx = match command.begin(&app.context.db.app, &mut allowed.scope).await? {
        Begun::Fresh(tx) => tx,
        Begun::Replay(response) => return Ok(response),
    };
    let (mut write, mut results) = PolicyWrite::lock(tx, clock.now(), [store::assignment::home(id)]).await?;
    let before = results.one(store::assignment::read_home)?.flatten();
    let set = store::assignment::set_home(write.tenant(), id, body.branch_id, write.now, &write.actor);
    write.change(set);
    write.record(Change {
        kind: "subject.moved",
        entity: Some(id.uuid()),
        user: Some(id),
        before: Some(json!({"branchId": before})),
        after: Some(json!({"branchId": body.branch_id})),
    });
    let saved = Saved {
        revision: write.revision,
        record: body,
    };
    write.answer(&command, Answer::of(StatusCode::OK, saved)).await
}

pub(crate) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("iam.users.setBranch")
        .tag("iam")
        .summary("Set a user's home branch")
        .description(
            "The scope `branch` means this branch, `branchAndBelow` every branch below it too, and `organization` every \
             branch of its organization.",
        )
        .response::<200, Json<Saved<HomeBranch>>>()
}
