//! `DELETE /api/customers/fields/{id}`

use super::{check_rights, found};
use crate::model::Field;
use crate::{App, ConfigureCustomers, SERVICE, error, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use std::ops::ControlFlow;
use stoa_contracts::customer::FieldChange;
use stoa_kernel::http::{IfMatch, Path};
use stoa_kernel::idempotency::{Answer, Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem};
use stoa_types::FieldId;

pub(crate) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("archiveCustomerField")
        .tag(super::TAG)
        .summary("Archive a custom field")
        .description(
            "Its values stay, and can be filtered by, but are not written any more. It can be restored.",
        )
        .response::<204, ()>()
}

pub(crate) async fn handle(
    mut allowed: Allowed<ConfigureCustomers>,
    State(app): State<App>,
    Path(id): Path<FieldId>,
    expected: IfMatch,
    key: IdempotencyKey,
) -> Result<Response, Problem> {
    check_rights(&allowed.rights)?;
    let command = Command::new(
        SERVICE,
        "customer-fields:archive",
        key,
        &id,
        &allowed.scope,
        &app.clock,
    )?;
    let (begun, rows) = command
        .begin_with(&app.db, &mut allowed.scope, |tx| store::lock_field(tx, id))
        .await?;
    let (mut tx, field) = match begun.judged(found(&rows)).await? {
        ControlFlow::Continue(fresh) => fresh,
        ControlFlow::Break(answer) => return Ok(answer),
    };
    if let Err(problem) = may_archive(&field, expected) {
        return tx.refuse(problem).await;
    }
    let record = field.record.archived(tx.origin(), &app.clock);
    let field = Field { record, ..field };
    store::update_field(&mut tx, &field)?;
    stoa_eventlog::append(&mut tx, &app.clock, &field.changed(FieldChange::Archived))?;
    let answer = Answer::of(StatusCode::NO_CONTENT, ());
    command.commit(tx, answer).await.map_err(error::of_constraint)
}

fn may_archive(field: &Field, expected: IfMatch) -> Result<(), Problem> {
    if field.record.is_archived() {
        return Err(Problem::not_found(super::WHAT));
    }
    expected.check(field.record.version)
}
