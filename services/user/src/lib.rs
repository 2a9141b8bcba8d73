#![doc = include_str!("../README.md")]

mod api;
mod calls;
mod email;
mod error;
mod model;
mod store;

use aide::openapi::OpenApi;
use stoa_kernel::service::{Resource, Running};
use stoa_kernel::{Clock, Database, Mesh, Service, ServiceContext};

pub use model::team::{MembersInput, Team, TeamInput, TeamWithMembers};
pub use model::{Locale, ProfileInput, User, UserInput, UserRoleInput};

/// The service's name.
pub const SERVICE: &str = "user";

stoa_kernel::permissions! {
    /// See users.
    ReadUsers = "users:read";
    /// Create users.
    CreateUsers = "users:create";
    /// Change users.
    UpdateUsers = "users:update";
    /// Archive and restore users.
    ArchiveUsers = "users:archive";
    /// Give and take roles that hold no more than one's own.
    AssignRoles = "users:assign";
    /// See teams.
    ReadTeams = "teams:read";
    /// Create, change, archive and restore teams.
    WriteTeams = "teams:write";
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
        resources: &[
            Resource {
                name: "users",
                schema: || model::SCHEMA.clone(),
            },
            Resource {
                name: "teams",
                schema: || model::team::SCHEMA.clone(),
            },
        ],
        system_scopes: &[],
        paths: &["/api/users", "/api/teams"],
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
    Ok(Running::new(api::routes(), app.clone()).with_calls(calls::calls(app)))
}
