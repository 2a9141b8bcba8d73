//! The known branches.

use stoa_kernel::db::Row;
use stoa_kernel::{DbError, TenantTx, params};
use stoa_types::{BranchId, CustomerId};

/// Reads whether a branch is known here: one row, whether it is archived, or none.
pub(crate) fn find_branch(tx: &mut TenantTx<'_>, id: Option<BranchId>) {
    const SQL: &str = "select archived from customer.branch where id = $1";
    tx.defer(SQL, params![id.map(BranchId::uuid)]);
}

/// As [`find_branch`], the branch of a customer.
pub(crate) fn find_branch_of(tx: &mut TenantTx<'_>, id: CustomerId) {
    const SQL: &str = "select archived from customer.branch
        where id = (select branch_id from customer.customer where id = $1)";
    tx.defer(SQL, params![id.uuid()]);
}

/// Keeps a branch, unless a later version of it is known.
pub(crate) fn keep_branch(tx: &mut TenantTx<'_>, id: BranchId, archived: bool, version: i64) {
    const SQL: &str = "insert into customer.branch (tenant_id, id, archived, version) values ($1, $2, $3, $4)
        on conflict (tenant_id, id) do update set archived = excluded.archived, version = excluded.version
        where branch.version < excluded.version";
    tx.defer(SQL, params![tx.tenant(), id.uuid(), archived, version]);
}

/// Whether the branch in a statement's rows is archived; `None` when it is not known.
pub(crate) fn branch_archived(rows: &[Row]) -> Result<Option<bool>, DbError> {
    rows.first().map(|row| Ok(row.try_get(0)?)).transpose()
}
