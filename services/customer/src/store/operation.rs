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

/// The most failures that are kept of an operation, and the bytes of their texts; later ones are only counted.
pub(crate) const MAX_KEPT: i64 = 100_000;
const MAX_KEPT_BYTES: i64 = 64 << 20;

/// Lists break ties by `id`; within an operation the position has none.
macro_rules! errors {
    ($cells:literal) => {
        concat!(
            "select position, customer_id, faults, ",
            $cells,
            " from (select operation, operation as id, position, customer_id, faults, cells
                from customer.operation_error) e
              where true"
        )
    };
}

/// Rows for [`errors`].
pub(crate) const WHOLE_ERRORS: &str = errors!("cells");

/// Rows for [`errors`] with cells that are cut as [`shown`](crate::import::rows::shown) cuts them: as they are, a page
/// could have 100 MiB.
pub(crate) const ERRORS: &str = errors!(
    "(select array_agg(case when char_length(cell) > 200 then left(cell, 199) || '…' else cell end order by n)
      from unnest(cells) with ordinality c (cell, n))"
);

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

impl Failure {
    /// The size of its texts.
    fn bytes(&self) -> i64 {
        let cells = self.cells.iter().flatten().map(String::len);
        let faults = self.faults.iter();
        let faults = faults.map(|f| f.column.as_ref().map_or(0, String::len) + f.rule.len() + f.detail.len());
        i64::try_from(cells.chain(faults).sum::<usize>()).unwrap_or(i64::MAX)
    }
}

/// The failures of a batch that are kept when `failed` have failed before, of which `bytes` are kept; adds to these.
pub(crate) fn to_keep<'f>(failures: &'f [Failure], failed: i64, bytes: &mut i64) -> &'f [Failure] {
    let room = usize::try_from(MAX_KEPT - failed).unwrap_or(0);
    let fits = |failure: &&Failure| {
        let fits = *bytes < MAX_KEPT_BYTES;
        *bytes = bytes.saturating_add(if fits { failure.bytes() } else { 0 });
        fits
    };
    let kept = failures.iter().take(room).take_while(fits).count();
    failures.split_at(kept).0
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

#[cfg(test)]
mod tests {
    use super::*;

    // covers: CRM-09
    #[test]
    fn the_errors_that_are_kept_are_bounded_in_number_and_in_bytes() {
        let failure = |size: usize| Failure {
            position: 2,
            customer_id: None,
            faults: vec![Fault::of_row("x", "y")],
            cells: Some(vec!["c".repeat(size)]),
        };
        let small = vec![failure(8); 10];
        let mut bytes = 0;
        assert_eq!(to_keep(&small, 0, &mut bytes).len(), 10);
        assert_eq!(bytes, 100);
        assert_eq!(to_keep(&small, MAX_KEPT - 3, &mut bytes).len(), 3);
        assert_eq!(to_keep(&small, MAX_KEPT + 3, &mut bytes).len(), 0);
        let (large, mut bytes, mut kept) = (vec![failure(1 << 20); 10], 0, 0);
        for batch in 0..20 {
            kept += to_keep(&large, batch * 10, &mut bytes).len();
        }
        assert_eq!(kept, 64, "a mebibyte each");
        assert_eq!(to_keep(&small, 200, &mut bytes).len(), 0);
    }
}
