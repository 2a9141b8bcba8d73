//! Custom fields.

pub(super) mod archive;
pub(super) mod create;
pub(super) mod get;
pub(super) mod list;
pub(super) mod restore;
pub(super) mod update;

use crate::ConfigureCustomers;
use crate::model::Field;
use crate::store;
use stoa_kernel::db::Row;
use stoa_kernel::{Problem, Rights};

/// The heading in the API's documentation.
const TAG: &str = "Customer fields";
/// What a 404 says is missing.
const WHAT: &str = "field";

/// Refuses whoever holds the permission on some rows only: a definition is about all.
fn check_rights(rights: &Rights<ConfigureCustomers>) -> Result<(), Problem> {
    if rights.rows(None).is_all() {
        return Ok(());
    }
    Err(Problem::forbidden(
        "custom fields are the whole tenant's: `customers:configure` is needed in the data scope `all`",
    ))
}

/// The field in a statement's rows.
fn found(rows: &[Vec<Row>]) -> Result<Field, Problem> {
    let rows = rows.first().map_or(&[][..], |rows| rows);
    let field = store::fields(rows)?.pop();
    field.ok_or_else(|| Problem::not_found(WHAT))
}
