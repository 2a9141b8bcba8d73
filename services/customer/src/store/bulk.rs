//! Many customers in a few statements: what an import or a bulk update reads before a batch, and writes after it.

use crate::model::value::{Entry, Key, entries};
use crate::model::{Customer, Field};
use serde::Serialize;
use serde_json::{Map, Value};
use stoa_contracts::customer::{CustomerCreated, CustomerStatusChanged, CustomerUpdated};
use stoa_kernel::db::{Row, Select};
use stoa_kernel::text::search_key;
use stoa_kernel::{Clock, DbError, Record, TenantTx, params};
use stoa_types::CustomerId;
use uuid::Uuid;

/// What a batch changes.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) created: Vec<Customer>,
    /// Before and after.
    pub(crate) changed: Vec<(Customer, Customer)>,
    /// The events, in the order in which things happened.
    pub(crate) told: Vec<Told>,
}

/// An event of a batch.
#[derive(Debug)]
pub(crate) enum Told {
    Created(CustomerCreated),
    Updated(CustomerUpdated),
    StatusChanged(CustomerStatusChanged),
}

/// A statement for each key in the parameter `keys`: the first customer from there on, in the order of `column`.
///
/// `column = any(…)` would be simpler. But to a planner that takes the tenant for a small one, as before the statistics
/// have caught up with an import, every index that begins with the tenant looks as good, and the wrong one reads all of
/// its customers. Only one index has this order; [`BY_INDEX`] keeps the planner from sorting instead.
fn seek(column: &str, keys: &str) -> String {
    format!(
        "select c.{column}, c.id from unnest({keys}::text[]) k(key)
         cross join lateral (select {column}, id from customer.customer
           where archived_at is null and {column} >= k.key order by {column} limit 1) c
         where c.{column} = k.key"
    )
}

/// Before the first [`seek`] of a transaction. Its plan is kept by the connection, from when the tenant was small.
const BY_INDEX: &str =
    "select set_config('enable_sort', 'off', true), set_config('enable_seqscan', 'off', true),
    set_config('enable_bitmapscan', 'off', true)";

/// Makes the look-ups that follow in the transaction use their indexes; one row that means nothing.
pub(crate) fn by_index(tx: &mut TenantTx<'_>) {
    tx.defer(BY_INDEX, params![]);
}

/// What customers are found by.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    pub(crate) ids: Vec<Uuid>,
    pub(crate) external_keys: Vec<String>,
    pub(crate) emails: Vec<String>,
}

/// Locks the live customers that have one of these keys, in the order of their ids. After [`by_index`].
pub(crate) fn lock_by_keys(tx: &mut TenantTx<'_>, keys: Keys) {
    let (by_external_key, by_email) = (seek("external_key", "$2"), seek("email", "$3"));
    let found = format!(
        "select f.id from (select unnest($1::uuid[]) as id
           union select k.id from ({by_external_key}) k union select m.id from ({by_email}) m) f order by f.id"
    );
    let values = params![
        in_order(keys.ids),
        in_order(keys.external_keys),
        in_order(keys.emails)
    ];
    tx.defer(lock(&found), values);
}

/// Locks the live ones of these customers, in the order of their ids. After [`by_index`].
pub(crate) fn lock_by_id(tx: &mut TenantTx<'_>, ids: &[CustomerId]) {
    let ids = in_order(ids.iter().map(|id| id.uuid()).collect());
    tx.defer(lock("select unnest($1::uuid[])"), params![ids]);
}

/// Reads and locks the live customers with the ids that `found` yields; see [`seek`]. Both bounds are the id, so that
/// no other row is locked: of `id = key` the planner would know that it needs no order, and forget the index.
fn lock(found: &str) -> String {
    let columns = super::COLUMNS;
    format!(
        "with found(key) as materialized ({found})
         select {columns} from found cross join lateral (select {columns} from customer.customer
           where archived_at is null and id >= found.key and id <= found.key order by id limit 1 for update) c"
    )
}

fn in_order<T: Ord>(mut values: Vec<T>) -> Vec<T> {
    values.sort_unstable();
    values.dedup();
    values
}

/// Reads who has these e-mail addresses, and who has these external keys: rows for [`taken`]. After [`by_index`].
pub(crate) fn find_taken(tx: &mut TenantTx<'_>, emails: Vec<String>, keys: Vec<String>) {
    tx.defer(seek("email", "$1"), params![in_order(emails)]);
    tx.defer(seek("external_key", "$1"), params![in_order(keys)]);
}

/// The texts in a statement's rows, and who has them.
pub(crate) fn taken(rows: &[Row]) -> Result<Vec<(String, CustomerId)>, DbError> {
    rows.iter()
        .map(|row| Ok((row.try_get(0)?, CustomerId(row.try_get(1)?))))
        .collect()
}

/// A customer as a row of `jsonb_to_recordset`.
#[derive(Serialize)]
struct Written<'a> {
    id: CustomerId,
    name: &'a str,
    name_key: String,
    email: Option<&'a str>,
    phone: Option<&'a str>,
    status: &'static str,
    sector: Option<&'a str>,
    revenue_minor: i64,
    employees: Option<i64>,
    office_location: Option<&'a str>,
    branch_id: Uuid,
    owner_id: Uuid,
    tags: &'a [String],
    custom: &'a Map<String, Value>,
    external_key: Option<&'a str>,
    version: i64,
    created_at: jiff::Timestamp,
    created_by: &'a str,
    updated_at: jiff::Timestamp,
    updated_by: &'a str,
}

impl<'a> From<&'a Customer> for Written<'a> {
    fn from(customer: &'a Customer) -> Self {
        let Record {
            version,
            created_at,
            created_by,
            updated_at,
            updated_by,
            archived_at: _,
        } = &customer.record;
        Self {
            id: customer.id,
            name: &customer.name,
            name_key: search_key(&customer.name),
            email: customer.email.as_deref(),
            phone: customer.phone.as_deref(),
            status: customer.status.as_str(),
            sector: customer.sector.as_deref(),
            revenue_minor: customer.revenue_minor,
            employees: customer.employees,
            office_location: customer.office_location.as_deref(),
            branch_id: customer.branch_id.uuid(),
            owner_id: customer.owner_id.uuid(),
            tags: &customer.tags,
            custom: &customer.custom,
            external_key: customer.external_key.as_deref(),
            version: *version,
            created_at: *created_at,
            created_by,
            updated_at: *updated_at,
            updated_by,
        }
    }
}

macro_rules! written {
    () => {
        "r(id uuid, name text, name_key text, email text, phone text, status text, sector text, revenue_minor bigint,
           employees bigint, office_location text, branch_id uuid, owner_id uuid, tags text[], custom jsonb,
           external_key text, version bigint, created_at timestamptz, created_by text, updated_at timestamptz,
           updated_by text)"
    };
}

/// A conflict finds the row by the primary key whatever the statistics say, unlike the join of an update; see [`seek`].
const WRITE: &str = concat!(
    "insert into customer.customer as c (tenant_id, id, name, name_key, email, phone, status, sector, revenue_minor,
       employees, office_location, branch_id, owner_id, tags, custom, external_key, version, created_at, created_by,
       updated_at, updated_by)
     select $1, r.id, r.name, r.name_key, r.email, r.phone, r.status, r.sector, r.revenue_minor, r.employees,
       r.office_location, r.branch_id, r.owner_id, r.tags, r.custom, r.external_key, r.version, r.created_at,
       r.created_by, r.updated_at, r.updated_by
     from jsonb_to_recordset($2) as ",
    written!(),
    " on conflict (tenant_id, id) do update set name = excluded.name, name_key = excluded.name_key,
       email = excluded.email, phone = excluded.phone, status = excluded.status, sector = excluded.sector,
       revenue_minor = excluded.revenue_minor, employees = excluded.employees,
       office_location = excluded.office_location, branch_id = excluded.branch_id, owner_id = excluded.owner_id,
       tags = excluded.tags, custom = excluded.custom, external_key = excluded.external_key,
       version = excluded.version, updated_at = excluded.updated_at, updated_by = excluded.updated_by"
);

/// Writes what a batch changes, with its events. The changed customers are locked.
///
/// # Errors
/// When it cannot be serialised, which is a defect.
pub(crate) fn write(
    tx: &mut TenantTx<'_>,
    clock: &Clock,
    changes: &Changes,
    fields: &[Field],
) -> Result<(), DbError> {
    let Changes {
        created,
        changed,
        told,
    } = changes;
    // The changed ones first: they may give up an address that a new customer has.
    let changed_rows = changed.iter().map(|(_, after)| after);
    if !changed.is_empty() || !created.is_empty() {
        let rows = written(changed_rows.chain(created))?;
        tx.defer(WRITE, params![tx.tenant(), rows]);
    }
    let retagged = changed.iter().filter(|(before, after)| before.tags != after.tags);
    let retagged: Vec<_> = retagged.map(|(_, after)| after).collect();
    write_tags(tx, &retagged, created);
    let refilled = changed
        .iter()
        .filter(|(before, after)| before.custom != after.custom);
    let refilled: Vec<_> = refilled.map(|(_, after)| after).collect();
    write_custom(tx, &refilled, created, fields);
    for event in told {
        match event {
            Told::Created(event) => stoa_eventlog::append(tx, clock, event)?,
            Told::Updated(event) => stoa_eventlog::append(tx, clock, event)?,
            Told::StatusChanged(event) => stoa_eventlog::append(tx, clock, event)?,
        };
    }
    Ok(())
}

fn written<'a>(customers: impl Iterator<Item = &'a Customer>) -> Result<Value, DbError> {
    let rows: Vec<Written<'_>> = customers.map(Written::from).collect();
    serde_json::to_value(rows).map_err(|e| DbError::Unexpected(e.to_string()))
}

fn write_tags(tx: &mut TenantTx<'_>, changed: &[&Customer], created: &[Customer]) {
    if !changed.is_empty() {
        let ids: Vec<Uuid> = changed.iter().map(|customer| customer.id.uuid()).collect();
        tx.defer(
            "delete from customer.tag where customer_id = any($1)",
            params![ids],
        );
    }
    let (mut ids, mut tags) = (Vec::<Uuid>::new(), Vec::<String>::new());
    for customer in changed.iter().copied().chain(created) {
        for tag in &customer.tags {
            ids.push(customer.id.uuid());
            tags.push(tag.clone());
        }
    }
    if !ids.is_empty() {
        tx.defer(
            "insert into customer.tag (tenant_id, customer_id, tag) select $1, * from unnest($2::uuid[], $3::text[])",
            params![tx.tenant(), ids, tags],
        );
    }
}

fn write_custom(tx: &mut TenantTx<'_>, changed: &[&Customer], created: &[Customer], fields: &[Field]) {
    if !changed.is_empty() {
        let ids: Vec<Uuid> = changed.iter().map(|customer| customer.id.uuid()).collect();
        tx.defer(
            "delete from customer.custom_value where customer_id = any($1)",
            params![ids],
        );
    }
    let (mut ids, mut found) = (Vec::<Uuid>::new(), Vec::<Entry>::new());
    for customer in changed.iter().copied().chain(created) {
        let entries = entries(fields, &customer.custom);
        ids.extend(entries.iter().map(|_| customer.id.uuid()));
        found.extend(entries);
    }
    if ids.is_empty() {
        return;
    }
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
        ids,
        found
            .iter()
            .map(|entry| entry.field.uuid())
            .collect::<Vec<Uuid>>(),
        found.iter().map(|entry| entry.item).collect::<Vec<i16>>(),
        found.iter().map(text).collect::<Vec<Option<String>>>(),
        found.iter().map(int).collect::<Vec<Option<i64>>>(),
    ];
    tx.defer(
        "insert into customer.custom_value (tenant_id, customer_id, field_id, item, text_value, int_value)
         select $1, * from unnest($2::uuid[], $3::uuid[], $4::smallint[], $5::text[], $6::bigint[])",
        values,
    );
}

/// Keeps the customers after one, by id, that were there at a moment.
pub(crate) fn and_after(select: &mut Select, after: Option<CustomerId>, there_at: jiff::Timestamp) {
    if let Some(after) = after {
        let after = select.param(after.uuid());
        select.and(&format!("id > {after}"));
    }
    let there_at = select.param(there_at);
    select.and(&format!("created_at <= {there_at}"));
}

/// Locks the first of the customers, by id.
pub(crate) fn lock_some(select: &mut Select, count: usize) {
    let count = select.param(i64::try_from(count).unwrap_or(i64::MAX));
    select.push(&format!("order by id limit {count} for update"));
}
