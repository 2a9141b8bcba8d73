//! The customer service with an organization service that knows every branch but [`NO_BRANCH`], and a user service that
//! knows every user but [`NO_USER`].

use crate::harness::{Answer, House, User};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use stoa_contracts::organization::{Branch, GetBranch};
use stoa_contracts::user::{FindUsers, FoundUsers};
use stoa_kernel::Problem;
use stoa_kernel::mesh::Calls;
use stoa_types::{BranchId, OrganizationId, UserId};
use uuid::Uuid;

/// The one branch that does not exist.
pub(crate) const NO_BRANCH: BranchId = BranchId(Uuid::from_u128(404));
/// A branch that is archived.
pub(crate) const ARCHIVED_BRANCH: BranchId = BranchId(Uuid::from_u128(410));

/// The one user who does not exist.
pub(crate) const NO_USER: UserId = UserId(Uuid::from_u128(404));

pub(crate) async fn house() -> House {
    let calls = branches(Arc::default()).on(|_, call: FindUsers| async move {
        let find = |key: String| key.parse().ok().filter(|user| *user != NO_USER);
        let users = call.keys.into_iter().map(find).collect();
        Ok(FoundUsers { users })
    });
    House::start(stoa_customer::service, calls).await
}

/// Counts how often it is asked.
pub(crate) fn branches(asked: Arc<AtomicU32>) -> Calls {
    Calls::new().on(move |_, GetBranch { id }| {
        asked.fetch_add(1, Ordering::SeqCst);
        async move {
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
    })
}

/// Creates a customer with this name and these further fields.
pub(crate) async fn create(user: User<'_>, name: &str, fields: Value) -> Answer {
    let mut body = json!({ "name": name });
    body.as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    user.post("/api/customers", body).await.expect(201)
}
