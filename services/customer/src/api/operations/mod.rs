//! Imports and bulk updates on their way: what was asked for, how far it is, and what it could not do.

mod cancel;
mod errors;
mod get;
mod list;

use super::TAG;
use crate::{App, ImportCustomers, ReadCustomers, SERVICE};
use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
use stoa_eventlog::jobs::View;
use stoa_kernel::Allowed;

pub(crate) use errors::Errors;

pub(super) fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route("/api/customers/operations", get_with(list::handle, list::docs))
        .api_route("/api/customers/operations/{id}", get_with(get::handle, get::docs))
        .api_route(
            "/api/customers/operations/{id}/cancel",
            post_with(cancel::handle, cancel::docs),
        )
        .api_route(
            "/api/customers/operations/{id}/errors",
            get_with(errors::handle, errors::docs),
        )
}

/// The caller's own operations; all of the tenant for who imports into all of it.
fn view(allowed: &Allowed<ReadCustomers>) -> View {
    if allowed.rows_of::<ImportCustomers>().is_all() {
        View::all(SERVICE)
    } else {
        View::own(SERVICE, &allowed.scope)
    }
}

/// Where an operation is read.
pub(super) fn location(operation: &stoa_eventlog::jobs::Operation) -> String {
    format!("/api/customers/operations/{}", operation.id)
}
