//! `GET /api/organizations/{id}/branches`

use crate::model::Branch;
use crate::{App, ReadBranches, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;
use stoa_kernel::db::Select;
use stoa_kernel::http::{Json, ListQuery, Path, Query};
use stoa_kernel::{Allowed, Problem};
use stoa_types::{OrganizationId, Page};

/// What to list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Parameters {
    /// Items per page, 1 to 100; 50 unless given.
    limit: Option<u32>,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
    /// `name` (default) or `createdAt`, with `-` in front for descending.
    sort: Option<String>,
    /// The archived ones instead of the live ones.
    #[serde(default)]
    archived: bool,
}

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("listBranches")
        .tag(super::TAG)
        .summary("List the branches of an organisation")
        .description("All levels; `path` says where each one is.")
}

pub(super) async fn handle(
    mut allowed: Allowed<ReadBranches>,
    State(app): State<App>,
    Path(organization): Path<OrganizationId>,
    Query(Parameters {
        limit,
        cursor,
        sort,
        archived,
    }): Query<Parameters>,
) -> Result<Json<Page<Branch>>, Problem> {
    let plan = ListQuery { limit, cursor, sort }.plan(store::BRANCH_SORT)?;
    let mut select = Select::new(if archived {
        store::ARCHIVED_BRANCHES
    } else {
        store::LIVE_BRANCHES
    });
    let param = select.param(organization.uuid());
    select.and(&format!("organization_id = {param}"));
    select.and_rows(&allowed.rows(None), &Branch::schema());
    plan.finish(&mut select);

    let mut tx = app.db.begin(&mut allowed.scope);
    store::find_organization(&mut tx, organization);
    select.defer(&mut tx);
    let rows = tx.commit().await?;
    let [organization, branches, ..] = rows.as_slice() else {
        return Err(store::missing_result().into());
    };
    if store::organization(organization)?.is_none() {
        return Err(Problem::not_found("organization"));
    }
    Ok(Json(plan.page(store::branches(branches)?, |branch| {
        (store::branch_sort_value(plan.key, branch), branch.id.uuid())
    })))
}
