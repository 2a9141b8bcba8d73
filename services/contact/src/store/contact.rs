//! Contacts.

use super::link::read_link;
use crate::model::{Contact, LinkedContact};
use stoa_kernel::db::{Params, Row, Select};
use stoa_kernel::http::SortKey;
use stoa_kernel::text::{prefix_end, search_key};
use stoa_kernel::{DbError, Record, TenantTx, params};
use stoa_types::{BranchId, ContactId, CustomerId, UserId};

macro_rules! columns {
    () => {
        "id, name, email, phone, position, branch_id, owner_id, version, created_at, created_by, updated_at, \
         updated_by, archived_at"
    };
}

/// How many columns these are.
const WIDTH: usize = 7 + Record::WIDTH;

macro_rules! linked {
    () => {
        concat!(
            "select ",
            columns!(),
            ", ",
            super::link::columns!(),
            " from contact.contact join contact.link l on l.contact_id = contact.id where "
        )
    };
}

pub(crate) const LIVE: &str = concat!(
    "select ",
    columns!(),
    " from contact.contact where archived_at is null"
);

pub(crate) const ARCHIVED: &str = concat!(
    "select ",
    columns!(),
    " from contact.contact where archived_at is not null"
);

/// Live contacts with their links; a condition on `l.customer_id` must follow. Rows for [`all_linked`].
pub(crate) const LINKED_LIVE: &str = concat!(linked!(), "archived_at is null");

/// As [`LINKED_LIVE`], of archived ones.
pub(crate) const LINKED_ARCHIVED: &str = concat!(linked!(), "archived_at is not null");

/// What contacts can be sorted by; every column is not null and has its index.
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

/// Keeps the contacts whose name or e-mail address begins with `text`. Two ranges on columns with collation "C": under
/// row-level security `like` would read every tenant's rows.
pub(crate) fn and_search(select: &mut Select, text: &str) {
    let name = range(select, "name_key", search_key(text));
    let email = range(select, "email", text.trim().to_lowercase());
    select.and(&format!("({name} or {email})"));
}

fn range(select: &mut Select, column: &str, prefix: String) -> String {
    let end = prefix_end(&prefix);
    let start = select.param(prefix);
    match end {
        Some(end) => {
            let end = select.param(end);
            format!("{column} >= {start} and {column} < {end}")
        }
        None => format!("{column} >= {start}"),
    }
}

/// Keeps the contacts that are linked to a customer, of [`LINKED_LIVE`] or [`LINKED_ARCHIVED`].
pub(crate) fn and_customer(select: &mut Select, id: CustomerId) {
    let id = select.param(id.uuid());
    select.and(&format!("l.customer_id = {id}"));
}

/// Locks a contact and reads it: one row or none.
pub(crate) fn lock(tx: &mut TenantTx<'_>, id: ContactId) {
    const SQL: &str = concat!(
        "select ",
        columns!(),
        " from contact.contact where id = $1 for update"
    );
    tx.defer(SQL, params![id.uuid()]);
}

pub(crate) fn insert(tx: &mut TenantTx<'_>, contact: &Contact) {
    const SQL: &str = concat!(
        "insert into contact.contact (tenant_id, name_key, ",
        columns!(),
        ") values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"
    );
    let mut values = params![tx.tenant(), search_key(&contact.name)];
    bind(&mut values, contact);
    tx.defer(SQL, values);
}

/// Writes everything that can change; the row is locked.
pub(crate) fn update(tx: &mut TenantTx<'_>, contact: &Contact) {
    const SQL: &str = "update contact.contact
        set name_key = $1, name = $3, email = $4, phone = $5, position = $6, branch_id = $7, owner_id = $8,
            version = $9, created_at = $10, created_by = $11, updated_at = $12, updated_by = $13, archived_at = $14
        where id = $2";
    let mut values = params![search_key(&contact.name)];
    bind(&mut values, contact);
    tx.defer(SQL, values);
}

fn bind(values: &mut Params, contact: &Contact) {
    let own = params![
        contact.id.uuid(),
        contact.name.clone(),
        contact.email.clone(),
        contact.phone.clone(),
        contact.position.clone(),
        contact.branch_id.uuid(),
        contact.owner_id.uuid(),
    ];
    values.extend(own);
    contact.record.bind(values);
}

/// The contact in a statement's rows.
pub(crate) fn one(rows: &[Row]) -> Result<Option<Contact>, DbError> {
    rows.first().map(read).transpose()
}

/// The contacts in a statement's rows.
pub(crate) fn all(rows: &[Row]) -> Result<Vec<LinkedContact>, DbError> {
    let read = |row: &Row| {
        Ok(LinkedContact {
            contact: read(row)?,
            link: None,
        })
    };
    rows.iter().map(read).collect()
}

/// The contacts with their links in a statement's rows.
pub(crate) fn all_linked(rows: &[Row]) -> Result<Vec<LinkedContact>, DbError> {
    let read = |row: &Row| {
        Ok(LinkedContact {
            contact: read(row)?,
            link: Some(read_link(row, WIDTH)?),
        })
    };
    rows.iter().map(read).collect()
}

/// What the cursor remembers of a page's last contact.
pub(crate) fn sort_value(key: SortKey, contact: &Contact) -> String {
    match key.field {
        "createdAt" => contact.record.created_at.to_string(),
        "updatedAt" => contact.record.updated_at.to_string(),
        _ => search_key(&contact.name),
    }
}

fn read(row: &Row) -> Result<Contact, DbError> {
    Ok(Contact {
        id: ContactId(row.try_get(0)?),
        name: row.try_get(1)?,
        email: row.try_get(2)?,
        phone: row.try_get(3)?,
        position: row.try_get(4)?,
        branch_id: BranchId(row.try_get(5)?),
        owner_id: UserId(row.try_get(6)?),
        record: Record::read(row, 7)?,
    })
}
