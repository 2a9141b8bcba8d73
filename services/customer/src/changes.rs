//! Writing a changed customer: the row, what it is found by, and the event.

use crate::App;
use crate::model::{Customer, Field, value};
use crate::store;
use stoa_kernel::{DbError, TenantTx};

/// Writes `after` as the next version of `before`, whose row is locked, and tells of it when a field differs. Returns
/// what was written.
///
/// # Errors
/// When the event cannot be appended.
pub(crate) fn write(
    tx: &mut TenantTx<'_>,
    app: &App,
    before: &Customer,
    after: Customer,
    fields: &[Field],
) -> Result<Customer, DbError> {
    let record = before.record.changed(tx.origin(), &app.clock);
    let after = Customer { record, ..after };
    store::update(tx, &after);
    if after.tags != before.tags {
        store::keep_tags(tx, after.id, &after.tags);
    }
    if after.custom != before.custom {
        store::index_custom(tx, after.id, &value::entries(fields, &after.custom));
    }
    let changed = before.changed_fields(&after);
    if !changed.is_empty() {
        stoa_eventlog::append(tx, &app.clock, &after.updated(changed))?;
    }
    Ok(after)
}
