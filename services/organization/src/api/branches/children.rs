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
        .description("Sorted by `name` (default) or `-name`.")
}

pub(super) async fn handle(
    mut allowed: Allowed<ReadBranches>,
    State(app): State<App>,
    Path(parent): Path<BranchId>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Branch>>, Problem> {
    let plan = query.plan(store::CHILD_SORT)?;
    let mut select = Select::new(store::LIVE_BRANCHES);
    let above = select.param(parent.uuid());
    select.and(&format!("parent_id = {above}"));
    select.and_rows(&allowed.rows(None), &Branch::schema());
    plan.finish(&mut select);

    // Both in one flush; what is read below an invisible branch goes no further.
    let mut tx = app.db.begin(&mut allowed.scope);
    store::find_branch(&mut tx, Some(parent));
    select.defer(&mut tx);
    let rows = tx.commit().await?;
    let [above, children, ..] = rows.as_slice() else {
        return Err(store::missing_result().into());
    };
    let above = store::branch(above)?.filter(|branch| !branch.record.is_archived());
    let above = above.ok_or_else(|| Problem::not_found(super::WHAT))?;
    allowed.on::<ReadBranches>(&above, super::WHAT)?;
    Ok(Json(plan.page(store::branches(children)?, |branch| {
        (store::branch_sort_value(plan.key, branch), branch.id.uuid())
    })))
}
