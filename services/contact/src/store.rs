//! The only SQL of this service. Functions that take a transaction defer their statement to its next flush.

mod branch;
mod contact;
mod interaction;
mod link;
mod merge;

pub(crate) use branch::{branch_archived, find_branch, keep_branch};
pub(crate) use contact::{
    ARCHIVED, LINKED_ARCHIVED, LINKED_LIVE, LIVE, SORT, all, all_linked, and_customer, and_search, insert,
    lock, one, sort_value, update,
};
pub(crate) use interaction::{
    INTERACTION_SORT, INTERACTIONS, Party, and_granted, and_party, find_contacts, find_customers,
    found_contacts, found_customers, insert_interaction, interaction, interactions, lock_interaction,
    update_interaction,
};
pub(crate) use link::{clear_primary, delete_link, find_links, keep_link, links, set_primary};
pub(crate) use merge::{merge, unmerge};

use stoa_kernel::DbError;
use stoa_kernel::db::Row;

/// The rows of the statement at this place in a flush.
pub(crate) fn rows_at(results: &[Vec<Row>], place: usize) -> Result<&[Row], DbError> {
    results
        .get(place)
        .map(Vec::as_slice)
        .ok_or_else(|| DbError::Unexpected("a statement without result".to_owned()))
}
