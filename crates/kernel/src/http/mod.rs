//! What every endpoint shares: extractors whose refusals are problems, conditional requests, list parameters,
//! and the listeners.

mod body;
mod conditional;
mod layer;
mod list;
mod server;

pub use body::{Json, Path, Query};
pub use conditional::{Conditional, Created, IfMatch, IfNoneMatch, Versioned, etag};
pub(crate) use layer::idempotency_parameter;
pub use layer::{EDGE_HEADERS, finish_response, run_command, spawn_commands};
pub use list::{ListPlan, ListQuery, SortKey};
pub use server::{ServeOptions, serve};
