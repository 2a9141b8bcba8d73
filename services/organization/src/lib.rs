#![doc = include_str!("../README.md")]

mod api;
mod calls;
mod error;
mod model;
mod store;

use aide::openapi::OpenApi;
use stoa_kernel::service::{Resource, Running};
use stoa_kernel::{Clock, Database, Service, ServiceContext};

pub use model::{
    Branch, BranchInput, BranchMove, BranchName, Organization, OrganizationInput, OrganizationStatus,
};

/// The service's name.
pub const SERVICE: &str = "organization";

stoa_kernel::permissions! {
    /// See organisations.
    ReadOrganizations = "organizations:read";
    /// Create organisations.
    CreateOrganizations = "organizations:create";
    /// Rename organisations and change their status.
    UpdateOrganizations = "organizations:update";
    /// Archive and restore organisations.
    ArchiveOrganizations = "organizations:archive";
    /// See branches.
    ReadBranches = "branches:read";
    /// Create branches.
    CreateBranches = "branches:create";
    /// Rename and move branches.
    UpdateBranches = "branches:update";
    /// Archive and restore branches.
    ArchiveBranches = "branches:archive";
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
        resources: &[
            Resource {
                name: "organizations",
                schema: Organization::schema,
            },
            Resource {
                name: "branches",
                schema: Branch::schema,
            },
        ],
        system_scopes: &[],
        paths: &["/api/organizations", "/api/branches"],
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
    Ok(Running::new(api::routes(), app.clone()).with_calls(calls::calls(app)))
}
