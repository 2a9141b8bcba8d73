#![doc = include_str!("../README.md")]

mod api;
mod branches;
mod bulk;
mod calls;
mod changes;
mod conditions;
mod consumers;
mod error;
mod export;
mod filter;
mod import;
mod jobs;
mod model;
mod owners;
mod store;
mod timeline;

use aide::openapi::OpenApi;
use stoa_kernel::decisions::Decisions;
use stoa_kernel::service::{Resource, Running};
use stoa_kernel::{Clock, Database, Mesh, Service, ServiceContext};

pub use bulk::{BulkChange, BulkInput};
pub use filter::ConditionBody;
pub use import::{ColumnMapping, Defaults, Fault, FileFormat, KeyField, Mode, OperationError, Upload};
pub use model::{
    Activity, Choice, CreatedCustomer, Customer, CustomerInput, CustomerStats, Duplicate, Field, FieldInput,
    FieldRules, FieldType, Likeness, Merge, MergeInput, MergeResult, Segment, SegmentInput, StatusChange,
    TagChange, TagCount, TagsInUse, UndoResult,
};

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
    /// Import customers from files. Each row needs `customers:create` or `customers:update` as well.
    ImportCustomers = "customers:import";
    /// Export customers as files.
    ExportCustomers = "customers:export";
    /// Define custom fields, and change everybody's segments. Only in the data scope `all`.
    ConfigureCustomers = "customers:configure";
}

/// What the handlers work with.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) db: Database,
    /// For the positions of this service's consumers in the event log.
    pub(crate) system: Database,
    pub(crate) mesh: Mesh,
    pub(crate) decisions: Decisions,
    pub(crate) clock: Clock,
}

/// The service.
#[must_use]
pub fn service() -> Service {
    Service {
        name: SERVICE,
        migrations: stoa_kernel::migrations!["0001_init", "0002_fields_and_tags", "0003_imports"],
        permissions: PERMISSIONS,
        resources: &[Resource {
            name: "customers",
            schema: || model::SCHEMA.clone(),
        }],
        system_scopes: jobs::SCOPES,
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
        system: context.db.system.clone(),
        mesh: context.mesh.clone(),
        decisions: context.decisions.clone(),
        clock: context.clock.clone(),
    };
    Ok(Running::new(api::routes(), app.clone())
        .with_calls(calls::calls(app.clone()))
        .with_task(jobs::worker(&context, &app))
        .with_task(jobs::sweeper(&app))
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
