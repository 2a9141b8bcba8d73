//! What a batch of rows does: each row against the customers that it is about, and against the rows before it.
//!
//! Pure but for the decisions, which are in memory: the database is read before and written after, in a few statements
//! for the whole batch.

use super::mapping::Target;
use super::reading::{References, Said};
use super::rows::Fault;
use super::{Defaults, KeyField, Mode, Settings};
use crate::model::{Customer, CustomerInput, Field, checked_custom, next_statuses};
use crate::store::bulk::{Changes, Told};
use crate::{CreateCustomers, ReadCustomers, UpdateCustomers};
use std::collections::HashMap;
use stoa_contracts::customer::CustomerStatus;
use stoa_kernel::db::Origin;
use stoa_kernel::{Clock, Permission, Problem, Record, Rights};
use stoa_types::{BranchId, CustomerId, UserId};

/// What the batch may do, decided with what the user holds now.
pub(crate) struct Holder {
    /// For the rows that become customers.
    pub(crate) create: Option<Rights<CreateCustomers>>,
    /// For the rows that change customers.
    pub(crate) update: Option<Rights<UpdateCustomers>>,
}

/// What came of the rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) created: i64,
    pub(crate) updated: i64,
    pub(crate) unchanged: i64,
}

/// A batch in the making.
pub(crate) struct Batch<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) targets: &'a [Option<Target>],
    pub(crate) fields: &'a [Field],
    pub(crate) references: &'a References,
    pub(crate) holder: &'a Holder,
    pub(crate) origin: &'a Origin,
    pub(crate) clock: &'a Clock,
    pub(crate) counts: Counts,
    working: Vec<Working>,
    by_key: HashMap<(KeyField, String), usize>,
    /// Who has an address or a key, of the live customers that the batch could meet.
    emails: HashMap<String, CustomerId>,
    keys: HashMap<String, CustomerId>,
    told: Vec<Told>,
}

struct Working {
    /// As it is stored; none for a new one.
    before: Option<Customer>,
    now: Customer,
}

/// What the database knew before the batch.
pub(crate) struct Known {
    /// The customers that rows are about, locked.
    pub(crate) customers: Vec<Customer>,
    /// Who has the e-mail addresses of the rows.
    pub(crate) emails: Vec<(String, CustomerId)>,
    /// Who has the external keys of the rows.
    pub(crate) keys: Vec<(String, CustomerId)>,
}

/// Everything that a batch works with.
pub(crate) struct Surroundings<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) targets: &'a [Option<Target>],
    pub(crate) fields: &'a [Field],
    pub(crate) references: &'a References,
    pub(crate) holder: &'a Holder,
    pub(crate) origin: &'a Origin,
    pub(crate) clock: &'a Clock,
}

impl<'a> Batch<'a> {
    /// A batch over what is known.
    pub(crate) fn new(around: Surroundings<'a>, known: Known) -> Self {
        let mut batch = Self {
            settings: around.settings,
            targets: around.targets,
            fields: around.fields,
            references: around.references,
            holder: around.holder,
            origin: around.origin,
            clock: around.clock,
            counts: Counts::default(),
            working: Vec::with_capacity(known.customers.len()),
            by_key: HashMap::new(),
            emails: known.emails.into_iter().collect(),
            keys: known.keys.into_iter().collect(),
            told: Vec::new(),
        };
        for customer in known.customers {
            let (email, key) = (customer.email.clone(), customer.external_key.clone());
            batch.emails.extend(email.map(|email| (email, customer.id)));
            batch.keys.extend(key.map(|key| (key, customer.id)));
            batch.remember(None, &customer, batch.working.len());
            batch.working.push(Working {
                before: Some(customer.clone()),
                now: customer,
            });
        }
        batch
    }

    /// Notes what a customer is found by from now on.
    fn remember(&mut self, before: Option<&Customer>, now: &Customer, position: usize) {
        for field in self.settings.keys() {
            let old = before.and_then(|before| key_of(field, before));
            let new = key_of(field, now);
            if let Some(old) = old.filter(|old| new.as_ref() != Some(old)) {
                self.by_key.remove(&(field, old));
            }
            if let Some(new) = new {
                self.by_key.insert((field, new), position);
            }
        }
    }

    /// Does what a row says.
    ///
    /// # Errors
    /// Why the row is refused; nothing has changed then.
    pub(crate) fn row(&mut self, cells: &[String]) -> Result<(), Vec<Fault>> {
        let said = Said {
            columns: &self.settings.columns,
            targets: self.targets,
            cells,
            escaped: self.settings.is_csv(),
        };
        let key = said.key(self.settings.keys()).map_err(|fault| vec![fault])?;
        let found = key.as_ref().and_then(|key| self.by_key.get(key).copied());
        let seen = found.filter(|position| self.sees(*position));
        let field = key.map(|(field, _)| field);
        match (self.settings.mode, seen, field) {
            (Mode::Update | Mode::Upsert, Some(position), _) => self.update(&said, position),
            (Mode::Update, None, None) => Err(self.no_key(&said)),
            // An id that is not there and one that is out of sight look the same.
            (Mode::Update, None, Some(field)) | (Mode::Upsert, None, Some(field @ KeyField::Id)) => {
                let detail = "there is no such customer, or you may not see it";
                Err(said.fault(field.field(), "unknown", detail))
            }
            (Mode::Create, Some(_), Some(field)) => Err(taken(&said, field)),
            (_, None, Some(field)) if found.is_some() && field != KeyField::Id => Err(taken(&said, field)),
            (Mode::Create | Mode::Upsert, _, _) => self.create(&said),
        }
    }

    /// Whether the user of the import may know of a customer.
    fn sees(&self, position: usize) -> bool {
        let update = self.holder.update.as_ref().map(Rights::caller);
        let caller = update.or(self.holder.create.as_ref().map(Rights::caller));
        let customer = self.working.get(position).map(|working| &working.now);
        caller.zip(customer).is_some_and(|(caller, customer)| {
            [ReadCustomers::NAME, UpdateCustomers::NAME]
                .into_iter()
                .any(|permission| caller.decide(permission, Some(customer)).allowed)
        })
    }

    /// A row without a key, where it needs one.
    fn no_key(&self, said: &Said<'_>) -> Vec<Fault> {
        let fields: Vec<_> = self.settings.keys().map(KeyField::field).collect();
        match fields.as_slice() {
            [field] => said.fault(field, "required", "is required, to find the customer"),
            _ => {
                let detail = format!("one of {} is required, to find the customer", fields.join(", "));
                vec![Fault::of_row("required", detail)]
            }
        }
    }

    fn create(&mut self, said: &Said<'_>) -> Result<(), Vec<Fault>> {
        let Defaults {
            owner,
            branch,
            status,
        } = self.settings.defaults;
        let base = CustomerInput {
            owner_id: owner,
            branch_id: branch,
            status,
            ..CustomerInput::default()
        };
        let input = self.input(said, base, None)?;
        let (branch, owner) = placed(said, &input)?;
        let record = Record::new(self.origin, self.clock);
        let customer = Customer::new(CustomerId::new(), input, branch, owner, record);
        let rights = self
            .holder
            .create
            .as_ref()
            .ok_or_else(|| said.faults_of(not_held()))?;
        rights
            .to_become(&customer)
            .map_err(|problem| said.faults_of(problem))?;
        self.claim(said, None, &customer)?;
        self.told.push(Told::Created(customer.created()));
        self.remember(None, &customer, self.working.len());
        self.working.push(Working {
            before: None,
            now: customer,
        });
        self.counts.created += 1;
        Ok(())
    }

    fn update(&mut self, said: &Said<'_>, position: usize) -> Result<(), Vec<Fault>> {
        let Some(before) = self.working.get(position).map(|working| working.now.clone()) else {
            return Ok(());
        };
        let refused = |problem: Problem| said.faults_of(problem);
        let rights = self.holder.update.as_ref().ok_or_else(|| refused(not_held()))?;
        rights.on::<ReadCustomers>(&before, "customer").map_err(refused)?;
        let input = self.input(said, CustomerInput::from(&before), Some(&before))?;
        let status = input.status.unwrap_or(before.status);
        let mut after = before.with(input);
        let mut told = Vec::new();
        let fields = before.changed_fields(&after);
        if !fields.is_empty() {
            after.record = before.record.changed(self.origin, self.clock);
            told.push(Told::Updated(after.updated(fields)));
        }
        if status != before.status {
            check_move(said, before.status, status)?;
            after.status = status;
            after.record = after.record.changed(self.origin, self.clock);
            told.push(Told::StatusChanged(after.status_changed(before.status)));
        }
        if told.is_empty() {
            self.counts.unchanged += 1;
            return Ok(());
        }
        rights.to_become(&after).map_err(refused)?;
        self.claim(said, Some(&before), &after)?;
        self.told.append(&mut told);
        self.remember(Some(&before), &after, position);
        if let Some(working) = self.working.get_mut(position) {
            working.now = after;
        }
        self.counts.updated += 1;
        Ok(())
    }

    /// The row over `base`, checked like a request.
    fn input(
        &self,
        said: &Said<'_>,
        base: CustomerInput,
        before: Option<&Customer>,
    ) -> Result<CustomerInput, Vec<Fault>> {
        let input = said.over(base, self.fields, self.references)?;
        let input = input.checked().map_err(|problem| said.faults_of(problem))?;
        let nothing = serde_json::Map::new();
        let stored = before.map_or(&nothing, |before| &before.custom);
        let given = input.custom.as_ref().unwrap_or(stored);
        let custom = checked_custom(self.fields, given, stored).map_err(|problem| said.faults_of(problem))?;
        Ok(CustomerInput {
            custom: Some(custom),
            ..input
        })
    }

    /// Takes the addresses and keys of a customer, unless another live one has them.
    fn claim(
        &mut self,
        said: &Said<'_>,
        before: Option<&Customer>,
        after: &Customer,
    ) -> Result<(), Vec<Fault>> {
        let taken = |known: &HashMap<String, CustomerId>, wanted: &Option<String>| {
            let holder = wanted.as_ref().and_then(|wanted| known.get(wanted));
            holder.is_some_and(|holder| *holder != after.id)
        };
        if taken(&self.emails, &after.email) {
            return Err(said.fault("email", "unique", "another customer has this e-mail address"));
        }
        if taken(&self.keys, &after.external_key) {
            return Err(said.fault("externalKey", "unique", "this key is taken"));
        }
        let moved = |known: &mut HashMap<String, CustomerId>, old: Option<&String>, new: Option<&String>| {
            if old != new {
                old.map(|old| known.remove(old));
                new.map(|new| known.insert(new.clone(), after.id));
            }
        };
        moved(
            &mut self.emails,
            before.and_then(|b| b.email.as_ref()),
            after.email.as_ref(),
        );
        let old = before.and_then(|b| b.external_key.as_ref());
        moved(&mut self.keys, old, after.external_key.as_ref());
        Ok(())
    }

    /// What is to be written.
    pub(crate) fn changes(self) -> Changes {
        let mut changes = Changes {
            told: self.told,
            ..Changes::default()
        };
        for Working { before, now } in self.working {
            match before {
                None => changes.created.push(now),
                Some(before) if before != now => changes.changed.push((before, now)),
                Some(_) => {}
            }
        }
        changes
    }
}

/// What a customer is found by.
fn key_of(field: KeyField, customer: &Customer) -> Option<String> {
    match field {
        KeyField::Id => Some(customer.id.to_string()),
        KeyField::ExternalKey => customer.external_key.clone(),
        KeyField::Email => customer.email.clone(),
    }
}

/// Somebody has the row's key, perhaps out of the user's sight.
fn taken(said: &Said<'_>, field: KeyField) -> Vec<Fault> {
    said.fault(field.field(), "exists", "this key is taken")
}

fn placed(said: &Said<'_>, input: &CustomerInput) -> Result<(BranchId, UserId), Vec<Fault>> {
    let Some(branch) = input.branch_id else {
        return Err(said.fault(
            "branch",
            "required",
            "is required: neither the row nor the import names one",
        ));
    };
    let Some(owner) = input.owner_id else {
        return Err(said.fault(
            "owner",
            "required",
            "is required: neither the row nor the import names one",
        ));
    };
    Ok((branch, owner))
}

fn check_move(said: &Said<'_>, from: CustomerStatus, to: CustomerStatus) -> Result<(), Vec<Fault>> {
    let next = next_statuses(from);
    if next.contains(&to) {
        return Ok(());
    }
    let problem = crate::error::no_such_move(from, next);
    Err(said.fault("status", "status_move", &problem.detail))
}

fn not_held() -> Problem {
    Problem::forbidden("the import may not do this with what its user holds")
}
