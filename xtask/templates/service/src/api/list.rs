//! `GET /api/__resources__`

use crate::model::{__Resource__, SCHEMA};
use crate::{App, Read__Resources__, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;
use stoa_kernel::db::Select;
use stoa_kernel::http::{Json, ListQuery, Query};
use stoa_kernel::{Allowed, Problem};
use stoa_types::Page;

/// What to list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Parameters {
    /// Items per page, 1 to 100; 50 unless given.
    limit: Option<u32>,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
    /// `name` (default), `createdAt` or `updatedAt`, with `-` in front for descending.
    sort: Option<String>,
    /// The archived ones instead of the live ones.
    #[serde(default)]
    archived: bool,
}

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("list__Resources__").tag(super::TAG).summary("List __resources__")
}

pub(super) async fn handle(
    mut allowed: Allowed<Read__Resources__>,
    State(app): State<App>,
    Query(parameters): Query<Parameters>,
) -> Result<Json<Page<__Resource__>>, Problem> {
    let Parameters { limit, cursor, sort, archived } = parameters;
    let plan = ListQuery { limit, cursor, sort }.plan(store::SORT)?;
    let mut select = Select::new(if archived { store::ARCHIVED } else { store::LIVE });
    select.and_rows(&allowed.rows(None), &SCHEMA);
    plan.finish(&mut select);
    let rows = select.read(app.db.begin(&mut allowed.scope)).await?;
    Ok(Json(plan.page(store::all(&rows)?, |__resource__| {
        (store::sort_value(plan.key, __resource__), __resource__.id.uuid())
    })))
}
