//! Which branches are known.

use stoa_kernel::db::Row;
use stoa_kernel::{DbError, TenantTx, params};
use stoa_types::BranchId;

/// Reads whether a branch is known here: one row, whether it is archived, or none.
pub(crate) fn find_branch(tx: &mut TenantTx<'_>, id: Option<BranchId>) {
    const SQL: &str = "select archived from contact.branch where id = $1";
    tx.defer(SQL, params![id.map(BranchId::uuid)]);
}

/// Keeps a branch, unless a later version of it is known.
pub(crate) fn keep_branch(tx: &mut TenantTx<'_>, id: BranchId, archived: bool, version: i64) {
    const SQL: &str = "insert into contact.branch (tenant_id, id, archived, version) values ($1, $2, $3, $4)
        on conflict (tenant_id, id) do update set archived = excluded.archived, version = excluded.version
        where branch.version < excluded.version";
    tx.defer(SQL, params![tx.tenant(), id.uuid(), archived, version]);
}

/// Whether the branch in a statement's rows is archived; `None` when it is not known.
pub(crate) fn branch_archived(rows: &[Row]) -> Result<Option<bool>, DbError> {
    rows.first().map(|row| Ok(row.try_get(0)?)).transpose()
}
