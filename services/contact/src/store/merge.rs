//! What follows a merge of customers, and its undoing.

use stoa_kernel::{TenantTx, params};
use stoa_types::{CustomerId, MergeId};

/// Gives a customer the contacts, the interactions and, if it has none, the primary contact of another. What it shares
/// with the other already stays as it is.
pub(crate) fn merge(tx: &mut TenantTx<'_>, from: CustomerId, into: CustomerId, merge: MergeId) {
    const LINKS: &str = "insert into contact.link
          (tenant_id, contact_id, customer_id, role, linked_at, linked_by, merge_id)
        select tenant_id, contact_id, $2, role, linked_at, linked_by, $3 from contact.link where customer_id = $1
        on conflict (tenant_id, contact_id, customer_id) do nothing";
    const PARTIES: &str = "insert into contact.party (tenant_id, interaction_id, kind, party_id, merge_id)
        select tenant_id, interaction_id, kind, $2, $3 from contact.party where party_id = $1 and kind = 'customer'
        on conflict (tenant_id, interaction_id, kind, party_id) do nothing";
    const PRIMARY: &str = "insert into contact.primary_contact (tenant_id, customer_id, contact_id)
        select tenant_id, $2, contact_id from contact.primary_contact where customer_id = $1
        on conflict (tenant_id, customer_id) do nothing";
    tx.defer(LINKS, params![from.uuid(), into.uuid(), merge.uuid()]);
    tx.defer(PARTIES, params![from.uuid(), into.uuid(), merge.uuid()]);
    tx.defer(PRIMARY, params![from.uuid(), into.uuid()]);
}

/// Takes from a customer what a merge has brought and nobody has changed since. The other has its own still.
pub(crate) fn unmerge(tx: &mut TenantTx<'_>, into: CustomerId, merge: MergeId) {
    const LINKS: &str = "delete from contact.link where customer_id = $1 and merge_id = $2";
    const PARTIES: &str =
        "delete from contact.party where party_id = $1 and kind = 'customer' and merge_id = $2";
    const PRIMARY: &str = "delete from contact.primary_contact p where p.customer_id = $1
        and not exists (select from contact.link l
                        where l.customer_id = p.customer_id and l.contact_id = p.contact_id)";
    tx.defer(LINKS, params![into.uuid(), merge.uuid()]);
    tx.defer(PARTIES, params![into.uuid(), merge.uuid()]);
    tx.defer(PRIMARY, params![into.uuid()]);
}
