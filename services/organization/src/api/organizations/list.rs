//! `GET /api/organizations`

use crate::model::Organization;
use crate::{App, ReadOrganizations, store};
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
    op.id("listOrganizations")
        .tag(super::TAG)
        .summary("List organisations")
}

pub(super) async fn handle(
    mut allowed: Allowed<ReadOrganizations>,
    State(app): State<App>,
    Query(Parameters {
        limit,
        cursor,
        sort,
        archived,
    }): Query<Parameters>,
) -> Result<Json<Page<Organization>>, Problem> {
    let plan = ListQuery { limit, cursor, sort }.plan(store::ORGANIZATION_SORT)?;
    let mut select = Select::new(if archived {
        store::ARCHIVED_ORGANIZATIONS
    } else {
        store::LIVE_ORGANIZATIONS
    });
    select.and_rows(&allowed.rows(None), &Organization::schema());
    plan.finish(&mut select);
    let rows = select.read(app.db.begin(&mut allowed.scope)).await?;
    Ok(Json(plan.page(store::organizations(&rows)?, |organization| {
        (
            store::organization_sort_value(plan.key, organization),
            organization.id.uuid(),
        )
    })))
}
