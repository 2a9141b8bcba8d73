//! `/api/iam/endpoint-rules`

pub(super) mod create;
pub(super) mod delete;
pub(super) mod effective;
pub(super) mod get;
pub(super) mod list;
pub(super) mod update;
