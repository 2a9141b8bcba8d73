//! `DELETE /api/admin/routes/{id}`

use super::{State, actor, begin_change};
use crate::WriteRoutes;
use crate::store::{self, Change};
use aide::axum::IntoApiResponse;
use aide::transform::TransformOperation;
use axum::extract;
use http::StatusCode;
use stoa_kernel::http::{IfMatch, Path};
use stoa_kernel::{Allowed, Problem};
use uuid::Uuid;

pub(super) fn describe(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("deleteRoute")
        .summary("Remove a route")
        .description("`POST /api/admin/routes/rollback` brings it back.")
        .tag("Routes")
        .response_with::<204, (), _>(|response| response.description("Removed"))
}

pub(super) async fn delete(
    extract::State(state): extract::State<State>,
    mut allowed: Allowed<WriteRoutes>,
    Path(id): Path<Uuid>,
    if_match: IfMatch,
) -> Result<impl IntoApiResponse, Problem> {
    let scope = &mut allowed.scope;
    let actor = actor(scope);
    let (mut tx, revision, before) = begin_change(&state.db.app, scope, id, if_match).await?;
    store::delete(&mut tx, id);
    let change = Change {
        revision,
        route: id,
        before: Some(&before),
        after: None,
        at: state.clock.now(),
        actor: &actor,
    };
    store::record(&mut tx, &change);
    store::notify(&mut tx);
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
