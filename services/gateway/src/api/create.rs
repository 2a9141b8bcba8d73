//! `POST /api/admin/routes`

use super::{State, WriteQuery, actor};
use crate::model::{MAX_ROUTES, Origin, Route, RouteSpec};
use crate::store::{self, Change};
use crate::{SERVICE, WriteRoutes, error};
use aide::transform::TransformOperation;
use axum::extract;
use axum::response::Response;
use stoa_kernel::http::{Created, Json, Query};
use stoa_kernel::idempotency::{Answer, Begun, Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem};

pub(super) fn describe(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("createRoute")
        .summary("Add a route")
        .description(
            "Publishes a route for this tenant's callers; every gateway has it within milliseconds. Paths of the \
             platform's own routes are taken over only with `force=true`. A path needs an endpoint rule too: without \
             one it is denied.",
        )
        .tag("Routes")
        .response::<201, Created<Route>>()
}

pub(super) async fn create(
    extract::State(state): extract::State<State>,
    mut allowed: Allowed<WriteRoutes>,
    key: IdempotencyKey,
    Query(query): Query<WriteQuery>,
    Json(spec): Json<RouteSpec>,
) -> Result<Response, Problem> {
    let scope = &mut allowed.scope;
    state.check(scope, &spec, query.force).await?;
    let actor = actor(scope);
    let command = Command::new(SERVICE, "routes:create", key, &spec, scope, &state.clock)?;
    let mut tx = match command.begin(&state.db.app, scope).await? {
        Begun::Fresh(tx) => tx,
        Begun::Replay(response) => return Ok(response),
    };
    let (revision, routes) = store::open(&mut tx).await?;
    if routes >= MAX_ROUTES {
        tx.rollback().await;
        return Err(error::too_many_routes());
    }
    let now = state.clock.now();
    let route = Route {
        id: stoa_types::new_id(),
        spec,
        origin: Origin::Custom,
        created_at: now,
        created_by: actor.clone(),
        updated_at: now,
        updated_by: actor.clone(),
        version: 1,
    };
    store::put(&mut tx, &route);
    let change = Change {
        revision,
        route: route.id,
        before: None,
        after: Some(&route),
        at: now,
        actor: &actor,
    };
    store::record(&mut tx, &change);
    store::notify(&mut tx);
    let answer = Answer::created(format!("/api/admin/routes/{}", route.id), route.version, &route);
    command.commit(tx, answer).await.map_err(error::of_db)
}
