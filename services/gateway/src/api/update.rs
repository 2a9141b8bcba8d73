//! `PUT /api/admin/routes/{id}`

use super::{State, WriteQuery, actor, begin_change};
use crate::model::{Route, RouteSpec};
use crate::store::{self, Change};
use crate::{WriteRoutes, error};
use aide::transform::TransformOperation;
use axum::extract;
use stoa_kernel::http::{IfMatch, Json, Path, Query, Versioned};
use stoa_kernel::{Allowed, Problem};
use uuid::Uuid;

pub(super) fn describe(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("replaceRoute")
        .summary("Replace a route")
        .description(
            "The new route is in force in every gateway within milliseconds; no request fails meanwhile.",
        )
        .tag("Routes")
}

pub(super) async fn update(
    extract::State(state): extract::State<State>,
    mut allowed: Allowed<WriteRoutes>,
    Path(id): Path<Uuid>,
    if_match: IfMatch,
    Query(query): Query<WriteQuery>,
    Json(spec): Json<RouteSpec>,
) -> Result<Versioned<Route>, Problem> {
    let scope = &mut allowed.scope;
    state.check(scope, &spec, query.force).await?;
    let actor = actor(scope);
    let (mut tx, revision, before) = begin_change(&state.db.app, scope, id, if_match).await?;
    let route = Route {
        spec,
        updated_at: state.clock.now(),
        updated_by: actor.clone(),
        version: before.version + 1,
        ..before.clone()
    };
    store::put(&mut tx, &route);
    let change = Change {
        revision,
        route: id,
        before: Some(&before),
        after: Some(&route),
        at: route.updated_at,
        actor: &actor,
    };
    store::record(&mut tx, &change);
    store::notify(&mut tx);
    tx.commit().await.map_err(error::of_db)?;
    Ok(Versioned {
        version: route.version,
        body: route,
    })
}
