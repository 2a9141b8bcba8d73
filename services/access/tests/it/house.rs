//! A tenant whose boss hands out roles, and calls on behalf of users.

use crate::events::{branch, emit};
use crate::harness::{Process, database, until};
use axum::extract::FromRequestParts;
use http::Request;
use serde_json::{Value, json};
use std::time::Duration;
use stoa_contracts::access::{GrantRole, RoleGranted, RolesOf};
use stoa_contracts::organization::BranchCreated;
use stoa_kernel::allowed::SignedIn;
use stoa_kernel::mesh::Call;
use stoa_kernel::request::{Identity, RequestContext};
use stoa_kernel::{CallError, Problem, Scope};
use stoa_testkit::postgres::TestDatabase;
use stoa_types::{BranchId, RoleId, TenantId, UserId};
use tokio::time::Instant;

pub(crate) type User = (TenantId, UserId);

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
pub(crate) fn refused<T: std::fmt::Debug>(answer: Result<T, CallError>) -> Problem {
    match answer {
        Err(CallError::Refused(problem)) => *problem,
        other => unreachable!("not refused: {other:?}"),
    }
}

pub(crate) fn give(user: UserId, role: RoleId) -> GrantRole {
    GrantRole {
        user,
        role,
        valid_from: None,
        valid_until: None,
    }
}

/// A tenant with an administrator and a boss, who assigns roles and may work with the customers of the branch `north`,
/// which lies below `head`, and of `below`.
pub(crate) struct House {
    pub(crate) process: Process,
    pub(crate) admin: User,
    pub(crate) boss: User,
    pub(crate) head: BranchId,
    pub(crate) north: BranchId,
    pub(crate) below: BranchId,
    pub(crate) database: TestDatabase,
}

impl House {
    pub(crate) async fn start(slug: &str) -> Self {
        let database = database().await;
        let process = Process::start(&database).await;
        let admin = process.tenant(slug).await;
        let boss = (admin.0, UserId::new());
        let [head, north, below] = [(); 3].map(|()| BranchId::new());
        let house = Self {
            process,
            admin,
            boss,
            head,
            north,
            below,
            database,
        };
        for (id, above) in [(head, &[][..]), (north, &[head]), (below, &[head, north])] {
            emit(&house.process, admin.0, BranchCreated::from(branch(id, above, 1))).await;
        }
        house.settle(boss.1, north).await;
        let grants = [("users:assign", "all"), ("customers:*", "branchAndBelow")];
        let role = house.role("boss", &[], &grants).await;
        house.assign(boss.1, role).await;
        house.follow().await;
        house
    }

    /// Gives a user a home branch, once that is known.
    pub(crate) async fn settle(&self, user: UserId, branch: BranchId) {
        let path = format!("PUT /api/iam/users/{user}/branch");
        until("the branch is known", async || {
            let body = json!({"branchId": branch});
            self.process.send(self.admin, &path, Some(body), &[]).await.status == 200
        })
        .await;
    }

    /// A user at home in a branch.
    pub(crate) async fn newcomer(&self, branch: BranchId) -> UserId {
        let user = UserId::new();
        self.settle(user, branch).await;
        user
    }

    pub(crate) async fn role(&self, name: &str, parents: &[RoleId], grants: &[(&str, &str)]) -> RoleId {
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

    pub(crate) async fn grant(&self, role: &str, permission: &str, scope: &str, effect: &str) {
        let path = format!("POST /api/iam/roles/{role}/grants");
        let body = json!({"permission": permission, "scope": scope, "effect": effect});
        self.process
            .send(self.admin, &path, Some(body), &[])
            .await
            .expect(201);
    }

    pub(crate) async fn default_role(&self, name: &str) -> RoleId {
        let roles = self.read("GET /api/iam/roles?limit=100").await;
        let roles = roles["items"].as_array().unwrap();
        let found = roles.iter().find(|role| role["name"] == name).unwrap();
        found["id"].as_str().unwrap().parse().unwrap()
    }

    pub(crate) async fn read(&self, request: &str) -> Value {
        self.process
            .send(self.admin, request, None, &[])
            .await
            .expect(200)
    }

    pub(crate) async fn assign(&self, user: UserId, role: RoleId) {
        let granted = as_user(&self.process, self.admin, give(user, role))
            .await
            .unwrap();
        assert!(granted.created);
    }

    /// Waits until this process decides by everything that was written.
    pub(crate) async fn follow(&self) {
        let changes = self.read("GET /api/iam/changes?limit=1").await;
        let revision = changes["items"][0]["revision"].as_i64().unwrap();
        until("the changes are followed", async || {
            self.process.context.decisions.followed(self.admin.0) >= revision
        })
        .await;
    }

    pub(crate) async fn boss_gives(&self, user: UserId, role: RoleId) -> Result<RoleGranted, CallError> {
        as_user(&self.process, self.boss, give(user, role)).await
    }

    pub(crate) async fn held(&self, user: UserId) -> Vec<String> {
        let roles = as_user(&self.process, self.boss, RolesOf { user }).await.unwrap();
        roles.roles.into_iter().map(|role| role.name).collect()
    }
}
