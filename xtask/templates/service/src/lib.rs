#![doc = include_str!("../README.md")]

mod api;
mod error;
mod model;
mod store;

use aide::openapi::OpenApi;
use stoa_kernel::service::{Resource, Running};
use stoa_kernel::{Clock, Database, Service, ServiceContext};

pub use model::{__Resource__, __Resource__Input};

/// The service's name.
pub const SERVICE: &str = "__service__";

stoa_kernel::permissions! {
    /// See __resources__.
    Read__Resources__ = "__resources__:read";
    /// Create __resources__.
    Create__Resources__ = "__resources__:create";
    /// Change __resources__.
    Update__Resources__ = "__resources__:update";
    /// Archive and restore __resources__.
    Archive__Resources__ = "__resources__:archive";
}

/// What the handlers work with.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) db: Database,
    pub(crate) clock: Clock,
}

/// The service.
#[must_use]
pub fn service() -> Service {
    Service {
        name: SERVICE,
        migrations: stoa_kernel::migrations!["0001_init"],
        permissions: PERMISSIONS,
        resources: &[Resource {
            name: "__resources__",
            schema: || model::SCHEMA.clone(),
        }],
        system_scopes: &[],
        paths: &["/api/__resources__"],
        openapi: describe,
        seed: None,
        start: |context| Box::pin(start(context)),
    }
}

fn describe() -> OpenApi {
    stoa_kernel::openapi::describe(api::routes())
}

async fn start(context: ServiceContext) -> anyhow::Result<Running> {
    let app = App {
        db: context.db.app.clone(),
        clock: context.clock.clone(),
    };
    Ok(Running::new(api::routes(), app))
}
