//! The definitions of custom fields.

use crate::model::{Field, FieldRules, FieldType};
use serde_json::Value;
use stoa_kernel::db::{Params, Row};
use stoa_kernel::http::SortKey;
use stoa_kernel::{DbError, Record, TenantTx, params};
use stoa_types::FieldId;

macro_rules! columns {
    () => {
        "id, key, label, type, required, rules, version, created_at, created_by, updated_at, updated_by, archived_at"
    };
}

pub(crate) const LIVE_FIELDS: &str = concat!(
    "select ",
    columns!(),
    " from customer.field where archived_at is null"
);

pub(crate) const ARCHIVED_FIELDS: &str = concat!(
    "select ",
    columns!(),
    " from customer.field where archived_at is not null"
);

/// What fields can be sorted by.
pub(crate) const FIELD_SORT: &[SortKey] = &[SortKey {
    field: "key",
    column: "key",
    sql_type: "text",
}];

/// Reads every field, archived ones too.
pub(crate) fn all_fields(tx: &mut TenantTx<'_>) {
    const SQL: &str = concat!("select ", columns!(), " from customer.field order by key");
    tx.defer(SQL, params![]);
}

/// Reads a field: one row or none.
pub(crate) fn find_field(tx: &mut TenantTx<'_>, id: FieldId) {
    const SQL: &str = concat!("select ", columns!(), " from customer.field where id = $1");
    tx.defer(SQL, params![id.uuid()]);
}

/// Locks a field and reads it: one row or none.
pub(crate) fn lock_field(tx: &mut TenantTx<'_>, id: FieldId) {
    const SQL: &str = concat!(
        "select ",
        columns!(),
        " from customer.field where id = $1 for update"
    );
    tx.defer(SQL, params![id.uuid()]);
}

pub(crate) fn insert_field(tx: &mut TenantTx<'_>, field: &Field) -> Result<(), DbError> {
    const SQL: &str = concat!(
        "insert into customer.field (tenant_id, ",
        columns!(),
        ") values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
    );
    let mut values = params![tx.tenant()];
    bind(&mut values, field)?;
    tx.defer(SQL, values);
    Ok(())
}

/// Writes everything; the row is locked.
pub(crate) fn update_field(tx: &mut TenantTx<'_>, field: &Field) -> Result<(), DbError> {
    const SQL: &str = "update customer.field
        set key = $2, label = $3, type = $4, required = $5, rules = $6, version = $7, created_at = $8,
            created_by = $9, updated_at = $10, updated_by = $11, archived_at = $12
        where id = $1";
    let mut values = params![];
    bind(&mut values, field)?;
    tx.defer(SQL, values);
    Ok(())
}

fn bind(values: &mut Params, field: &Field) -> Result<(), DbError> {
    let rules = serde_json::to_value(&field.rules).map_err(|e| DbError::Unexpected(e.to_string()))?;
    let own = params![
        field.id.uuid(),
        field.key.clone(),
        field.label.clone(),
        field.kind.as_str(),
        field.required,
        rules,
    ];
    values.extend(own);
    field.record.bind(values);
    Ok(())
}

/// The fields in a statement's rows.
pub(crate) fn fields(rows: &[Row]) -> Result<Vec<Field>, DbError> {
    rows.iter().map(read_field).collect()
}

fn read_field(row: &Row) -> Result<Field, DbError> {
    let kind: &str = row.try_get(3)?;
    let kind =
        FieldType::named(kind).ok_or_else(|| DbError::Unexpected(format!("unknown field type {kind}")))?;
    let rules: Value = row.try_get(5)?;
    let rules: FieldRules =
        serde_json::from_value(rules).map_err(|e| DbError::Unexpected(format!("a field's rules: {e}")))?;
    Ok(Field {
        id: FieldId(row.try_get(0)?),
        key: row.try_get(1)?,
        label: row.try_get(2)?,
        kind,
        required: row.try_get(4)?,
        rules,
        record: Record::read(row, 6)?,
    })
}
