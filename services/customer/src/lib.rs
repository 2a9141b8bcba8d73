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

#[cfg(test)]
mod tests {
    use super::*;

    // covers: AP-01
    #[test]
    fn the_description_names_its_path_parameters_and_holds_its_schemas() {
        let api = serde_json::to_value(describe()).unwrap();
        let parameters = &api["paths"]["/api/customers/{id}"]["get"]["parameters"];
        let id = parameters
            .as_array()
            .unwrap()
            .iter()
            .find(|p| p["in"] == "path")
            .unwrap();
        assert_eq!(
            (&id["name"], &id["required"]),
            (&serde_json::json!("id"), &serde_json::json!(true))
        );
        let schemas = api["components"]["schemas"].as_object().unwrap();
        for reference in api.to_string().split("\"#/components/schemas/").skip(1) {
            let name = reference.split('"').next().unwrap();
            assert!(schemas.contains_key(name), "{name} is referred to and missing");
        }
        assert!(
            schemas["Customer"]["properties"]["createdAt"].is_object(),
            "{}",
            schemas["Customer"]
        );
    }
}
