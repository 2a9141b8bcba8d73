//! One change to many customers.

pub(crate) mod change;
pub(crate) mod step;

pub use change::{BulkChange, BulkInput};
