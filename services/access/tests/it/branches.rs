use crate::harness::{Process, TEST, database, until};
use std::time::Duration;
use stoa_contracts::organization::{Branch, BranchCreated, BranchMoved};
use stoa_kernel::Event;
use stoa_kernel::request::Identity;
use stoa_policy::Value;
use stoa_types::{BranchId, OrganizationId, TenantId, UserId};

/// As the organization service would, in a transaction of the tenant.
async fn emit<E: Event>(process: &Process, tenant: TenantId, event: E) {
    let mut scope = TEST.scope(tenant, Duration::from_secs(5));
    let mut tx = process.context.db.app.begin(&mut scope);
    stoa_eventlog::append(&mut tx, &process.context.clock, &event).unwrap();
    tx.commit().await.unwrap();
}

fn branch(id: BranchId, above: &[BranchId], version: i64) -> Branch {
    Branch {
        id,
        organization: OrganizationId(uuid::Uuid::from_u128(1)),
        parent: above.last().copied(),
        name: "branch".into(),
        path: above.iter().copied().chain([id]).collect(),
        archived: false,
        version,
    }
}

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

    let reads = async |user: UserId, owner: UserId, branch: BranchId| {
        let caller = process
            .context
            .decisions
            .caller(Identity { tenant, user })
            .await
            .unwrap();
        let row = [
            ("ownerId", Value::Uuid(owner.uuid())),
            ("branchId", Value::Uuid(branch.uuid())),
        ];
        caller.decide("customers:read", Some(&row)).allowed
    };
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
