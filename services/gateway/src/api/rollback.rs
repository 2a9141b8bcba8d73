//! `POST /api/admin/routes/rollback`

use super::{State, actor};
use crate::model::Route;
use crate::store::{self, Change};
use crate::{SERVICE, WriteRoutes, error};
use aide::transform::TransformOperation;
use axum::extract;
use axum::response::Response;
use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stoa_kernel::http::Json;
use stoa_kernel::idempotency::{Answer, Begun, Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem};

/// How far to go back.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Rollback {
    /// The revision to be back at; 0 is before the first route. The one before the last change unless given.
    #[serde(default)]
    to_revision: Option<i64>,
}

/// What a rollback did.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RolledBack {
    /// The revision that holds now; it can be rolled back too.
    revision: i64,
    /// The revision whose routes hold again.
    restored: i64,
    /// How many routes changed.
    changed: usize,
}

pub(super) fn describe(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("rollBackRoutes")
        .summary("Undo changes of routes")
        .description("Restores all routes of the tenant as they were at a revision, removed ones included.")
        .tag("Routes")
        .response::<200, Json<RolledBack>>()
}

pub(super) async fn rollback(
    extract::State(state): extract::State<State>,
    mut allowed: Allowed<WriteRoutes>,
    key: IdempotencyKey,
    Json(body): Json<Rollback>,
) -> Result<Response, Problem> {
    let scope = &mut allowed.scope;
    let actor = actor(scope);
    let command = Command::new(SERVICE, "routes:rollback", key, &body, scope, &state.clock)?;
    let mut tx = match command.begin(&state.db.app, scope).await? {
        Begun::Fresh(tx) => tx,
        Begun::Replay(response) => return Ok(response),
    };
    let (revision, _) = store::open(&mut tx).await?;
    let current = revision - 1;
    let restored = body.to_revision.unwrap_or(current - 1);
    if restored < 0 || restored >= current {
        tx.rollback().await;
        return Err(error::no_revision(restored, current));
    }
    let undo = store::undo(&mut tx, restored).await?;
    let now = state.clock.now();
    for route in &undo {
        let after = route.then.as_ref().map(|then| Route {
            // Versions only rise, so that an ETag never names two states.
            version: route.version + 1,
            updated_at: now,
            updated_by: actor.clone(),
            ..then.clone()
        });
        match &after {
            Some(after) => store::put(&mut tx, after),
            None => store::delete(&mut tx, route.id),
        }
        let change = Change {
            revision,
            route: route.id,
            before: route.now.as_ref(),
            after: after.as_ref(),
            at: now,
            actor: &actor,
        };
        store::record(&mut tx, &change);
    }
    store::notify(&mut tx);
    let done = RolledBack {
        revision,
        restored,
        changed: undo.len(),
    };
    let answer = Answer::of(StatusCode::OK, done);
    command.commit(tx, answer).await.map_err(error::of_db)
}
