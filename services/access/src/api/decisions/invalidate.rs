//! `POST /api/iam/cache/invalidate`

use crate::model::Written;
use crate::store::{Change, PolicyWrite};
use crate::{App, SERVICE, WritePolicy};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use stoa_kernel::http::Json;
use stoa_kernel::idempotency::{Answer, Begun, Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem};

pub(crate) async fn handler(
    State(app): State<App>,
    mut allowed: Allowed<WritePolicy>,
    key: IdempotencyKey,
) -> Result<Response, Problem> {
    let clock = &app.context.clock;
    let command = Command::new(SERVICE, "cache:invalidate", key, &(), &allowed.scope, clock)?;
    let tx = match command.begin(&app.context.db.app, &mut allowed.scope).await? {
        Begun::Fresh(tx) => tx,
        Begun::Replay(response) => return Ok(response),
    };
    let (mut write, _) = PolicyWrite::lock(tx, clock.now(), []).await?;
    write.record(Change {
        kind: "cache.invalidated",
        entity: None,
        user: None,
        before: None,
        after: None,
    });
    let answer = Answer::of(
        StatusCode::OK,
        Written {
            revision: write.revision,
        },
    );
    let response = write.answer(&command, answer).await?;
    // Other processes reload the tenant when its change reaches them; this one does at once.
    app.context.decisions.drop_everything();
    Ok(response)
}

pub(crate) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("iam.cache.invalidate")
        .tag("iam")
        .summary("Make every process load the tenant's policy again")
        .description("Never needed after a change through this API, which every process follows by itself.")
        .response::<200, Json<Written>>()
}
