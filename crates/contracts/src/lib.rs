//! What services may know of each other: events and calls, one file per service.
//!
//! A service owns its file; changes are additive within a version (`…v1`), so that releases N−1 and N interoperate.

pub mod access;
pub mod contact;
pub mod customer;
pub mod identity;
pub mod organization;
pub mod user;

use serde::{Deserialize, Serialize};

/// The reply of a call that only does something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {}
