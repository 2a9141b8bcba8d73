//! The vocabulary that every crate shares: typed ids, list pages and cursors. No I/O.
//!
//! Keep this crate small: a type belongs here only when at least two services exchange it.

mod id;
mod page;

pub use id::{
    ActivityId, AssignmentId, BranchId, ContactId, CustomerId, EventId, FieldId, GrantId, InteractionId,
    MergeId, OperationId, OrganizationId, RoleId, RuleId, SegmentId, TeamId, TenantId, UploadId, UserId,
    new_id,
};
pub use page::{Cursor, CursorError, MAX_LIMIT, Page};
