//! The HTTP routes: one endpoint a file, its handler beside its documentation.

mod contacts;
mod interactions;

use crate::App;
use aide::axum::ApiRouter;

/// What a 404 says is missing.
const CONTACT: &str = "contact";
/// What a 404 says is missing.
pub(crate) const INTERACTION: &str = "interaction";

pub(crate) fn routes() -> ApiRouter<App> {
    contacts::routes().merge(interactions::routes())
}
