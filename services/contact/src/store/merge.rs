//! What follows a merge of customers, and its undoing.

use stoa_kernel::{TenantTx, params};
use stoa_types::{CustomerId, MergeId};

/// Gives a customer the contacts, the interactions and, if it has none, the primary contact of another. Its own stays
/// as it is; what another merge has brought already counts as this one's, too.
pub(crate) fn merge(tx: &mut TenantTx<'_>, from: CustomerId, into: CustomerId, merge: MergeId) {
    const LINKS: &str = "insert into contact.link
          (tenant_id, contact_id, customer_id, role, linked_at, linked_by, merge_ids)
        select tenant_id, contact_id, $2, role, linked_at, linked_by, array[$3::uuid] from contact.link
        where customer_id = $1
        on conflict (tenant_id, contact_id, customer_id)
          do update set merge_ids = link.merge_ids || excluded.merge_ids
          where not link.merge_ids @> excluded.merge_ids";
    const PARTIES: &str = "insert into contact.party (tenant_id, interaction_id, kind, party_id, merge_ids)
        select tenant_id, interaction_id, kind, $2, array[$3::uuid] from contact.party
        where party_id = $1 and kind = 'customer'
        on conflict (tenant_id, interaction_id, kind, party_id)
          do update set merge_ids = party.merge_ids || excluded.merge_ids
          where not party.merge_ids @> excluded.merge_ids";
    const PRIMARY: &str = "insert into contact.primary_contact (tenant_id, customer_id, contact_id)
        select tenant_id, $2, contact_id from contact.primary_contact where customer_id = $1
        on conflict (tenant_id, customer_id) do nothing";
    lock_interactions(tx, from, None);
    tx.defer(LINKS, params![from.uuid(), into.uuid(), merge.uuid()]);
    tx.defer(PARTIES, params![from.uuid(), into.uuid(), merge.uuid()]);
    tx.defer(PRIMARY, params![from.uuid(), into.uuid()]);
}

/// Takes from a customer what this merge alone has brought and nobody has changed since. The other has its own still.
pub(crate) fn unmerge(tx: &mut TenantTx<'_>, into: CustomerId, merge: MergeId) {
    const LINKS: &str = "delete from contact.link where customer_id = $1 and merge_ids = array[$2::uuid]";
    const SHARED_LINKS: &str = "update contact.link set merge_ids = array_remove(merge_ids, $2::uuid)
        where customer_id = $1 and merge_ids @> array[$2::uuid]";
    // Whoever has named the customer since wants it there.
    const PARTIES: &str = "delete from contact.party
        where party_id = $1 and kind = 'customer' and merge_ids = array[$2::uuid]
          and not exists (select from contact.interaction i
                          where i.id = party.interaction_id and i.customer_id = $1)";
    const SHARED_PARTIES: &str = "update contact.party set merge_ids = array_remove(merge_ids, $2::uuid)
        where party_id = $1 and kind = 'customer' and merge_ids @> array[$2::uuid]";
    const PRIMARY: &str = "delete from contact.primary_contact p where p.customer_id = $1
        and not exists (select from contact.link l
                        where l.customer_id = p.customer_id and l.contact_id = p.contact_id)";
    lock_interactions(tx, into, Some(merge));
    for sql in [LINKS, SHARED_LINKS, PARTIES, SHARED_PARTIES] {
        tx.defer(sql, params![into.uuid(), merge.uuid()]);
    }
    tx.defer(PRIMARY, params![into.uuid()]);
}

/// Waits for whoever is changing an interaction that concerns a customer (because of this merge, if one is given), and
/// has later changes wait: these write again the parties that they have read.
fn lock_interactions(tx: &mut TenantTx<'_>, customer: CustomerId, merge: Option<MergeId>) {
    const SQL: &str = "select from contact.interaction
        where id = any(array(select interaction_id from contact.party where party_id = $1 and kind = 'customer'
                             and ($2::uuid is null or merge_ids @> array[$2::uuid])))
        order by id for update";
    tx.defer(SQL, params![customer.uuid(), merge.map(MergeId::uuid)]);
}
