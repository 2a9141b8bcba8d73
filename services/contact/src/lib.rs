#![doc = include_str!("../README.md")]

mod api;
mod branches;
mod consumers;
mod error;
mod mentions;
mod model;
mod owners;
mod sight;
mod store;

use aide::openapi::OpenApi;
use stoa_kernel::service::{Resource, Running};
use stoa_kernel::{Clock, Database, Mesh, Service, ServiceContext};

pub use model::{
    Contact, ContactInput, Direction, Interaction, InteractionInput, Link, LinkInput, LinkedContact, Mention,
};

/// The service's name.
pub const SERVICE: &str = "contact";

stoa_kernel::permissions! {
    /// See contacts.
    ReadContacts = "contacts:read";
    /// Create contacts.
    CreateContacts = "contacts:create";
    /// Change contacts and link them to customers.
    UpdateContacts = "contacts:update";
    /// Archive and restore contacts.
    ArchiveContacts = "contacts:archive";
    /// See interactions.
    ReadInteractions = "interactions:read";
    /// Log interactions.
    CreateInteractions = "interactions:create";
    /// Change interactions.
    UpdateInteractions = "interactions:update";
    /// Delete interactions.
    ArchiveInteractions = "interactions:archive";
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
                name: "contacts",
                schema: || model::SCHEMA.clone(),
            },
            Resource {
                name: "interactions",
                schema: || model::INTERACTION_SCHEMA.clone(),
            },
        ],
        system_scopes: &[],
        paths: &["/api/contacts", "/api/interactions"],
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
    Ok(Running::new(api::routes(), app)
        .with_task(consumers::branches(&context))
        .with_task(consumers::merges(&context)))
}
