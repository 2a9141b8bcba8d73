//! Questions to the policy: may this user do that, what may this user do, is this token valid.

pub(super) mod ask;
pub(super) mod check;
pub(super) mod invalidate;
pub(super) mod token;
pub(super) mod user;
