//! What operations could not do.

use crate::import::OperationError;
use crate::import::rows::Fault;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use stoa_kernel::db::Row;
use stoa_kernel::http::SortKey;
use stoa_kernel::{DbError, TenantTx, params};
use stoa_types::{CustomerId, OperationId};
use uuid::Uuid;

/// Rows for [`errors`]. Lists break ties by `id`; within an operation the position has none.
pub(crate) const ERRORS: &str = "select position, customer_id, faults, cells
    from (select operation, operation as id, position, customer_id, faults, cells from customer.operation_error) e
    where true";

/// What errors can be sorted by.
pub(crate) const ERROR_SORT: &[SortKey] = &[SortKey {
    field: "row",
    column: "position",
    sql_type: "bigint",
}];

/// Something that an operation could not do.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Failure {
    pub(crate) position: i64,
    pub(crate) customer_id: Option<CustomerId>,
    pub(crate) faults: Vec<Fault>,
    pub(crate) cells: Option<Vec<String>>,
}

/// Keeps the failures of a batch.
///
/// # Errors
/// When they cannot be serialised, which is a defect.
pub(crate) fn add_errors(
    tx: &mut TenantTx<'_>,
    operation: OperationId,
    failures: &[Failure],
    now: Timestamp,
) -> Result<(), DbError> {
    if failures.is_empty() {
        return Ok(());
    }
    let rows = serde_json::to_value(failures).map_err(|e| DbError::Unexpected(e.to_string()))?;
    tx.defer(
        "insert into customer.operation_error (tenant_id, operation, position, customer_id, faults, cells, created_at)
         select $1, $2, r.position, r.customer_id, r.faults, r.cells, $4
         from jsonb_to_recordset($3) as r(position bigint, customer_id uuid, faults jsonb, cells text[])
         on conflict (tenant_id, operation, position) do nothing",
        params![tx.tenant(), operation.uuid(), rows, now],
    );
    Ok(())
}

/// The errors in a statement's rows.
pub(crate) fn errors(rows: &[Row]) -> Result<Vec<OperationError>, DbError> {
    rows.iter().map(read_error).collect()
}

fn read_error(row: &Row) -> Result<OperationError, DbError> {
    let faults: Value = row.try_get(2)?;
    let faults: Vec<Fault> = serde_json::from_value(faults)
        .map_err(|e| DbError::Unexpected(format!("an operation's error: {e}")))?;
    Ok(OperationError {
        row: row.try_get(0)?,
        customer_id: row.try_get::<_, Option<Uuid>>(1)?.map(CustomerId),
        faults,
        cells: row.try_get(3)?,
    })
}
