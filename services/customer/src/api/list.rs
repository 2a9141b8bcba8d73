//! `GET /api/customers`

use crate::conditions::Conditions;
use crate::model::{Customer, SCHEMA};
use crate::{App, ReadCustomers, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Deserialize;
use stoa_contracts::customer::CustomerStatus;
use stoa_kernel::db::Select;
use stoa_kernel::http::{DataScopeParam, Fields, Json, ListQuery, Query};
use stoa_kernel::{Allowed, FieldError, Problem};
use stoa_types::{Page, SegmentId};

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
    data_scope: Option<DataScopeParam>,
    /// Clauses `field:op:value` joined by commas, all of which must hold. `op` is `eq`, `ne`, `lt`, `le`, `gt`, `ge`, or
    /// `in` with values joined by `|`; with `tag` and multiselect fields `has`, `lacks` or `in`. A custom field is
    /// `custom.` and its key. `\\` protects `,` `|` and itself.
    filter: Option<String>,
    /// Only customers of this segment, sorted and with the fields as it says unless `sort` and `fields` are given.
    segment: Option<SegmentId>,
    /// The fields to answer with, joined by commas; `id` always is among them.
    fields: Option<String>,
    /// The archived ones instead of the live ones.
    archived: bool,
}

/// A list of customers, as a query or a body asks for it.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    pub(super) query: ListQuery,
    pub(super) conditions: Conditions,
    pub(super) data_scope: Option<DataScopeParam>,
    /// The fields to answer with; all unless given.
    pub(super) fields: Option<Vec<String>>,
    pub(super) archived: bool,
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
    "tags",
    "custom",
    "externalKey",
    "mergedInto",
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
    allowed: Allowed<ReadCustomers>,
    State(app): State<App>,
    Query(parameters): Query<Parameters>,
) -> Result<Response, Problem> {
    let names = |text: String| text.split(',').map(|name| name.trim().to_owned()).collect();
    let wanted = Wanted {
        query: ListQuery {
            limit: parameters.limit,
            cursor: parameters.cursor,
            sort: parameters.sort,
        },
        conditions: Conditions {
            search: parameters.search,
            status: parameters.status,
            filter: parameters.filter,
            condition: None,
            segment: parameters.segment,
        },
        data_scope: parameters.data_scope,
        fields: parameters.fields.map(names),
        archived: parameters.archived,
    };
    wanted.page(allowed, &app).await
}

impl Wanted {
    /// Reads a page.
    ///
    /// # Errors
    /// 422 for what cannot be listed, sorted or shown.
    pub(super) async fn page(
        self,
        mut allowed: Allowed<ReadCustomers>,
        app: &App,
    ) -> Result<Response, Problem> {
        let defined = self.conditions.defined(app, &mut allowed.scope).await?;
        let view = defined.segment.as_ref();
        let sort = self.query.sort.or_else(|| view?.sort.clone());
        let plan = ListQuery { sort, ..self.query }.plan(store::SORT)?;
        let fields = self.fields.or_else(|| view?.fields.clone());
        let fields = fields.map(known_fields).transpose()?;
        let fields = fields.map(|names| names.join(","));
        let fields = Fields::parse(fields.as_deref(), FIELDS)?;
        let mut select = Select::new(if self.archived {
            store::ARCHIVED
        } else {
            store::LIVE
        });
        self.conditions.and(&mut select, &defined)?;
        select.and_rows(&allowed.rows(self.data_scope.map(Into::into)), &SCHEMA);
        plan.finish(&mut select);
        let rows = select.read(app.db.begin(&mut allowed.scope)).await?;
        let page = plan.page(store::customers(&rows)?, |customer| {
            (store::sort_value(plan.key, customer), customer.id.uuid())
        });
        fields.answer(page)
    }
}

/// The names of fields, `id` among them.
pub(in crate::api) fn known_fields(mut fields: Vec<String>) -> Result<Vec<String>, Problem> {
    if let Some(unknown) = fields.iter().find(|field| !FIELDS.contains(&field.as_str())) {
        let detail = format!("`{unknown}` is not one of {}", FIELDS.join(", "));
        return Err(Problem::invalid(vec![FieldError::new(
            "fields", "unknown", detail,
        )]));
    }
    fields.push("id".to_owned());
    Ok(fields)
}
