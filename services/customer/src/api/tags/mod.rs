//! Tags.

pub(super) mod change;
pub(super) mod list;
