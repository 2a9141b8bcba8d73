//! `DELETE /api/iam/roles/{id}/grants/{grantId}`

use crate::administration::{Administration, covers};
use crate::api::{GrantPath, administration, administration_reads};
use crate::assigning::keep_administrable;
use crate::model::Written;
use crate::store::administration::Loss;
use crate::store::{self, Change, PolicyWrite, snapshot};
use crate::{App, SERVICE, WritePolicy};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use stoa_kernel::http::{Json, Path};
use stoa_kernel::idempotency::{Answer, Begun, Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem};
use stoa_policy::Effect;

pub(crate) async fn handler(
    State(app): State<App>,
    mut allowed: Allowed<WritePolicy>,
    Path(path): Path<GrantPath>,
    key: IdempotencyKey,
) -> Result<Response, Problem> {
    let clock = &app.context.clock;
    let ids = (path.id, path.grant);
    let command = Command::new(SERVICE, "grant:delete", key, &ids, &allowed.scope, clock)?;
    let tx = match command.begin(&app.context.db.app, &mut allowed.scope).await? {
        Begun::Fresh(tx) => tx,
        Begun::Replay(response) => return Ok(response),
    };
    let reads = administration_reads()
        .into_iter()
        .chain([store::grant::by_id(path.id, path.grant)]);
    let (mut write, mut results) = PolicyWrite::lock(tx, clock.now(), reads).await?;
    let (roles, mut grants) = administration(&mut results)?;
    let Some(grant) = results.one(store::grant::read)? else {
        return write.refuse(Problem::not_found("grant")).await;
    };
    if grant.effect == Effect::Allow && covers(&grant.permission) {
        grants.retain(|other| other.id != grant.id);
        let after = Administration::of(&roles, &grants);
        if let Err(problem) = keep_administrable(&mut write, &after, Loss::default()).await {
            return write.refuse(problem).await;
        }
    }
    write.change(store::grant::delete(grant.id));
    write.record(Change {
        kind: "grant.deleted",
        entity: Some(grant.id.uuid()),
        user: None,
        before: snapshot(&grant),
        after: None,
    });
    let revision = write.revision;
    write
        .answer(&command, Answer::of(StatusCode::OK, Written { revision }))
        .await
}

pub(crate) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("iam.grants.delete")
        .tag("iam")
        .summary("Take a grant from a role")
        .description("Refused (409) when nobody would be left who holds `iam:write`.")
        .response::<200, Json<Written>>()
}
