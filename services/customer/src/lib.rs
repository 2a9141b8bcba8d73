#![doc = include_str!("../README.md")]

mod api;
mod branches;
mod calls;
mod consumers;
mod error;
mod filter;
mod model;
mod store;

use aide::openapi::OpenApi;
use stoa_kernel::service::Running;
use stoa_kernel::{Clock, Database, Mesh, Service, ServiceContext};

pub use model::{Activity, Customer, CustomerInput, CustomerStats, StatusChange};

/// The service's name.
pub const SERVICE: &str = "customer";

stoa_kernel::permissions! {
    /// See customers.
    ReadCustomers = "customers:read";
    /// Create customers.
    CreateCustomers = "customers:create";
    /// Change customers and their status.
    UpdateCustomers = "customers:update";
    /// Archive and restore customers.
    ArchiveCustomers = "customers:archive";
}

/// What the handlers work with.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) db: Database,
    pub(crate) mesh: Mesh,
    pub(crate) clock: Clock,
}

/// The service.
#[must_use]
pub fn service() -> Service {
    Service {
        name: SERVICE,
        migrations: stoa_kernel::migrations!["0001_init"],
        permissions: PERMISSIONS,
        system_scopes: &[],
        paths: &["/api/customers"],
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
        mesh: context.mesh.clone(),
        clock: context.clock.clone(),
    };
    Ok(Running::new(api::routes(), app.clone())
        .with_calls(calls::calls(app))
        .with_task(consumers::branches(&context))
        .with_task(consumers::activities(&context)))
}
