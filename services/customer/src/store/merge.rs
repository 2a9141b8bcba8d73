//! Merges.

use crate::model::{Merge, Merged, Taken};
use serde_json::Value;
use std::collections::BTreeMap;
use stoa_kernel::db::Row;
use stoa_kernel::http::SortKey;
use stoa_kernel::{DbError, TenantTx, params};
use stoa_types::{CustomerId, MergeId};

macro_rules! columns {
    () => {
        "id, into_id, from_id, taken, tags_added, merged_at, merged_by, undone_at, undone_by"
    };
}

pub(crate) const MERGES: &str = concat!("select ", columns!(), " from customer.merge where true");

/// What merges can be sorted by.
pub(crate) const MERGE_SORT: &[SortKey] = &[SortKey {
    field: "mergedAt",
    column: "merged_at",
    sql_type: "timestamptz",
}];

/// Locks a merge and reads it: one row or none.
pub(crate) fn lock_merge(tx: &mut TenantTx<'_>, id: MergeId) {
    const SQL: &str = concat!(
        "select ",
        columns!(),
        " from customer.merge where id = $1 for update"
    );
    tx.defer(SQL, params![id.uuid()]);
}

/// Reads the merges that hold and came after this one into the same survivor, in their order.
pub(crate) fn later_merges(tx: &mut TenantTx<'_>, id: MergeId) {
    const SQL: &str = concat!(
        "select ",
        columns!(),
        " from customer.merge
          where into_id = (select into_id from customer.merge where id = $1) and undone_at is null
            and (merged_at, id) > (select merged_at, id from customer.merge where id = $1)
          order by merged_at, id"
    );
    tx.defer(SQL, params![id.uuid()]);
}

pub(crate) fn insert_merge(tx: &mut TenantTx<'_>, merged: &Merged) -> Result<(), DbError> {
    const SQL: &str = concat!(
        "insert into customer.merge (tenant_id, ",
        columns!(),
        ") values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
    );
    let merge = &merged.merge;
    let values = params![
        tx.tenant(),
        merge.id.uuid(),
        merge.into.uuid(),
        merge.from.uuid(),
        taken_value(merged)?,
        merge.tags_added.clone(),
        merge.merged_at,
        merge.merged_by.clone(),
        merge.undone_at,
        merge.undone_by.clone(),
    ];
    tx.defer(SQL, values);
    Ok(())
}

/// Writes that a merge was undone; the row is locked.
pub(crate) fn undo_merge(tx: &mut TenantTx<'_>, merge: &Merge) {
    const SQL: &str = "update customer.merge set undone_at = $2, undone_by = $3 where id = $1";
    tx.defer(
        SQL,
        params![merge.id.uuid(), merge.undone_at, merge.undone_by.clone()],
    );
}

/// Writes what a merge's survivor had before; the survivor is locked.
pub(crate) fn change_taken(tx: &mut TenantTx<'_>, merged: &Merged) -> Result<(), DbError> {
    const SQL: &str = "update customer.merge set taken = $2 where id = $1";
    tx.defer(SQL, params![merged.merge.id.uuid(), taken_value(merged)?]);
    Ok(())
}

fn taken_value(merged: &Merged) -> Result<Value, DbError> {
    serde_json::to_value(&merged.taken).map_err(|e| DbError::Unexpected(e.to_string()))
}

/// The merges in a statement's rows.
pub(crate) fn merges(rows: &[Row]) -> Result<Vec<Merged>, DbError> {
    rows.iter().map(read_merge).collect()
}

fn read_merge(row: &Row) -> Result<Merged, DbError> {
    let taken: BTreeMap<String, Taken> = serde_json::from_value(row.try_get(3)?)
        .map_err(|e| DbError::Unexpected(format!("what a merge took: {e}")))?;
    Ok(Merged {
        merge: Merge {
            id: MergeId(row.try_get(0)?),
            into: CustomerId(row.try_get(1)?),
            from: CustomerId(row.try_get(2)?),
            taken: taken.keys().cloned().collect(),
            tags_added: row.try_get(4)?,
            merged_at: row.try_get(5)?,
            merged_by: row.try_get(6)?,
            undone_at: row.try_get(7)?,
            undone_by: row.try_get(8)?,
        },
        taken,
    })
}
