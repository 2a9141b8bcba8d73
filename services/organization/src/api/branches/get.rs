//! `GET /api/branches/{id}`

use crate::model::Branch;
use crate::{App, ReadBranches, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use stoa_kernel::db::Select;
use stoa_kernel::http::{Conditional, IfNoneMatch, Path};
use stoa_kernel::{Allowed, Problem};
use stoa_types::BranchId;

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("getBranch").tag(super::TAG).summary("Read a branch")
}

pub(super) async fn handle(
    mut allowed: Allowed<ReadBranches>,
    State(app): State<App>,
    Path(id): Path<BranchId>,
    known: IfNoneMatch,
) -> Result<Conditional<Branch>, Problem> {
    let mut select = Select::new(store::LIVE_BRANCHES);
    let id = select.param(id.uuid());
    select.and(&format!("id = {id}"));
    select.and_rows(&allowed.rows(None), &Branch::schema());
    let rows = select.read(app.db.begin(&mut allowed.scope)).await?;
    let branch = store::branch(&rows)?.ok_or_else(|| Problem::not_found(super::WHAT))?;
    Ok(known.answer(branch.record.version, branch))
}
