//! The customers themselves.

use super::keep_tags;
use crate::model::value::{Entry, Key};
use crate::model::{Customer, CustomerStats};
use serde_json::{Map, Value};
use stoa_contracts::customer::CustomerStatus;
use stoa_kernel::db::{Params, Row};
use stoa_kernel::http::SortKey;
use stoa_kernel::text::search_key;
use stoa_kernel::{DbError, Record, TenantTx, params};
use stoa_types::{BranchId, CustomerId, MergeId, UserId};
use uuid::Uuid;

macro_rules! columns {
    () => {
        "id, name, email, phone, status, sector, revenue_minor, employees, office_location, branch_id, owner_id, \
         tags, custom, external_key, merged_into, version, created_at, created_by, updated_at, updated_by, archived_at"
    };
}

/// What [`customers`] reads.
pub(super) const COLUMNS: &str = columns!();

pub(crate) const LIVE: &str = concat!(
    "select ",
    columns!(),
    " from customer.customer where archived_at is null"
);

pub(crate) const ARCHIVED: &str = concat!(
    "select ",
    columns!(),
    " from customer.customer where archived_at is not null"
);

/// Rows for [`stats`]; `group by status` follows the conditions.
pub(crate) const COUNTS: &str = "select status, count(*) from customer.customer where archived_at is null";

/// What customers can be sorted by; every column is not null and has its index.
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
    SortKey {
        field: "revenueMinor",
        column: "revenue_minor",
        sql_type: "bigint",
    },
    SortKey {
        field: "status",
        column: "status",
        sql_type: "text",
    },
];

/// Locks a customer and reads it: one row or none.
pub(crate) fn lock(tx: &mut TenantTx<'_>, id: CustomerId) {
    const SQL: &str = concat!(
        "select ",
        columns!(),
        " from customer.customer where id = $1 for update"
    );
    tx.defer(SQL, params![id.uuid()]);
}

/// Locks these customers in the order of their ids, so that two who lock the same ones do not wait for each other.
pub(crate) fn lock_all(tx: &mut TenantTx<'_>, ids: &[CustomerId]) {
    const SQL: &str = concat!(
        "select ",
        columns!(),
        " from customer.customer where id = any($1) order by id for update"
    );
    tx.defer(
        SQL,
        params![ids.iter().map(|id| id.uuid()).collect::<Vec<Uuid>>()],
    );
}

/// As [`lock_all`], the two customers of a merge.
pub(crate) fn lock_merged(tx: &mut TenantTx<'_>, merge: MergeId) {
    const SQL: &str = concat!(
        "select ",
        columns!(),
        " from customer.customer
          where id in (select unnest(array[into_id, from_id]) from customer.merge where id = $1)
          order by id for update"
    );
    tx.defer(SQL, params![merge.uuid()]);
}

/// Adds a customer with its tags; see [`index_custom`].
pub(crate) fn insert(tx: &mut TenantTx<'_>, customer: &Customer) {
    const SQL: &str = concat!(
        "insert into customer.customer (tenant_id, name_key, ",
        columns!(),
        ") values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23)"
    );
    let mut values = params![tx.tenant(), search_key(&customer.name)];
    bind_customer(&mut values, customer);
    tx.defer(SQL, values);
    if !customer.tags.is_empty() {
        keep_tags(tx, customer.id, &customer.tags);
    }
}

/// As [`insert`], but skips an id that exists; one row with the id if it was new.
pub(crate) fn insert_if_new(tx: &mut TenantTx<'_>, customer: &Customer) {
    const SQL: &str = concat!(
        "insert into customer.customer (tenant_id, name_key, ",
        columns!(),
        ") values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23)
         on conflict (tenant_id, id) do nothing returning id"
    );
    let mut values = params![tx.tenant(), search_key(&customer.name)];
    bind_customer(&mut values, customer);
    tx.defer(SQL, values);
}

/// Writes everything that can change in the row itself, which is locked; see [`keep_tags`](super::keep_tags) and
/// [`index_custom`].
pub(crate) fn update(tx: &mut TenantTx<'_>, customer: &Customer) {
    const SQL: &str = "update customer.customer
        set name_key = $1, name = $3, email = $4, phone = $5, status = $6, sector = $7, revenue_minor = $8,
            employees = $9, office_location = $10, branch_id = $11, owner_id = $12, tags = $13, custom = $14,
            external_key = $15, merged_into = $16, version = $17, created_at = $18, created_by = $19,
            updated_at = $20, updated_by = $21, archived_at = $22
        where id = $2";
    let mut values = params![search_key(&customer.name)];
    bind_customer(&mut values, customer);
    tx.defer(SQL, values);
}

/// Replaces what a customer's custom values are found by.
pub(crate) fn index_custom(tx: &mut TenantTx<'_>, id: CustomerId, entries: &[Entry]) {
    tx.defer(
        "delete from customer.custom_value where customer_id = $1",
        params![id.uuid()],
    );
    if entries.is_empty() {
        return;
    }
    const SQL: &str = "insert into customer.custom_value
          (tenant_id, customer_id, field_id, item, text_value, int_value)
        select $1, $2, * from unnest($3::uuid[], $4::smallint[], $5::text[], $6::bigint[])";
    let text = |entry: &Entry| match &entry.key {
        Key::Text(text) => Some(text.clone()),
        Key::Int(_) => None,
    };
    let int = |entry: &Entry| match entry.key {
        Key::Int(int) => Some(int),
        Key::Text(_) => None,
    };
    let values = params![
        tx.tenant(),
        id.uuid(),
        entries.iter().map(|e| e.field.uuid()).collect::<Vec<Uuid>>(),
        entries.iter().map(|e| e.item).collect::<Vec<i16>>(),
        entries.iter().map(text).collect::<Vec<Option<String>>>(),
        entries.iter().map(int).collect::<Vec<Option<i64>>>(),
    ];
    tx.defer(SQL, values);
}

fn bind_customer(values: &mut Params, customer: &Customer) {
    let own = params![
        customer.id.uuid(),
        customer.name.clone(),
        customer.email.clone(),
        customer.phone.clone(),
        customer.status.as_str(),
        customer.sector.clone(),
        customer.revenue_minor,
        customer.employees,
        customer.office_location.clone(),
        customer.branch_id.uuid(),
        customer.owner_id.uuid(),
        customer.tags.clone(),
        Value::Object(customer.custom.clone()),
        customer.external_key.clone(),
        customer.merged_into.map(CustomerId::uuid),
    ];
    values.extend(own);
    customer.record.bind(values);
}

/// The customer in a statement's rows.
pub(crate) fn customer(rows: &[Row]) -> Result<Option<Customer>, DbError> {
    rows.first().map(read_customer).transpose()
}

/// The customers in a statement's rows.
pub(crate) fn customers(rows: &[Row]) -> Result<Vec<Customer>, DbError> {
    rows.iter().map(read_customer).collect()
}

/// The counts in a statement's rows.
pub(crate) fn stats(rows: &[Row]) -> Result<CustomerStats, DbError> {
    let mut stats = CustomerStats::default();
    for row in rows {
        stats.count(status(row.try_get(0)?)?, row.try_get(1)?);
    }
    Ok(stats)
}

/// What the cursor remembers of a page's last customer.
pub(crate) fn sort_value(key: SortKey, customer: &Customer) -> String {
    match key.field {
        "createdAt" => customer.record.created_at.to_string(),
        "updatedAt" => customer.record.updated_at.to_string(),
        "revenueMinor" => customer.revenue_minor.to_string(),
        "status" => customer.status.as_str().to_owned(),
        _ => search_key(&customer.name),
    }
}

fn read_customer(row: &Row) -> Result<Customer, DbError> {
    Ok(Customer {
        id: CustomerId(row.try_get(0)?),
        name: row.try_get(1)?,
        email: row.try_get(2)?,
        phone: row.try_get(3)?,
        status: status(row.try_get(4)?)?,
        sector: row.try_get(5)?,
        revenue_minor: row.try_get(6)?,
        employees: row.try_get(7)?,
        office_location: row.try_get(8)?,
        branch_id: BranchId(row.try_get(9)?),
        owner_id: UserId(row.try_get(10)?),
        tags: row.try_get(11)?,
        custom: custom(row.try_get(12)?)?,
        external_key: row.try_get(13)?,
        merged_into: row.try_get::<_, Option<Uuid>>(14)?.map(CustomerId),
        record: Record::read(row, 15)?,
    })
}

fn custom(value: Value) -> Result<Map<String, Value>, DbError> {
    match value {
        Value::Object(custom) => Ok(custom),
        _ => Err(DbError::Unexpected("custom values that are no object".to_owned())),
    }
}

fn status(name: &str) -> Result<CustomerStatus, DbError> {
    CustomerStatus::named(name).ok_or_else(|| DbError::Unexpected(format!("unknown customer status {name}")))
}
