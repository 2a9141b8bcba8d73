//! Roles given and taken by users who do not write the policy.

use crate::harness::{Process, database, until};
use axum::extract::FromRequestParts;
use http::Request;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::time::Duration;
use stoa_contracts::access::{GrantRole, PermissionsOf, RoleGranted, RolesOf, WithdrawRole};
use stoa_kernel::allowed::SignedIn;
use stoa_kernel::mesh::Call;
use stoa_kernel::request::{Identity, RequestContext};
use stoa_kernel::{CallError, Problem, Scope};
use stoa_policy::DataScope;
use stoa_testkit::postgres::TestDatabase;
use stoa_types::{RoleId, TenantId, UserId};
use tokio::time::Instant;

type User = (TenantId, UserId);

/// The scope of a user's request.
pub(crate) async fn scope_of(process: &Process, (tenant, user): User) -> Scope {
    let context = RequestContext::new(
        Some(Identity { tenant, user }),
        process.context.decisions.clone(),
        Instant::now() + Duration::from_secs(10),
        stoa_types::new_id(),
        "0".repeat(32).into(),
        None,
    );
    let request = Request::builder().extension(context).body(()).unwrap();
    let (mut parts, ()) = request.into_parts();
    let signed_in = SignedIn::from_request_parts(&mut parts, &()).await;
    signed_in.unwrap().scope
}

/// A call in the scope of a user's request, as a service makes it that works for the user.
pub(crate) async fn as_user<C: Call>(process: &Process, user: User, call: C) -> Result<C::Reply, CallError> {
    let mut scope = scope_of(process, user).await;
    process.context.mesh.call(&mut scope, call).await
}

#[track_caller]
fn refused<T: std::fmt::Debug>(answer: Result<T, CallError>) -> Problem {
    match answer {
        Err(CallError::Refused(problem)) => *problem,
        other => unreachable!("not refused: {other:?}"),
    }
}

fn give(user: UserId, role: RoleId) -> GrantRole {
    GrantRole {
        user,
        role,
        valid_from: None,
        valid_until: None,
    }
}

/// A tenant with an administrator and a boss, who assigns roles and may work with the customers of the branch.
struct House {
    process: Process,
    admin: User,
    boss: User,
    _database: TestDatabase,
}

impl House {
    async fn start(slug: &str) -> Self {
        let database = database().await;
        let process = Process::start(&database).await;
        let admin = process.tenant(slug).await;
        let boss = (admin.0, UserId::new());
        let house = Self {
            process,
            admin,
            boss,
            _database: database,
        };
        let grants = [("users:assign", "all"), ("customers:*", "branchAndBelow")];
        let role = house.role("boss", &[], &grants).await;
        house.assign(boss.1, role).await;
        house.follow().await;
        house
    }

    async fn role(&self, name: &str, parents: &[RoleId], grants: &[(&str, &str)]) -> RoleId {
        let body = json!({"name": name, "parents": parents});
        let made = self
            .process
            .send(self.admin, "POST /api/iam/roles", Some(body), &[])
            .await
            .expect(201);
        for (permission, scope) in grants {
            self.grant(made["id"].as_str().unwrap(), permission, scope, "allow")
                .await;
        }
        made["id"].as_str().unwrap().parse().unwrap()
    }

    async fn grant(&self, role: &str, permission: &str, scope: &str, effect: &str) {
        let path = format!("POST /api/iam/roles/{role}/grants");
        let body = json!({"permission": permission, "scope": scope, "effect": effect});
        self.process
            .send(self.admin, &path, Some(body), &[])
            .await
            .expect(201);
    }

    async fn default_role(&self, name: &str) -> RoleId {
        let roles = self.read("GET /api/iam/roles?limit=100").await;
        let roles = roles["items"].as_array().unwrap();
        let found = roles.iter().find(|role| role["name"] == name).unwrap();
        found["id"].as_str().unwrap().parse().unwrap()
    }

    async fn read(&self, request: &str) -> Value {
        self.process
            .send(self.admin, request, None, &[])
            .await
            .expect(200)
    }

    async fn assign(&self, user: UserId, role: RoleId) {
        let granted = as_user(&self.process, self.admin, give(user, role))
            .await
            .unwrap();
        assert!(granted.created);
    }

    /// Waits until this process decides by everything that was written.
    async fn follow(&self) {
        let changes = self.read("GET /api/iam/changes?limit=1").await;
        let revision = changes["items"][0]["revision"].as_i64().unwrap();
        until("the changes are followed", async || {
            self.process.context.decisions.followed(self.admin.0) >= revision
        })
        .await;
    }

    async fn boss_gives(&self, user: UserId, role: RoleId) -> Result<RoleGranted, CallError> {
        as_user(&self.process, self.boss, give(user, role)).await
    }

    async fn held(&self, user: UserId) -> Vec<String> {
        let roles = as_user(&self.process, self.boss, RolesOf { user }).await.unwrap();
        roles.roles.into_iter().map(|role| role.name).collect()
    }
}

// covers: AZ-01, AZ-02
#[tokio::test]
async fn a_user_gives_and_takes_the_roles_that_are_within_their_own() {
    let house = House::start("delegation").await;
    let clerk = house
        .role(
            "clerk",
            &[],
            &[("customers:read", "branch"), ("customers:update", "branch")],
        )
        .await;
    let user = UserId::new();
    let given = house.boss_gives(user, clerk).await.unwrap();
    assert!(given.created && given.revision > 0 && given.role.name == "clerk");
    assert_eq!(given.role.created_by, house.boss.1.to_string());
    let again = house.boss_gives(user, clerk).await.unwrap();
    assert_eq!(
        (again.created, again.revision),
        (false, given.revision),
        "as it was"
    );
    let other_period = GrantRole {
        valid_until: Some(house.process.context.clock.now() + SignedDuration::from_hours(1)),
        ..give(user, clerk)
    };
    let refusal = refused(as_user(&house.process, house.boss, other_period).await);
    assert_eq!(refusal.code, "iam.already_assigned");
    assert_eq!(house.held(user).await, ["clerk"]);

    // As an assignment by HTTP would leave it: the record, and who did it.
    let list = house.read(&format!("GET /api/iam/assignments?user={user}")).await;
    assert_eq!(list["items"][0]["createdBy"], json!(house.boss.1));
    let changes = house.read(&format!("GET /api/iam/changes?user={user}")).await;
    let change = &changes["items"][0];
    assert_eq!(
        (&change["kind"], &change["actor"], &change["revision"]),
        (
            &json!("assignment.created"),
            &json!(house.boss.1),
            &json!(given.revision)
        )
    );
    house.follow().await;
    let held = as_user(&house.process, house.boss, PermissionsOf { user })
        .await
        .unwrap();
    let read = held.permissions.iter().find(|p| p.permission == "customers:read");
    assert_eq!(read.unwrap().scope, Some(DataScope::Branch));
    let by_http = house.read(&format!("GET /api/iam/permissions/user/{user}")).await;
    assert_eq!(by_http, serde_json::to_value(&held).unwrap());

    let take = WithdrawRole { user, role: clerk };
    let taken = as_user(&house.process, house.boss, take.clone()).await.unwrap();
    assert_eq!(taken.revision, given.revision + 1);
    assert!(house.held(user).await.is_empty());
    let refusal = refused(as_user(&house.process, house.boss, take).await);
    assert_eq!(refusal.status, 404);
}

// covers: AZ-01, AZ-02
#[tokio::test]
async fn nobody_hands_out_more_than_they_hold() {
    let house = House::start("escalation").await;
    let (user, myself) = (UserId::new(), house.boss.1);
    let admin = house.default_role("admin").await;
    let manager = house.default_role("manager").await;
    let wide = house
        .role("wide", &[], &[("customers:read", "organization")])
        .await;
    let policy = house.role("policy", &[], &[("iam:write", "own")]).await;
    let heir = house.role("heir", &[wide], &[]).await;
    let denying = house.role("denying", &[], &[]).await;
    house
        .grant(&denying.to_string(), "customers:archive", "all", "deny")
        .await;
    for role in [admin, manager, wide, policy, heir, denying] {
        for whom in [user, myself] {
            let refusal = refused(house.boss_gives(whom, role).await);
            assert_eq!(
                (refusal.status, refusal.code.as_ref()),
                (403, "iam.exceeds_own_rights"),
                "{refusal:?}"
            );
        }
    }
    let unknown = refused(house.boss_gives(user, RoleId::new()).await);
    assert_eq!(
        (unknown.status, unknown.errors[0].pointer.as_str()),
        (422, "/roleId")
    );

    // Nor takes more: from an administrator, or a denial from oneself.
    house.assign(myself, denying).await;
    house.follow().await;
    for (whom, role) in [(house.admin.1, admin), (myself, denying)] {
        let take = WithdrawRole { user: whom, role };
        let refusal = refused(as_user(&house.process, house.boss, take).await);
        assert_eq!(refusal.code, "iam.exceeds_own_rights");
    }
    // What a denial refuses cannot be given either.
    let archivist = house
        .role("archivist", &[], &[("customers:archive", "branch")])
        .await;
    let reader = house.role("reader", &[], &[("customers:read", "branch")]).await;
    assert_eq!(refused(house.boss_gives(user, archivist).await).status, 403);
    house.boss_gives(user, reader).await.unwrap();

    // Who holds nothing of the kind gives nothing, whatever the role; nor does the platform by itself.
    let nobody = (house.admin.0, UserId::new());
    let empty = house.role("empty", &[], &[]).await;
    let refusal = refused(as_user(&house.process, nobody, give(user, empty)).await);
    assert_eq!((refusal.status, refusal.code.as_ref()), (403, "auth.forbidden"));
    let refusal = refused(house.process.call(house.admin.0, give(user, empty)).await);
    assert_eq!(refusal.status, 403);
    // A foreign administrator finds neither the role nor its holder.
    let foreign = house.process.tenant("escalation-abroad").await;
    assert_eq!(
        refused(as_user(&house.process, foreign, give(user, reader)).await).status,
        422
    );
    let take = WithdrawRole { user, role: reader };
    assert_eq!(refused(as_user(&house.process, foreign, take).await).status, 404);
    assert_eq!(house.held(user).await, ["reader"]);
}

// covers: AZ-01
#[tokio::test]
async fn a_right_for_a_while_is_not_given_for_longer() {
    let house = House::start("while").await;
    let now = house.process.context.clock.now();
    let hours = |n: i64| Some(now + SignedDuration::from_hours(n));
    let temporary = (house.admin.0, UserId::new());
    let assigner = house.role("assigner", &[], &[("users:assign", "all")]).await;
    let reader = house.role("reader", &[], &[("customers:read", "branch")]).await;
    house.assign(temporary.1, assigner).await;
    let held = GrantRole {
        valid_until: hours(2),
        ..give(temporary.1, reader)
    };
    as_user(&house.process, house.admin, held).await.unwrap();
    house.follow().await;
    let gives = async |from: Option<Timestamp>, until: Option<Timestamp>| {
        let call = GrantRole {
            valid_from: from,
            valid_until: until,
            ..give(UserId::new(), reader)
        };
        as_user(&house.process, temporary, call).await
    };
    for until in [None, hours(3)] {
        let refusal = refused(gives(None, until).await);
        assert_eq!(refusal.code, "iam.exceeds_own_rights");
    }
    for until in [hours(1), hours(2)] {
        assert!(gives(None, until).await.unwrap().created);
    }
    let reversed = refused(gives(hours(2), hours(1)).await);
    assert_eq!(reversed.errors[0].pointer, "/validUntil");
    // Taking the own role and giving it back without an end is no way out.
    let take = WithdrawRole {
        user: temporary.1,
        role: reader,
    };
    as_user(&house.process, temporary, take).await.unwrap();
    let refusal = refused(as_user(&house.process, temporary, give(temporary.1, reader)).await);
    assert_eq!(refusal.code, "iam.exceeds_own_rights");
}

// covers: AZ-02
#[tokio::test]
async fn the_last_administrator_stays_whoever_takes_the_role() {
    let house = House::start("last-admin").await;
    let admin = house.default_role("admin").await;
    let take = WithdrawRole {
        user: house.admin.1,
        role: admin,
    };
    let refusal = refused(as_user(&house.process, house.admin, take.clone()).await);
    assert_eq!(refusal.code, "iam.last_administrator");
    let barred = house.role("barred", &[], &[]).await;
    house.grant(&barred.to_string(), "iam:*", "all", "deny").await;
    let refusal = refused(as_user(&house.process, house.admin, give(house.admin.1, barred)).await);
    assert_eq!(refusal.code, "iam.last_administrator");

    house.assign(house.boss.1, admin).await;
    house.follow().await;
    as_user(&house.process, house.boss, take).await.unwrap();
}

// covers: AZ-04
#[tokio::test]
async fn who_may_assign_for_own_rows_assigns_to_themselves_only() {
    let house = House::start("own-rows").await;
    let selfish = (house.admin.0, UserId::new());
    let role = house
        .role(
            "selfish",
            &[],
            &[("users:assign", "own"), ("customers:read", "own")],
        )
        .await;
    let reader = house.role("reader", &[], &[("customers:read", "own")]).await;
    house.assign(selfish.1, role).await;
    house.follow().await;
    let other = as_user(&house.process, selfish, give(UserId::new(), reader)).await;
    assert_eq!(refused(other).code, "auth.forbidden");
    as_user(&house.process, selfish, give(selfish.1, reader))
        .await
        .unwrap();
}

// covers: AZ-02
#[tokio::test]
async fn grants_at_once_are_one_grant() {
    let house = House::start("at-once").await;
    let (user, reader) = (
        UserId::new(),
        house.role("reader", &[], &[("customers:read", "branch")]).await,
    );
    let (a, b) = tokio::join!(house.boss_gives(user, reader), house.boss_gives(user, reader));
    let created = [a.unwrap().created, b.unwrap().created];
    assert_ne!(created[0], created[1], "one of them found the other's");
    assert_eq!(house.held(user).await, ["reader"]);
}
