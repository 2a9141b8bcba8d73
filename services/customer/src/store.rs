//! The only SQL of this service. Functions that take a transaction defer their statement to its next flush.

mod branch;
pub(crate) mod bulk;
mod customer;
mod duplicate;
pub(crate) mod export;
mod field;
mod filter;
pub(crate) mod import;
mod merge;
pub(crate) mod operation;
mod seen;
mod segment;
mod tag;
mod timeline;

pub(crate) use branch::{branch_archived, find_branch, find_branch_of, keep_branch};
use customer::COLUMNS;
pub(crate) use customer::{
    ARCHIVED, COUNTS, LIVE, SORT, customer, customers, index_custom, insert, insert_if_new, lock, lock_all,
    lock_merged, sort_value, stats, update,
};
pub(crate) use duplicate::{duplicates, like};
pub(crate) use field::{
    ARCHIVED_FIELDS, FIELD_SORT, LIVE_FIELDS, all_fields, fields, find_field, insert_field, lock_field,
    update_field,
};
pub(crate) use filter::{FILTER_FIELDS, and_filter, and_search};
pub(crate) use merge::{
    MERGE_SORT, MERGES, change_taken, insert_merge, later_merges, lock_merge, merges, undo_merge,
};
pub(crate) use seen::{see, seen};
pub(crate) use segment::{
    SEGMENT_SORT, SEGMENTS, find_segment, insert_segment, lock_segment, segment_sort_value, segments,
    update_segment,
};
pub(crate) use tag::{TAGS, and_prefix, keep_tags, tags_in_use};
pub(crate) use timeline::{ACTIVITIES, ACTIVITY_SORT, activities, add_activity, and_timeline};

use stoa_kernel::DbError;

/// A statement of the first flush without its rows, which does not happen.
pub(crate) fn missing_result() -> DbError {
    DbError::Unexpected("a statement without result".to_owned())
}
