//! The only SQL of this service. Functions that take a transaction defer their statement to its next flush.

use crate::model::__Resource__;
use stoa_kernel::db::Row;
use stoa_kernel::http::SortKey;
use stoa_kernel::text::search_key;
use stoa_kernel::{DbError, Record, TenantTx, params};
use stoa_types::__Resource__Id;

macro_rules! columns {
    () => {
        "id, name, description, version, created_at, created_by, updated_at, updated_by, archived_at"
    };
}

pub(crate) const LIVE: &str = concat!(
    "select ",
    columns!(),
    " from __service__.__resource__ where archived_at is null"
);

pub(crate) const ARCHIVED: &str = concat!(
    "select ",
    columns!(),
    " from __service__.__resource__ where archived_at is not null"
);

/// What __resources__ can be sorted by; every column is not null and has its index.
pub(crate) const SORT: &[SortKey] = &[
    SortKey {
        field: "name",
        column: "name_key",
        sql_type: "text",
    },
    SortKey {
        field: "createdAt",
        column: "created_at",
        sql_type: "timestamptz",
    },
    SortKey {
        field: "updatedAt",
        column: "updated_at",
        sql_type: "timestamptz",
    },
];

/// Locks __a_resource__ and reads it: one row or none.
pub(crate) fn lock(tx: &mut TenantTx<'_>, id: __Resource__Id) {
    const SQL: &str = concat!(
        "select ",
        columns!(),
        " from __service__.__resource__ where id = $1 for update"
    );
    tx.defer(SQL, params![id.uuid()]);
}

pub(crate) fn insert(tx: &mut TenantTx<'_>, __resource__: &__Resource__) {
    const SQL: &str = concat!(
        "insert into __service__.__resource__ (tenant_id, name_key, ",
        columns!(),
        ") values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
    );
    let mut values = params![
        tx.tenant(),
        search_key(&__resource__.name),
        __resource__.id.uuid(),
        __resource__.name.clone(),
        __resource__.description.clone(),
    ];
    __resource__.record.bind(&mut values);
    tx.defer(SQL, values);
}

/// Writes everything that can change; the row is locked.
pub(crate) fn update(tx: &mut TenantTx<'_>, __resource__: &__Resource__) {
    const SQL: &str = "update __service__.__resource__
        set name_key = $2, name = $3, description = $4, version = $5, updated_at = $6, updated_by = $7,
            archived_at = $8
        where id = $1";
    let Record {
        version,
        updated_at,
        updated_by,
        archived_at,
        ..
    } = &__resource__.record;
    let values = params![
        __resource__.id.uuid(),
        search_key(&__resource__.name),
        __resource__.name.clone(),
        __resource__.description.clone(),
        *version,
        *updated_at,
        updated_by.clone(),
        *archived_at,
    ];
    tx.defer(SQL, values);
}

/// The __resource__ in a statement's rows.
pub(crate) fn one(rows: &[Row]) -> Result<Option<__Resource__>, DbError> {
    rows.first().map(read).transpose()
}

/// The __resources__ in a statement's rows.
pub(crate) fn all(rows: &[Row]) -> Result<Vec<__Resource__>, DbError> {
    rows.iter().map(read).collect()
}

/// What the cursor remembers of a page's last __resource__.
pub(crate) fn sort_value(key: SortKey, __resource__: &__Resource__) -> String {
    match key.field {
        "createdAt" => __resource__.record.created_at.to_string(),
        "updatedAt" => __resource__.record.updated_at.to_string(),
        _ => search_key(&__resource__.name),
    }
}

fn read(row: &Row) -> Result<__Resource__, DbError> {
    Ok(__Resource__ {
        id: __Resource__Id(row.try_get(0)?),
        name: row.try_get(1)?,
        description: row.try_get(2)?,
        record: Record::read(row, 3)?,
    })
}
