//! Segments.

use crate::filter::ConditionBody;
use crate::model::Segment;
use stoa_kernel::db::{Params, Row};
use stoa_kernel::http::SortKey;
use stoa_kernel::text::search_key;
use stoa_kernel::{DbError, Record, TenantTx, params};
use stoa_types::SegmentId;

macro_rules! columns {
    () => {
        "id, name, condition, sort, fields, version, created_at, created_by, updated_at, updated_by, archived_at"
    };
}

pub(crate) const SEGMENTS: &str = concat!(
    "select ",
    columns!(),
    " from customer.segment where archived_at is null"
);

/// What segments can be sorted by.
pub(crate) const SEGMENT_SORT: &[SortKey] = &[SortKey {
    field: "name",
    column: "name_key",
    sql_type: "text",
}];

/// What the cursor remembers of a page's last segment.
pub(crate) fn segment_sort_value(segment: &Segment) -> String {
    search_key(&segment.name)
}

/// Reads a live segment: one row or none.
pub(crate) fn find_segment(tx: &mut TenantTx<'_>, id: Option<SegmentId>) {
    const SQL: &str = concat!(
        "select ",
        columns!(),
        " from customer.segment where id = $1 and archived_at is null"
    );
    tx.defer(SQL, params![id.map(SegmentId::uuid)]);
}

/// As [`find_segment`], and locks it.
pub(crate) fn lock_segment(tx: &mut TenantTx<'_>, id: SegmentId) {
    const SQL: &str = concat!(
        "select ",
        columns!(),
        " from customer.segment where id = $1 and archived_at is null for update"
    );
    tx.defer(SQL, params![id.uuid()]);
}

pub(crate) fn insert_segment(tx: &mut TenantTx<'_>, segment: &Segment) {
    const SQL: &str = concat!(
        "insert into customer.segment (tenant_id, name_key, ",
        columns!(),
        ") values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
    );
    let mut values = params![tx.tenant(), search_key(&segment.name)];
    bind(&mut values, segment);
    tx.defer(SQL, values);
}

/// Writes everything; the row is locked.
pub(crate) fn update_segment(tx: &mut TenantTx<'_>, segment: &Segment) {
    const SQL: &str = "update customer.segment
        set name_key = $1, name = $3, condition = $4, sort = $5, fields = $6, version = $7, created_at = $8,
            created_by = $9, updated_at = $10, updated_by = $11, archived_at = $12
        where id = $2";
    let mut values = params![search_key(&segment.name)];
    bind(&mut values, segment);
    tx.defer(SQL, values);
}

fn bind(values: &mut Params, segment: &Segment) {
    let own = params![
        segment.id.uuid(),
        segment.name.clone(),
        segment.condition.0.clone(),
        segment.sort.clone(),
        segment.fields.clone(),
    ];
    values.extend(own);
    segment.record.bind(values);
}

/// The segments in a statement's rows.
pub(crate) fn segments(rows: &[Row]) -> Result<Vec<Segment>, DbError> {
    let read = |row: &Row| {
        Ok(Segment {
            id: SegmentId(row.try_get(0)?),
            name: row.try_get(1)?,
            condition: ConditionBody(row.try_get(2)?),
            sort: row.try_get(3)?,
            fields: row.try_get(4)?,
            record: Record::read(row, 5)?,
        })
    };
    rows.iter().map(read).collect()
}
