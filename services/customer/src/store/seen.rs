//! Which customers a caller sees.

use stoa_contracts::customer::SeenCustomer;
use stoa_kernel::DbError;
use stoa_kernel::db::{Row, Select};
use stoa_types::{BranchId, CustomerId, UserId};
use uuid::Uuid;

/// The customers with these ids, live or archived; rows for [`seen`].
pub(crate) fn see(ids: &[CustomerId]) -> Select {
    let mut select = Select::new(
        "select id, owner_id, branch_id, archived_at is not null from customer.customer where true",
    );
    let ids = select.param(ids.iter().map(|id| id.uuid()).collect::<Vec<Uuid>>());
    select.and(&format!("id = any({ids})"));
    select
}

/// The customers in a statement's rows.
pub(crate) fn seen(rows: &[Row]) -> Result<Vec<SeenCustomer>, DbError> {
    let read = |row: &Row| {
        Ok(SeenCustomer {
            id: CustomerId(row.try_get(0)?),
            owner_id: UserId(row.try_get(1)?),
            branch_id: BranchId(row.try_get(2)?),
            archived: row.try_get(3)?,
        })
    };
    rows.iter().map(read).collect()
}
