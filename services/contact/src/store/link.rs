//! Links of contacts to customers.

use crate::model::Link;
use stoa_kernel::db::{Row, Select};
use stoa_kernel::{DbError, TenantTx, params};
use stoa_types::{ContactId, CustomerId};

/// The columns of a link `l`, in the order of [`read_link`].
macro_rules! columns {
    () => {
        "l.customer_id, l.role, exists (select from contact.primary_contact p
           where p.customer_id = l.customer_id and p.contact_id = l.contact_id), l.linked_at, l.linked_by"
    };
}
pub(super) use columns;

/// A contact's links, oldest first: rows for [`links`].
pub(crate) fn find_links(contact: ContactId) -> Select {
    const HEAD: &str = concat!("select ", columns!(), " from contact.link l where true");
    let mut select = Select::new(HEAD);
    let contact = select.param(contact.uuid());
    select.and(&format!("l.contact_id = {contact}"));
    select.push("order by l.linked_at, l.customer_id");
    select
}

/// Writes a link. A link that was there keeps since when and by whom, and stays when merges that brought it are undone.
pub(crate) fn keep_link(tx: &mut TenantTx<'_>, contact: ContactId, link: &Link) {
    const SQL: &str =
        "insert into contact.link (tenant_id, contact_id, customer_id, role, linked_at, linked_by)
        values ($1, $2, $3, $4, $5, $6)
        on conflict (tenant_id, contact_id, customer_id) do update set role = excluded.role, merge_ids = null";
    let values = params![
        tx.tenant(),
        contact.uuid(),
        link.customer_id.uuid(),
        link.role.clone(),
        link.linked_at,
        link.linked_by.clone(),
    ];
    tx.defer(SQL, values);
}

pub(crate) fn delete_link(tx: &mut TenantTx<'_>, contact: ContactId, customer: CustomerId) {
    const SQL: &str = "delete from contact.link where contact_id = $1 and customer_id = $2";
    tx.defer(SQL, params![contact.uuid(), customer.uuid()]);
}

/// Makes a contact a customer's primary one, in the place of whoever was.
pub(crate) fn set_primary(tx: &mut TenantTx<'_>, contact: ContactId, customer: CustomerId) {
    const SQL: &str =
        "insert into contact.primary_contact (tenant_id, customer_id, contact_id) values ($1, $2, $3)
        on conflict (tenant_id, customer_id) do update set contact_id = excluded.contact_id";
    tx.defer(SQL, params![tx.tenant(), customer.uuid(), contact.uuid()]);
}

/// Leaves a customer without a primary contact, if it is this one.
pub(crate) fn clear_primary(tx: &mut TenantTx<'_>, contact: ContactId, customer: CustomerId) {
    const SQL: &str = "delete from contact.primary_contact where customer_id = $2 and contact_id = $1";
    tx.defer(SQL, params![contact.uuid(), customer.uuid()]);
}

/// The links in a statement's rows.
pub(crate) fn links(rows: &[Row]) -> Result<Vec<Link>, DbError> {
    rows.iter().map(|row| read_link(row, 0)).collect()
}

/// Reads a link from position `first` of a row on.
pub(super) fn read_link(row: &Row, first: usize) -> Result<Link, DbError> {
    Ok(Link {
        customer_id: CustomerId(row.try_get(first)?),
        role: row.try_get(first + 1)?,
        primary: row.try_get(first + 2)?,
        linked_at: row.try_get(first + 3)?,
        linked_by: row.try_get(first + 4)?,
    })
}
