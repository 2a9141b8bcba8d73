//! `GET /api/customers/{id}`

use crate::model::{Customer, SCHEMA};
use crate::{App, ReadCustomers, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use stoa_kernel::db::Select;
use stoa_kernel::http::{Conditional, IfNoneMatch, Path};
use stoa_kernel::{Allowed, Problem};
use stoa_types::CustomerId;

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("getCustomer").tag(super::TAG).summary("Read a customer")
}

pub(super) async fn handle(
    mut allowed: Allowed<ReadCustomers>,
    State(app): State<App>,
    Path(id): Path<CustomerId>,
    known: IfNoneMatch,
) -> Result<Conditional<Customer>, Problem> {
    let mut select = Select::new(store::LIVE);
    let id = select.param(id.uuid());
    select.and(&format!("id = {id}"));
    select.and_rows(&allowed.rows(None), &SCHEMA);
    let rows = select.read(app.db.begin(&mut allowed.scope)).await?;
    let customer = store::customer(&rows)?.ok_or_else(|| Problem::not_found(super::WHAT))?;
    Ok(known.answer(customer.record.version, customer))
}
