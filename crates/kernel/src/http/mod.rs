//! What every endpoint shares: extractors whose refusals are problems, conditional requests, list parameters,
//! and the listeners.

mod body;
mod conditional;
mod data_scope;
mod fields;
mod layer;
mod list;
mod server;

pub use body::{Json, Path, Query};
pub use conditional::{Conditional, Created, IfMatch, IfNoneMatch, Versioned, etag};
pub use data_scope::DataScopeParam;
pub use fields::Fields;
pub use layer::{EDGE_HEADERS, finish_response, run_command, spawn_commands};
pub(crate) use layer::{header_parameter, idempotency_parameter};
pub use list::{ListPlan, ListQuery, SortKey};
pub use server::{ServeOptions, serve};
