//! `GET /api/customers`

use super::Narrow;
use crate::model::{Customer, SCHEMA};
use crate::{App, ReadCustomers, filter, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use stoa_contracts::customer::CustomerStatus;
use stoa_kernel::db::Select;
use stoa_kernel::http::{Json, ListQuery, Query};
use stoa_kernel::{Allowed, FieldError, Problem, Validation};
use stoa_types::Page;

/// What to list.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Parameters {
    /// Items per page, 1 to 100; 50 unless given.
    limit: Option<u32>,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
    /// `name` (default), `createdAt`, `updatedAt`, `revenueMinor` or `status`, with `-` in front for descending.
    sort: Option<String>,
    /// The beginning of the name, without regard to case and accents, or of the e-mail address.
    search: Option<String>,
    /// Only customers of this status.
    status: Option<CustomerStatus>,
    /// Narrows what the caller may see; it never widens it.
    data_scope: Option<Narrow>,
    /// Clauses `field:op:value` joined by commas, all of which must hold. `op` is `eq`, `ne`, `lt`, `le`, `gt`, `ge`, or
    /// `in` with values joined by `|`; `\` protects `,` `|` and itself.
    filter: Option<String>,
    /// The fields to answer with, joined by commas; `id` always is among them.
    fields: Option<String>,
    /// The archived ones instead of the live ones.
    archived: bool,
}

/// What `fields` may name.
const FIELDS: &[&str] = &[
    "id",
    "name",
    "email",
    "phone",
    "status",
    "sector",
    "revenueMinor",
    "employees",
    "officeLocation",
    "branchId",
    "ownerId",
    "version",
    "createdAt",
    "createdBy",
    "updatedAt",
    "updatedBy",
    "archivedAt",
];

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("listCustomers")
        .tag(super::TAG)
        .summary("List the customers that the caller may see")
        .response::<200, Json<Page<Customer>>>()
}

pub(super) async fn handle(
    mut allowed: Allowed<ReadCustomers>,
    State(app): State<App>,
    Query(parameters): Query<Parameters>,
) -> Result<Response, Problem> {
    let Parameters {
        limit, cursor, sort, ..
    } = &parameters;
    let plan = ListQuery {
        limit: *limit,
        cursor: cursor.clone(),
        sort: sort.clone(),
    }
    .plan(store::SORT)?;
    let fields = parameters.fields.as_deref().map(fields).transpose()?;
    let mut select = Select::new(if parameters.archived {
        store::ARCHIVED
    } else {
        store::LIVE
    });
    conditions(&mut select, &parameters)?;
    select.and_rows(&allowed.rows(parameters.data_scope.map(Into::into)), &SCHEMA);
    plan.finish(&mut select);
    let rows = select.read(app.db.begin(&mut allowed.scope)).await?;
    let page = plan.page(store::customers(&rows)?, |customer| {
        (store::sort_value(plan.key, customer), customer.id.uuid())
    });
    match fields {
        Some(fields) => Ok(Json(sparse(&page, &fields)?).into_response()),
        None => Ok(Json(page).into_response()),
    }
}

fn conditions(select: &mut Select, parameters: &Parameters) -> Result<(), Problem> {
    let mut check = Validation::new();
    let search = check.optional_text("search", parameters.search.as_deref(), 1..=200);
    check.finish(())?;
    if let Some(search) = search {
        store::and_search(select, &search);
    }
    if let Some(status) = parameters.status {
        let status = select.param(status.as_str());
        select.and(&format!("status = {status}"));
    }
    if let Some(text) = &parameters.filter {
        store::and_filter(select, filter::parse(text, store::FILTER_FIELDS)?);
        select.ad_hoc();
    }
    Ok(())
}

fn fields(text: &str) -> Result<Vec<&str>, Problem> {
    let mut fields = vec!["id"];
    for field in text.split(',').map(str::trim) {
        if !FIELDS.contains(&field) {
            let detail = format!("`{field}` is not one of {}", FIELDS.join(", "));
            return Err(Problem::invalid(vec![FieldError::new(
                "fields", "unknown", detail,
            )]));
        }
        fields.push(field);
    }
    Ok(fields)
}

/// The page with these fields of each item only.
fn sparse(page: &Page<Customer>, fields: &[&str]) -> Result<Page<Value>, Problem> {
    let mut items = Vec::with_capacity(page.items.len());
    for customer in &page.items {
        let mut item = serde_json::to_value(customer).map_err(|e| Problem::internal(&e))?;
        if let Some(object) = item.as_object_mut() {
            object.retain(|name, _| fields.contains(&name.as_str()));
        }
        items.push(item);
    }
    Ok(Page {
        items,
        next_cursor: page.next_cursor.clone(),
    })
}
