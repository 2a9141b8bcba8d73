//! `GET /api/contacts`

use crate::model::{LinkedContact, SCHEMA};
use crate::{App, ReadContacts, sight, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Deserialize;
use stoa_kernel::db::Select;
use stoa_kernel::http::{DataScopeParam, Fields, Json, ListQuery, Query};
use stoa_kernel::{Allowed, Problem, Validation};
use stoa_types::{CustomerId, Page, UserId};

/// What to list.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Parameters {
    /// Items per page, 1 to 100; 50 unless given.
    limit: Option<u32>,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
    /// `name` (default), `createdAt` or `updatedAt`, with `-` in front for descending.
    sort: Option<String>,
    /// The beginning of the name, without regard to case and accents, or of the e-mail address.
    search: Option<String>,
    /// Only contacts of this customer, which the caller must see. Each item then has its `link` to the customer.
    customer_id: Option<CustomerId>,
    /// Only contacts that this user looks after.
    owner_id: Option<UserId>,
    /// Narrows what the caller may see; it never widens it.
    data_scope: Option<DataScopeParam>,
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
    "position",
    "branchId",
    "ownerId",
    "link",
    "version",
    "createdAt",
    "createdBy",
    "updatedAt",
    "updatedBy",
    "archivedAt",
];

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("listContacts")
        .tag(super::TAG)
        .summary("List the contacts that the caller may see")
        .description("404 when `customerId` names a customer that the caller does not see.")
        .response::<200, Json<Page<LinkedContact>>>()
}

pub(super) async fn handle(
    mut allowed: Allowed<ReadContacts>,
    State(app): State<App>,
    Query(parameters): Query<Parameters>,
) -> Result<Response, Problem> {
    let plan = ListQuery {
        limit: parameters.limit,
        cursor: parameters.cursor.clone(),
        sort: parameters.sort.clone(),
    }
    .plan(store::SORT)?;
    let fields = Fields::parse(parameters.fields.as_deref(), FIELDS)?;
    let mut select = conditions(&parameters)?;
    if parameters.customer_id.is_some() {
        let seen = sight::customer(&app, &mut allowed.scope, parameters.customer_id).await?;
        seen.ok_or_else(|| Problem::not_found("customer"))?;
    }
    select.and_rows(&allowed.rows(parameters.data_scope.map(Into::into)), &SCHEMA);
    plan.finish(&mut select);
    let rows = select.read(app.db.begin(&mut allowed.scope)).await?;
    let contacts = match parameters.customer_id {
        Some(_) => store::all_linked(&rows)?,
        None => store::all(&rows)?,
    };
    let page = plan.page(contacts, |item| {
        (store::sort_value(plan.key, &item.contact), item.contact.id.uuid())
    });
    fields.answer(page)
}

fn conditions(parameters: &Parameters) -> Result<Select, Problem> {
    let mut select = Select::new(match (parameters.customer_id, parameters.archived) {
        (None, false) => store::LIVE,
        (None, true) => store::ARCHIVED,
        (Some(_), false) => store::LINKED_LIVE,
        (Some(_), true) => store::LINKED_ARCHIVED,
    });
    let mut check = Validation::new();
    let search = check.optional_text("search", parameters.search.as_deref(), 1..=200);
    check.finish(())?;
    if let Some(customer) = parameters.customer_id {
        store::and_customer(&mut select, customer);
    }
    if let Some(search) = search {
        store::and_search(&mut select, &search);
    }
    if let Some(owner) = parameters.owner_id {
        let owner = select.param(owner.uuid());
        select.and(&format!("owner_id = {owner}"));
    }
    Ok(select)
}
