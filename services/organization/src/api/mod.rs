//! The HTTP routes: one endpoint a file, its handler beside its documentation.

mod branches;
mod organizations;

use crate::App;
use aide::axum::ApiRouter;

pub(crate) use branches::above;

pub(crate) fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .merge(organizations::routes())
        .merge(branches::routes())
}
