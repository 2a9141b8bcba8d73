//! What other services ask of this one.

use crate::model::{Customer, CustomerInput, SCHEMA};
use crate::{App, ReadCustomers, branches, error, store};
use std::collections::BTreeSet;
use stoa_contracts::customer::{
    ImportCustomers, Imported, MAX_SEEN, NewCustomer, SeeCustomers, SeenCustomers,
};
use stoa_kernel::mesh::Calls;
use stoa_kernel::{FieldError, Problem, Record, Rights, Scope};
use stoa_types::BranchId;

/// The most customers of one import.
const MAX_IMPORT: usize = 1_000;

pub(crate) fn calls(app: App) -> Calls {
    let reads = app.clone();
    Calls::new()
        .on(move |scope, call| import(app.clone(), scope, call))
        .on(move |scope, call| see(reads.clone(), scope, call))
}

async fn see(app: App, mut scope: Scope, call: SeeCustomers) -> Result<SeenCustomers, Problem> {
    if call.ids.len() > MAX_SEEN {
        let detail = format!("at most {MAX_SEEN} customers can be asked for at once");
        return Err(Problem::invalid(vec![FieldError::new("/ids", "length", detail)]));
    }
    let rights = Rights::<ReadCustomers>::of(&app.decisions, &scope).await?;
    let mut select = store::see(&call.ids);
    select.and_rows(&rights.rows(None), &SCHEMA);
    let rows = select.read(app.db.begin(&mut scope)).await?;
    let customers = store::seen(&rows)?;
    Ok(SeenCustomers { customers })
}

async fn import(app: App, mut scope: Scope, call: ImportCustomers) -> Result<Imported, Problem> {
    scope.require_platform()?;
    if call.customers.len() > MAX_IMPORT {
        let detail = format!("an import has at most {MAX_IMPORT} customers; send several");
        return Err(Problem::invalid(vec![FieldError::new(
            "/customers",
            "length",
            detail,
        )]));
    }
    let record = Record::new(&scope.origin(), &app.clock);
    let customers = checked(call.customers, &record)?;
    learn_branches(&app, &mut scope, &customers).await?;

    let mut tx = app.db.begin(&mut scope);
    for customer in &customers {
        store::insert_if_new(&mut tx, customer);
    }
    let inserted = tx.flush().await.map_err(error::of_constraint)?;
    let mut created = 0;
    for (customer, rows) in customers.iter().zip(&inserted) {
        if !rows.is_empty() {
            stoa_eventlog::append(&mut tx, &app.clock, &customer.created())?;
            created += 1;
        }
    }
    tx.commit().await?;
    Ok(Imported { created })
}

/// The customers, or every broken rule under its customer's index.
fn checked(customers: Vec<NewCustomer>, record: &Record) -> Result<Vec<Customer>, Problem> {
    let (mut checked, mut errors) = (Vec::with_capacity(customers.len()), Vec::new());
    for (index, new) in customers.into_iter().enumerate() {
        let input = CustomerInput {
            name: new.name,
            email: new.email,
            phone: new.phone,
            status: Some(new.status),
            sector: new.sector,
            revenue_minor: new.revenue_minor,
            employees: new.employees.map(i64::from),
            office_location: new.office_location,
            branch_id: Some(new.branch_id),
            owner_id: Some(new.owner_id),
            ..CustomerInput::default()
        };
        match input.checked() {
            Ok(input) => {
                checked.push(Customer::new(
                    new.id,
                    input,
                    new.branch_id,
                    new.owner_id,
                    record.clone(),
                ));
            }
            Err(problem) => errors.extend(problem.errors.into_iter().map(|error| FieldError {
                pointer: format!("/customers/{index}{}", error.pointer),
                ..error
            })),
        }
    }
    if errors.is_empty() {
        Ok(checked)
    } else {
        Err(Problem::invalid(errors))
    }
}

async fn learn_branches(app: &App, scope: &mut Scope, customers: &[Customer]) -> Result<(), Problem> {
    let wanted: BTreeSet<BranchId> = customers.iter().map(|c| c.branch_id).collect();
    let mut tx = app.db.begin(scope);
    for branch in &wanted {
        store::find_branch(&mut tx, Some(*branch));
    }
    let known = tx.commit().await?;
    for (branch, rows) in wanted.into_iter().zip(&known) {
        match store::branch_archived(rows)? {
            Some(archived) => branches::check_live(archived)?,
            None => branches::learn(app, scope, branch).await?,
        }
    }
    Ok(())
}
