//! `PUT /api/contacts/{id}/customers/{customerId}`

use super::LinkPath;
use crate::model::{Contact, Link, LinkInput, MAX_LINKS};
use crate::{App, ReadContacts, SERVICE, UpdateContacts, error, sight, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use std::ops::ControlFlow;
use stoa_contracts::customer::SeenCustomer;
use stoa_kernel::http::{Json, Path};
use stoa_kernel::idempotency::{Answer, Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem};

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("linkContact")
        .tag(super::TAG)
        .summary("Link a contact to a customer, or change the link")
        .description(
            "The caller must see the customer (404). What says the same again changes nothing. 409 \
             `customers.archived` for an archived customer, `contacts.archived` for an archived contact, \
             `contacts.too_many_customers` when the contact has 50 customers.",
        )
        .response::<200, Json<Link>>()
}

pub(super) async fn handle(
    mut allowed: Allowed<UpdateContacts>,
    State(app): State<App>,
    Path(path): Path<LinkPath>,
    key: IdempotencyKey,
    Json(input): Json<LinkInput>,
) -> Result<Response, Problem> {
    let input = input.checked()?;
    let LinkPath { id, customer_id } = path;
    let body = (id, customer_id, &input);
    let command = Command::new(SERVICE, "contacts:link", key, &body, &allowed.scope, &app.clock)?;
    let seen = sight::customer(&app, &mut allowed.scope, Some(customer_id)).await?;
    let (begun, rows) = command
        .begin_with(&app.db, &mut allowed.scope, |tx| {
            store::lock(tx, id);
            store::find_links(id).defer(tx);
        })
        .await?;
    let found = store::one(store::rows_at(&rows, 0)?)?;
    let verdict = allowed.rights.find::<ReadContacts, _>(found, super::CONTACT);
    let (mut tx, contact) = match begun.judged(verdict).await? {
        ControlFlow::Continue(fresh) => fresh,
        ControlFlow::Break(answer) => return Ok(answer),
    };
    let links = store::links(store::rows_at(&rows, 1)?)?;
    let before = links.iter().find(|link| link.customer_id == customer_id);
    if let Err(problem) = may_link(&contact, seen, before.is_none(), links.len()) {
        return tx.refuse(problem).await;
    }
    let LinkInput { role, primary } = input;
    let link = match before {
        Some(before) => Link {
            role,
            primary,
            ..before.clone()
        },
        None => Link {
            customer_id,
            role,
            primary,
            linked_at: app.clock.now(),
            linked_by: tx.origin().actor.to_string(),
        },
    };
    if before != Some(&link) {
        store::keep_link(&mut tx, id, &link);
        if primary {
            store::set_primary(&mut tx, id, customer_id);
        } else {
            store::clear_primary(&mut tx, id, customer_id);
        }
    }
    if before.is_none() {
        stoa_eventlog::append(&mut tx, &app.clock, &contact.linked(customer_id))?;
    }
    Ok(command.commit(tx, Answer::of(StatusCode::OK, link)).await?)
}

fn may_link(
    contact: &Contact,
    seen: Option<SeenCustomer>,
    is_new: bool,
    links: usize,
) -> Result<(), Problem> {
    let customer = seen.ok_or_else(|| Problem::not_found("customer"))?;
    if contact.record.is_archived() {
        return Err(error::archived());
    }
    if customer.archived {
        return Err(error::customer_archived());
    }
    if is_new && links >= MAX_LINKS {
        return Err(error::too_many_links(MAX_LINKS));
    }
    Ok(())
}
