//! `DELETE /api/iam/endpoint-rules/{id}`

use crate::api::RulePath;
use crate::model::Written;
use crate::store::{self, Change, PolicyWrite, snapshot};
use crate::{App, SERVICE, WritePolicy};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use stoa_kernel::http::{IfMatch, Json, Path};
use stoa_kernel::idempotency::{Answer, Begun, Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem};

pub(crate) async fn handler(
    State(app): State<App>,
    mut allowed: Allowed<WritePolicy>,
    Path(RulePath { id }): Path<RulePath>,
    if_match: IfMatch,
    key: IdempotencyKey,
) -> Result<Response, Problem> {
    let clock = &app.context.clock;
    let command = Command::new(SERVICE, "rule:delete", key, &id, &allowed.scope, clock)?;
    let tx = match command.begin(&app.context.db.app, &mut allowed.scope).await? {
        Begun::Fresh(tx) => tx,
        Begun::Replay(response) => return Ok(response),
    };
    let (mut write, mut results) = PolicyWrite::lock(tx, clock.now(), [store::endpoint::by_id(id)]).await?;
    let Some(rule) = results.one(store::endpoint::read)? else {
        return write.refuse(Problem::not_found("endpoint rule")).await;
    };
    if let Err(problem) = if_match.check(rule.version) {
        return write.refuse(problem).await;
    }
    write.change(store::endpoint::delete(id));
    write.record(Change {
        kind: "endpoint_rule.deleted",
        entity: Some(id.uuid()),
        user: None,
        before: snapshot(&rule),
        after: None,
    });
    let revision = write.revision;
    write
        .answer(&command, Answer::of(StatusCode::OK, Written { revision }))
        .await
}

pub(crate) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("iam.endpointRules.delete")
        .tag("iam")
        .summary("Delete an endpoint rule of the tenant")
        .description("What the platform asks for the endpoint holds again.")
        .response::<200, Json<Written>>()
}
