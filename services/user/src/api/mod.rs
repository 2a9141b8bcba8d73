//! The HTTP routes: one endpoint a file, its handler beside its documentation.

mod me;
mod members;
mod roles;
mod teams;
mod users;

use crate::App;
use aide::axum::ApiRouter;

pub(crate) fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .merge(users::routes())
        .merge(me::routes())
        .merge(roles::routes())
        .merge(teams::routes())
        .merge(members::routes())
}
