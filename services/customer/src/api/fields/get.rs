//! `GET /api/customers/fields/{id}`

use super::found;
use crate::model::Field;
use crate::{App, ReadCustomers, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use stoa_kernel::http::{Conditional, IfNoneMatch, Path};
use stoa_kernel::{Allowed, Problem};
use stoa_types::FieldId;

pub(crate) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("getCustomerField")
        .tag(super::TAG)
        .summary("Read a custom field's definition")
        .description("Archived ones too.")
}

pub(crate) async fn handle(
    mut allowed: Allowed<ReadCustomers>,
    State(app): State<App>,
    Path(id): Path<FieldId>,
    known: IfNoneMatch,
) -> Result<Conditional<Field>, Problem> {
    let mut tx = app.db.begin(&mut allowed.scope);
    store::find_field(&mut tx, id);
    let field = found(&tx.commit().await?)?;
    Ok(known.answer(field.record.version, field))
}
