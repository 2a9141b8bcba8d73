//! `/api/contacts`

mod archive;
mod create;
mod get;
mod link;
mod links;
mod list;
mod restore;
mod unlink;
mod update;

use super::CONTACT;
use crate::App;
use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with, put_with};
use schemars::JsonSchema;
use serde::Deserialize;
use stoa_types::{ContactId, CustomerId};

/// The heading in the API's documentation.
const TAG: &str = "Contacts";

/// A contact and a customer.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct LinkPath {
    id: ContactId,
    customer_id: CustomerId,
}

pub(super) fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route(
            "/api/contacts",
            get_with(list::handle, list::docs).post_with(create::handle, create::docs),
        )
        .api_route(
            "/api/contacts/{id}",
            get_with(get::handle, get::docs)
                .put_with(update::handle, update::docs)
                .delete_with(archive::handle, archive::docs),
        )
        .api_route(
            "/api/contacts/{id}/restore",
            post_with(restore::handle, restore::docs),
        )
        .api_route(
            "/api/contacts/{id}/customers",
            get_with(links::handle, links::docs),
        )
        .api_route(
            "/api/contacts/{id}/customers/{customerId}",
            put_with(link::handle, link::docs).delete_with(unlink::handle, unlink::docs),
        )
}
