//! `POST /api/iam/roles`

use crate::model::{Role, RoleInput, Saved};
use crate::store::{self, Change, PolicyWrite, snapshot};
use crate::{App, SERVICE, WritePolicy};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use stoa_kernel::http::{Created, Json};
use stoa_kernel::idempotency::{Answer, Begun, Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem};
use stoa_types::RoleId;

pub(crate) async fn handler(
    State(app): State<App>,
    mut allowed: Allowed<WritePolicy>,
    key: IdempotencyKey,
    Json(body): Json<RoleInput>,
) -> Result<Response, Problem> {
    body.check()?;
    let clock = &app.context.clock;
    let command = Command::new(SERVICE, "role:create", key, &body, &allowed.scope, clock)?;
    let tx = match command.begin(&app.context.db.app, &mut allowed.scope).await? {
        Begun::Fresh(tx) => tx,
        Begun::Replay(response) => return Ok(response),
    };
    let (mut write, mut results) = PolicyWrite::lock(tx, clock.now(), [store::role::all()]).await?;
    let id = RoleId::new();
    if let Err(problem) = body.check_among(id, &results.all(store::role::read)?) {
        return write.refuse(problem).await;
    }
    let role = Role {
        id,
        name: body.name,
        description: body.description,
        parents: body.parents,
        version: 1,
        created_at: write.now,
        created_by: write.actor.clone(),
        updated_at: write.now,
        updated_by: write.actor.clone(),
    };
    write.change(store::role::insert(write.tenant(), &role));
    write.change(store::role::add_parents(write.tenant(), &role));
    write.record(Change {
        kind: "role.created",
        entity: Some(id.uuid()),
        user: None,
        before: None,
        after: snapshot(&role),
    });
    let saved = Saved {
        revision: write.revision,
        record: role,
    };
    let location = format!("/api/iam/roles/{id}");
    write.answer(&command, Answer::created(location, 1, saved)).await
}

pub(crate) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("iam.roles.create")
        .tag("iam")
        .summary("Create a role")
        .description(
            "A role inherits every grant of its parents. A circle is refused, naming the roles on it.",
        )
        .response::<201, Created<Saved<Role>>>()
}
