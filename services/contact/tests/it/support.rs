//! The contact service with an organization service that knows every branch but [`NO_BRANCH`], a customer service that
//! shows a user what [`Others`] says, and a user service in which `ann` and `bob` have their handles and every id but
//! [`NO_USER`] is somebody.

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use stoa_contracts::customer::{SeeCustomers, SeenCustomer, SeenCustomers};
use stoa_contracts::organization::{Branch, GetBranch};
use stoa_contracts::user::{FindUsers, FoundUsers};
use stoa_kernel::mesh::Calls;
use stoa_kernel::{Problem, Scope};
use stoa_testkit::service::{Answer, House, User};
use stoa_types::{BranchId, CustomerId, OrganizationId, UserId};
use uuid::Uuid;

/// The one branch that does not exist.
pub(crate) const NO_BRANCH: BranchId = BranchId(Uuid::from_u128(404));
/// A branch that is archived.
pub(crate) const ARCHIVED_BRANCH: BranchId = BranchId(Uuid::from_u128(410));
pub(crate) const ANN: UserId = UserId(Uuid::from_u128(1));
pub(crate) const BOB: UserId = UserId(Uuid::from_u128(2));
/// The one user who does not exist.
pub(crate) const NO_USER: UserId = UserId(Uuid::from_u128(404));

/// What the other services know.
#[derive(Clone, Default)]
pub(crate) struct Others {
    /// Who sees which customers, and whether these are archived.
    sees: Arc<Mutex<BTreeSet<(UserId, CustomerId)>>>,
    archived: Arc<Mutex<BTreeSet<CustomerId>>>,
    /// How often the organization service was asked.
    pub(crate) asked_for_branches: Arc<AtomicU32>,
    /// How often the user service was asked.
    pub(crate) asked_for_users: Arc<AtomicU32>,
    /// Whether nobody may see any customers: `customers:read` is not held.
    pub(crate) no_customers: Arc<AtomicBool>,
}

impl Others {
    /// A customer that these users see.
    pub(crate) fn customer(&self, users: &[User<'_>]) -> CustomerId {
        let id = CustomerId::new();
        let mut sees = self.sees.lock().unwrap();
        sees.extend(users.iter().map(|user| (user.id, id)));
        id
    }

    pub(crate) fn archive(&self, customer: CustomerId) {
        self.archived.lock().unwrap().insert(customer);
    }

    fn calls(&self) -> Calls {
        let (branches, users, customers) = (self.clone(), self.clone(), self.clone());
        Calls::new()
            .on(move |_, GetBranch { id }| {
                branches.asked_for_branches.fetch_add(1, Ordering::SeqCst);
                async move { branch(id) }
            })
            .on(move |_, FindUsers { keys }| {
                users.asked_for_users.fetch_add(1, Ordering::SeqCst);
                let known = BTreeMap::from([("@ann", ANN), ("@bob", BOB), ("@bobby", BOB)]);
                let by_id = |key: &str| key.parse().ok().filter(|user| *user != NO_USER);
                let find = |key: &String| known.get(key.as_str()).copied().or_else(|| by_id(key));
                let users = keys.iter().map(find).collect();
                async move { Ok(FoundUsers { users }) }
            })
            .on(move |scope, call| {
                let seen = customers.see(&scope, &call);
                async move { seen }
            })
    }

    fn see(&self, scope: &Scope, call: &SeeCustomers) -> Result<SeenCustomers, Problem> {
        if self.no_customers.load(Ordering::SeqCst) {
            return Err(Problem::forbidden("you lack customers:read"));
        }
        let user = scope.user().unwrap();
        let (sees, archived) = (self.sees.lock().unwrap(), self.archived.lock().unwrap());
        let seen = call.ids.iter().filter(|id| sees.contains(&(user, **id)));
        let customers = seen
            .map(|id| SeenCustomer {
                id: *id,
                owner_id: user,
                branch_id: BranchId::new(),
                archived: archived.contains(id),
            })
            .collect();
        Ok(SeenCustomers { customers })
    }
}

fn branch(id: BranchId) -> Result<Branch, Problem> {
    if id == NO_BRANCH {
        return Err(Problem::not_found("branch"));
    }
    Ok(Branch {
        id,
        organization: OrganizationId(Uuid::nil()),
        parent: None,
        name: "Branch".to_owned(),
        path: vec![id],
        archived: id == ARCHIVED_BRANCH,
        version: 1,
    })
}

pub(crate) async fn house() -> (House, Others) {
    let others = Others::default();
    let house = House::start(stoa_contact::service, others.calls()).await;
    (house, others)
}

/// Creates a contact and returns its path.
pub(crate) async fn contact(user: User<'_>, name: &str) -> String {
    let created = user
        .post("/api/contacts", json!({ "name": name }))
        .await
        .expect(201);
    created.header("location").to_owned()
}

/// Logs a note with these further fields.
pub(crate) async fn note(user: User<'_>, fields: Value) -> Answer {
    let mut body = json!({ "kind": "note", "subject": "Note" });
    let more = fields.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(more);
    user.post("/api/interactions", body).await
}

/// The id at the end of a path.
pub(crate) fn id_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}
