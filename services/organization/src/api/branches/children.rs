//! `GET /api/branches/{id}/children`

use crate::model::Branch;
use crate::{App, ReadBranches, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use stoa_kernel::db::Select;
use stoa_kernel::http::{Json, ListQuery, Path, Query};
use stoa_kernel::{Allowed, Problem};
use stoa_types::{BranchId, Page};

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("listChildBranches")
        .tag(super::TAG)
        .summary("List the live branches directly below a branch")
        .description("Sorted by `name` (default) or `-name`. An unknown branch has none.")
}

pub(super) async fn handle(
    mut allowed: Allowed<ReadBranches>,
    State(app): State<App>,
    Path(parent): Path<BranchId>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Branch>>, Problem> {
    let plan = query.plan(store::CHILD_SORT)?;
    let mut select = Select::new(store::LIVE_BRANCHES);
    let parent = select.param(parent.uuid());
    select.and(&format!("parent_id = {parent}"));
    select.and_rows(&allowed.rows(None), &Branch::schema());
    plan.finish(&mut select);
    let rows = select.read(app.db.begin(&mut allowed.scope)).await?;
    Ok(Json(plan.page(store::branches(&rows)?, |branch| {
        (store::branch_sort_value(plan.key, branch), branch.id.uuid())
    })))
}
