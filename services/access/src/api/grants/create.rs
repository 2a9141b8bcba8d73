//! `POST /api/iam/roles/{id}/grants`

use crate::administration::{Administration, covers};
use crate::api::{RolePath, administration, administration_reads};
use crate::assigning::keep_administrable;
use crate::model::{Grant, GrantInput, Saved};
use crate::store::administration::Loss;
use crate::store::{self, Change, PolicyWrite, snapshot};
use crate::{App, SERVICE, WritePolicy};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use stoa_kernel::http::{Created, Json, Path};
use stoa_kernel::idempotency::{Answer, Begun, Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem};
use stoa_policy::{Effect, MAX_GRANTS};
use stoa_types::GrantId;

pub(crate) async fn handler(
    State(app): State<App>,
    mut allowed: Allowed<WritePolicy>,
    Path(RolePath { id: role_id }): Path<RolePath>,
    key: IdempotencyKey,
    Json(body): Json<GrantInput>,
) -> Result<Response, Problem> {
    body.check(&app.context.catalogue.resources)?;
    let clock = &app.context.clock;
    let command = Command::new(
        SERVICE,
        "grant:create",
        key,
        &(role_id, &body),
        &allowed.scope,
        clock,
    )?;
    let tx = match command.begin(&app.context.db.app, &mut allowed.scope).await? {
        Begun::Fresh(tx) => tx,
        Begun::Replay(response) => return Ok(response),
    };
    let reads = administration_reads().into_iter().chain([store::grant::count()]);
    let (mut write, mut results) = PolicyWrite::lock(tx, clock.now(), reads).await?;
    let (roles, mut grants) = administration(&mut results)?;
    let count = results.one(|row| Ok(row.try_get::<_, i64>(0)?))?.unwrap_or(0);
    if !roles.iter().any(|role| role.id == role_id) {
        return write.refuse(Problem::not_found("role")).await;
    }
    if usize::try_from(count).unwrap_or(usize::MAX) >= MAX_GRANTS {
        let detail = format!("a tenant has at most {MAX_GRANTS} grants; delete some first");
        return write
            .refuse(Problem::conflict("iam.too_many_grants", detail))
            .await;
    }
    let grant = Grant {
        id: GrantId::new(),
        role_id,
        permission: body.permission,
        effect: body.effect,
        scope: body.scope,
        condition: body.condition,
        created_at: write.now,
        created_by: write.actor.clone(),
    };
    if grant.effect == Effect::Deny && covers(&grant.permission) {
        grants.push(grant.clone());
        let after = Administration::of(&roles, &grants);
        if let Err(problem) = keep_administrable(&mut write, &after, Loss::default()).await {
            return write.refuse(problem).await;
        }
    }
    write.change(store::grant::insert(write.tenant(), &grant));
    write.record(Change {
        kind: "grant.created",
        entity: Some(grant.id.uuid()),
        user: None,
        before: None,
        after: snapshot(&grant),
    });
    let location = format!("/api/iam/roles/{role_id}/grants/{}", grant.id);
    let saved = Saved {
        revision: write.revision,
        record: grant,
    };
    write.answer(&command, Answer::created(location, 1, saved)).await
}

pub(crate) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("iam.grants.create")
        .tag("iam")
        .summary("Grant (or deny) a permission to a role")
        .description(
            "A denial wins over every grant. A denial of `iam:write` that nobody would be exempt from is refused (409).",
        )
        .response::<201, Created<Saved<Grant>>>()
}
