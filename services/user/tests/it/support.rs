//! The user service with an identity service that knows addresses of `elsewhere.test`, and an access service that
//! remembers who was given what.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use stoa_contracts::Done;
use stoa_contracts::access::{
    Act, GrantRole, HeldRole, HeldRoles, MayActFor, PermissionsOf, RoleGranted, RoleWithdrawn, RolesOf,
    UserPermissions, WithdrawRole,
};
use stoa_contracts::identity::{CheckEmail, EmailAvailability};
use stoa_contracts::user::{ImportUsers, NewUser};
use stoa_kernel::mesh::Calls;
use stoa_kernel::{Problem, Scope, SystemScope};
use stoa_testkit::service::{Answer, House, User};
use stoa_types::{RoleId, TenantId, UserId};
use uuid::Uuid;

/// Whoever holds this role holds more than everybody who does not.
pub(crate) const MORE: RoleId = RoleId(Uuid::from_u128(1));
/// Whoever holds this role is the last administrator.
pub(crate) const LAST: RoleId = RoleId(Uuid::from_u128(2));

/// Who holds what and was given it by whom, as the access service would know.
type Held = Arc<Mutex<BTreeMap<(UserId, RoleId), UserId>>>;

pub(crate) async fn house() -> House {
    let held = Held::default();
    let (grant, withdraw, list, acting) = (held.clone(), held.clone(), held.clone(), held);
    let others = Calls::new()
        .on(|_, call: CheckEmail| async move {
            let available = !call.email.ends_with("@elsewhere.test");
            Ok(EmailAvailability { available })
        })
        .on(move |scope, call: MayActFor| {
            let held = acting.lock().unwrap();
            let holds = |role| held.contains_key(&(call.user, role));
            let equal = held.contains_key(&(scope.user().unwrap(), MORE));
            let answer = if holds(MORE) && !equal {
                let status = http::StatusCode::FORBIDDEN;
                Err(Problem::new(
                    status,
                    "iam.exceeds_own_rights",
                    "Forbidden",
                    "more",
                ))
            } else if call.act == Act::Archive && holds(LAST) {
                Err(Problem::conflict("iam.last_administrator", "the last"))
            } else {
                Ok(Done {})
            };
            async move { answer }
        })
        .on(move |scope, call: GrantRole| {
            let (giver, mut held) = (scope.user().unwrap(), grant.lock().unwrap());
            let created = !held.contains_key(&(call.user, call.role));
            let by = *held.entry((call.user, call.role)).or_insert(giver);
            let role = HeldRole {
                valid_from: call.valid_from,
                valid_until: call.valid_until,
                created_by: by.to_string(),
                ..held_role(call.role)
            };
            async move {
                Ok(RoleGranted {
                    role,
                    created,
                    revision: 1,
                })
            }
        })
        .on(move |_, call: WithdrawRole| {
            let was_held = withdraw.lock().unwrap().remove(&(call.user, call.role)).is_some();
            async move {
                if was_held {
                    return Ok(RoleWithdrawn { revision: 1 });
                }
                Err(Problem::not_found("role"))
            }
        })
        .on(move |_, call: RolesOf| {
            let held = list.lock().unwrap();
            let of_user = held.keys().filter(|(user, _)| *user == call.user);
            let roles = of_user.map(|(_, role)| held_role(*role)).collect();
            async move { Ok(HeldRoles { roles }) }
        })
        .on(|_, call: PermissionsOf| async move {
            Ok(UserPermissions {
                user_id: call.user,
                revision: 1,
                roles: vec!["all".to_owned()],
                branch_id: None,
                permissions: Vec::new(),
            })
        });
    House::start(stoa_user::service, others).await
}

fn held_role(role: RoleId) -> HeldRole {
    HeldRole {
        role_id: role,
        name: "some".to_owned(),
        valid_from: None,
        valid_until: None,
        created_at: "2026-01-01T00:00:00Z".parse().unwrap(),
        created_by: "test".to_owned(),
    }
}

/// Creates a user with this name and address and these further fields.
pub(crate) async fn create(admin: User<'_>, name: &str, email: &str, fields: Value) -> Answer {
    let mut body = json!({ "name": name, "email": email });
    let more = fields.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(more);
    admin.post("/api/users", body).await.expect(201)
}

/// Creates a team and returns its path.
pub(crate) async fn team(admin: User<'_>, name: &str) -> String {
    let created = admin
        .post("/api/teams", json!({ "name": name }))
        .await
        .expect(201);
    created.header("location").to_owned()
}

/// The platform's own scope in a tenant.
pub(crate) fn platform(tenant: TenantId) -> Scope {
    SystemScope::named("platform.test").scope(tenant, Duration::from_secs(10))
}

/// Gives a signed-in user a profile.
pub(crate) async fn with_profile(house: &House, user: User<'_>, name: &str, email: &str) {
    let new = NewUser {
        id: user.id,
        email: email.to_owned(),
        name: name.to_owned(),
        title: None,
    };
    let users = vec![new];
    let mut scope = platform(user.tenant);
    house.mesh.call(&mut scope, ImportUsers { users }).await.unwrap();
}

/// The events about one user or team, in order: their types without prefix, and their data.
pub(crate) async fn events(house: &House, about: Uuid) -> Vec<(String, Value)> {
    let sql = "select type, data from log.event where aggregate_id = $1 order by seq";
    let rows = house.admin.query(sql, &[&about]).await.unwrap();
    rows.iter()
        .map(|row| {
            let name: String = row.get(0);
            (name.replace("dev.stoa.user.", ""), row.get(1))
        })
        .collect()
}
