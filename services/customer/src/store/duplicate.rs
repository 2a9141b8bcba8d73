//! Customers that may be the same as another.

use crate::model::{Duplicate, Probe};
use stoa_kernel::DbError;
use stoa_kernel::db::{Row, Select};
use stoa_kernel::text::prefix_end;
use stoa_types::CustomerId;
use uuid::Uuid;

/// The most that are told.
const MOST: usize = 5;

/// Finds live customers that may be like `probe`; rows for [`duplicates`]. Each part is a look-up of its own in its own
/// index, of at most 100 customers; a part whose value is missing is a comparison with null, so that the statement has
/// one shape.
pub(crate) fn like(probe: &Probe) -> Select {
    let mut select =
        Select::new("select id, name, phone, email from customer.customer where archived_at is null");
    let word = probe.first_word().filter(|_| probe.domain().is_some());
    let name = select.param(probe.name.clone());
    let phone = select.param(probe.phone.clone());
    let email = select.param(probe.email.clone());
    let domain = select.param(probe.domain().map(str::to_owned));
    let from = select.param(word.map(str::to_owned));
    let to = select.param(word.and_then(prefix_end));
    let parts = [
        format!("name_key = {name}"),
        format!("phone_key = {phone}"),
        format!("email = {email}"),
        format!("email_domain = {domain} and name_key >= {from} and name_key < {to}"),
    ];
    let parts = parts.map(|part| {
        format!("array(select id from customer.customer where archived_at is null and {part} limit 100)")
    });
    select.and(&format!("id = any({})", parts.join(" || ")));
    select
}

/// The customers like `probe` in a statement's rows, those with most reasons first.
pub(crate) fn duplicates(rows: &[Row], probe: &Probe) -> Result<Vec<Duplicate>, DbError> {
    let mut found = Vec::new();
    for row in rows {
        let name: String = row.try_get(1)?;
        let other = Probe::new(Some(&name), row.try_get(2)?, row.try_get(3)?);
        let reasons = probe.likeness(&other);
        if !reasons.is_empty() {
            found.push(Duplicate {
                id: CustomerId(row.try_get::<_, Uuid>(0)?),
                name,
                reasons,
            });
        }
    }
    found.sort_by_key(|duplicate| (std::cmp::Reverse(duplicate.reasons.len()), duplicate.id));
    found.truncate(MOST);
    Ok(found)
}
