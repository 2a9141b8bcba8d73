use crate::events::{self, branch, emit};
use crate::harness::{Answer, Process, database, until};
use serde_json::json;
use stoa_contracts::organization::{
    Branch, BranchArchived, BranchCreated, BranchMoved, BranchRenamed, BranchRestored,
};
use stoa_types::{BranchId, OrganizationId, TenantId, UserId};

// covers: AZ-04
#[tokio::test]
async fn a_manager_sees_the_branches_below_as_they_come_and_go() {
    let database = database().await;
    let process = Process::start(&database).await;
    let (tenant, _) = process.tenant("branches").await;
    let [head, north, south, other] = [(); 4].map(|()| BranchId::new());
    let manager = UserId::new();
    process.assign(tenant, manager, "manager", Some(head)).await;
    let alice = UserId::new();
    process.assign(tenant, alice, "representative", Some(north)).await;

    let reads = async |user, owner, branch| events::reads(&process, (tenant, user), owner, branch).await;
    assert!(!reads(manager, alice, north).await, "nothing is below yet");
    for (id, above) in [(head, &[][..]), (other, &[]), (north, &[head]), (south, &[head])] {
        emit(&process, tenant, BranchCreated::from(branch(id, above, 1))).await;
    }
    let bob = UserId::new();
    until("the manager sees both", async || {
        reads(manager, alice, north).await && reads(manager, bob, south).await
    })
    .await;
    assert!(reads(alice, alice, north).await && !reads(alice, bob, north).await);

    emit(&process, tenant, BranchMoved::from(branch(south, &[other], 2))).await;
    until("the branch has gone elsewhere", async || {
        !reads(manager, bob, south).await
    })
    .await;
    assert!(reads(manager, alice, north).await);

    // An old event that comes again, as in a replay, undoes nothing.
    emit(&process, tenant, BranchCreated::from(branch(south, &[head], 1))).await;
    let last = BranchId::new();
    emit(&process, tenant, BranchCreated::from(branch(last, &[head], 1))).await;
    until("the events after it arrived", async || {
        reads(manager, bob, last).await
    })
    .await;
    assert!(!reads(manager, bob, south).await);
}

pub(crate) async fn role_with(process: &Process, admin: (TenantId, UserId), name: &str, scope: &str) {
    let role = process
        .send(admin, "POST /api/iam/roles", Some(json!({"name": name})), &[])
        .await
        .expect(201);
    let grants = format!("POST /api/iam/roles/{}/grants", role["id"].as_str().unwrap());
    let grant = json!({"permission": "customers:read", "scope": scope});
    process.send(admin, &grants, Some(grant), &[]).await.expect(201);
}

// covers: AZ-04
#[tokio::test]
async fn a_branch_and_its_organization_are_scopes_of_their_own() {
    let database = database().await;
    let process = Process::start(&database).await;
    let admin = process.tenant("organization").await;
    let tenant = admin.0;
    role_with(&process, admin, "neighbour", "branch").await;
    role_with(&process, admin, "auditor", "organization").await;
    let [head, north, south, abroad] = [(); 4].map(|()| BranchId::new());
    let [neighbour, auditor, owner] = [(); 3].map(|()| UserId::new());
    process.assign(tenant, neighbour, "neighbour", Some(head)).await;
    process.assign(tenant, auditor, "auditor", Some(north)).await;
    let elsewhere = |id, version| Branch {
        organization: OrganizationId(uuid::Uuid::from_u128(2)),
        ..branch(id, &[], version)
    };
    let sees = async |user| {
        let mut seen = [false; 4];
        for (seen, branch) in seen.iter_mut().zip([head, north, south, abroad]) {
            *seen = events::reads(&process, (tenant, user), owner, branch).await;
        }
        seen
    };
    until(
        "the roles are followed, and no organization is known yet",
        async || {
            sees(neighbour).await == [true, false, false, false]
                && sees(auditor).await == [false, true, false, false]
        },
    )
    .await;

    emit(&process, tenant, BranchCreated::from(branch(head, &[], 1))).await;
    emit(&process, tenant, BranchCreated::from(branch(north, &[head], 1))).await;
    emit(&process, tenant, BranchCreated::from(branch(south, &[], 1))).await;
    emit(&process, tenant, BranchCreated::from(elsewhere(abroad, 1))).await;
    until("the auditor sees the organization", async || {
        sees(auditor).await == [true, true, true, false]
    })
    .await;
    assert_eq!(sees(neighbour).await, [true, false, false, false]);

    // A closed branch keeps its rows, and renaming one changes nobody's rights.
    let changes = async |kind: &str| {
        let path = format!("GET /api/iam/changes?kind={kind}&limit=100");
        let Answer { body, .. } = process.send(admin, &path, None, &[]).await;
        body["items"].as_array().unwrap().len()
    };
    let before = changes("branch.placed").await;
    let closed = Branch {
        archived: true,
        ..branch(south, &[], 2)
    };
    emit(&process, tenant, BranchArchived::from(closed)).await;
    emit(&process, tenant, BranchRestored::from(branch(south, &[], 3))).await;
    emit(&process, tenant, BranchRenamed::from(branch(south, &[], 4))).await;
    emit(&process, tenant, BranchCreated::from(elsewhere(south, 3))).await;
    emit(
        &process,
        tenant,
        BranchMoved::from(branch(south, &[head, north], 5)),
    )
    .await;
    until("the last of these arrived", async || {
        changes("branch.placed").await > before
    })
    .await;
    // One row for the auditor, one for the neighbour above: of the last event alone.
    assert_eq!(changes("branch.placed").await, before + 2);
    assert_eq!(sees(auditor).await, [true, true, true, false]);

    // The home branch decides.
    let moved = format!("PUT /api/iam/users/{auditor}/branch");
    let abroad_now = json!({"branchId": abroad});
    process
        .send(admin, &moved, Some(abroad_now), &[])
        .await
        .expect(200);
    until("the auditor went abroad", async || {
        sees(auditor).await == [false, false, false, true]
    })
    .await;
}
