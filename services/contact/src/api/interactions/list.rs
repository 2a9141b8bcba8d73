//! `GET /api/interactions`

use crate::model::Interaction;
use crate::store::Party;
use crate::{App, ReadInteractions, sight, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;
use stoa_contracts::contact::InteractionKind;
use stoa_kernel::db::Select;
use stoa_kernel::http::{DataScopeParam, Fields, Json, ListQuery, Query};
use stoa_kernel::{Allowed, Problem};
use stoa_types::{ContactId, CustomerId, Page};

/// What to list.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Parameters {
    /// Items per page, 1 to 100; 50 unless given.
    limit: Option<u32>,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
    /// `-occurredAt` (default), the newest first, or `occurredAt`.
    sort: Option<String>,
    /// All that concern this customer, which the caller must see.
    customer_id: Option<CustomerId>,
    /// Only those in which this contact took part.
    contact_id: Option<ContactId>,
    /// Only those of this kind.
    kind: Option<InteractionKind>,
    /// Only those that began then or later.
    from: Option<Timestamp>,
    /// Only those that began earlier.
    to: Option<Timestamp>,
    /// All that mention this user.
    mentioned: Option<Mentioned>,
    /// Narrows what the caller may see by grants; it never widens it.
    data_scope: Option<DataScopeParam>,
    /// The fields to answer with, joined by commas; `id` always is among them.
    fields: Option<String>,
}

/// Whom to look for in mentions.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Mentioned {
    /// The caller.
    Me,
}

/// What `fields` may name.
const FIELDS: &[&str] = &[
    "id",
    "kind",
    "subject",
    "body",
    "occurredAt",
    "durationMinutes",
    "direction",
    "customerId",
    "customerIds",
    "contactIds",
    "mentions",
    "branchId",
    "ownerId",
    "version",
    "createdAt",
    "createdBy",
    "updatedAt",
    "updatedBy",
];

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("listInteractions")
        .tag(super::TAG)
        .summary("List interactions, the newest first")
        .description(
            "With `customerId`, all that concern that customer, for whoever sees it (404 otherwise); with \
             `mentioned=me`, all that mention the caller; with both, those that do both; with neither, those that the \
             caller's grants on interactions reach. `dataScope` narrows any of these to what grants reach. What a grant \
             denies is left out, so that a page may hold fewer items than asked for and still have a next one.",
        )
        .response::<200, Json<Page<Interaction>>>()
}

pub(super) async fn handle(
    mut allowed: Allowed<ReadInteractions>,
    State(app): State<App>,
    Query(parameters): Query<Parameters>,
) -> Result<Response, Problem> {
    let plan = ListQuery {
        limit: parameters.limit,
        cursor: parameters.cursor.clone(),
        sort: Some(
            parameters
                .sort
                .clone()
                .unwrap_or_else(|| "-occurredAt".to_owned()),
        ),
    }
    .plan(store::INTERACTION_SORT)?;
    let fields = Fields::parse(parameters.fields.as_deref(), FIELDS)?;
    if parameters.customer_id.is_some() {
        let seen = sight::customer(&app, &mut allowed.scope, parameters.customer_id).await?;
        seen.ok_or_else(|| Problem::not_found("customer"))?;
    }
    let mut select = conditions(&parameters, &allowed);
    plan.finish(&mut select);
    let rows = select.read(app.db.begin(&mut allowed.scope)).await?;
    let mut page = plan.page(store::interactions(&rows)?, |interaction| {
        (interaction.occurred_at.to_string(), interaction.id.uuid())
    });
    page.items
        .retain(|interaction| !sight::is_denied(allowed.caller(), interaction));
    fields.answer(page)
}

fn conditions(parameters: &Parameters, allowed: &Allowed<ReadInteractions>) -> Select {
    let mut select = Select::new(store::INTERACTIONS);
    let mut shown_by_grants = true;
    if let Some(customer) = parameters.customer_id {
        store::and_party(&mut select, Party::Customer, customer.uuid());
        shown_by_grants = false;
    }
    if let (Some(Mentioned::Me), Some(user)) = (parameters.mentioned, allowed.scope.user()) {
        store::and_party(&mut select, Party::Mention, user.uuid());
        shown_by_grants = false;
    }
    if shown_by_grants || parameters.data_scope.is_some() {
        store::and_granted(&mut select, &allowed.rows(parameters.data_scope.map(Into::into)));
    }
    if let Some(contact) = parameters.contact_id {
        store::and_party(&mut select, Party::Contact, contact.uuid());
    }
    if let Some(kind) = parameters.kind {
        let kind = select.param(kind.as_str());
        select.and(&format!("kind = {kind}"));
    }
    if let Some(from) = parameters.from {
        let from = select.param(from);
        select.and(&format!("occurred_at >= {from}"));
    }
    if let Some(to) = parameters.to {
        let to = select.param(to);
        select.and(&format!("occurred_at < {to}"));
    }
    select
}
