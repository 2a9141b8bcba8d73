//! Merges.

pub(super) mod list;
pub(super) mod merge;
pub(super) mod undo;

use crate::model::Customer;
use crate::{ArchiveCustomers, ReadCustomers, UpdateCustomers};
use stoa_kernel::{Permission, Problem, Rights};
use stoa_types::CustomerId;

/// The customer of that id, when the caller may change it.
fn changeable(
    found: &[Customer],
    id: CustomerId,
    rights: &Rights<UpdateCustomers>,
) -> Result<Customer, Problem> {
    let customer = found.iter().find(|customer| customer.id == id).cloned();
    rights.find::<ReadCustomers, _>(customer, crate::api::WHAT)
}

/// As [`changeable`], and the caller may archive it too.
fn archivable(
    found: &[Customer],
    id: CustomerId,
    rights: &Rights<UpdateCustomers>,
) -> Result<Customer, Problem> {
    let customer = changeable(found, id, rights)?;
    let name = ArchiveCustomers::NAME;
    if rights.caller().decide(name, Some(&customer)).allowed {
        return Ok(customer);
    }
    Err(rights.caller().refusal(name, Some(&customer)))
}
