//! Acting for others, and users who are archived.

use crate::events::{branch, emit};
use crate::harness::until;
use crate::house::{House, User, as_user, give, refused};
use jiff::SignedDuration;
use serde_json::json;
use stoa_contracts::Done;
use stoa_contracts::access::{Act, DescribeSubject, GrantRole, MayActFor, WithdrawRole};
use stoa_contracts::organization::BranchMoved;
use stoa_contracts::user::{UserArchived, UserRestored};
use stoa_kernel::CallError;
use stoa_kernel::request::Identity;
use stoa_types::UserId;

async fn acts(house: &House, caller: User, user: UserId) -> Result<Done, CallError> {
    let call = MayActFor {
        user,
        act: Act::ChangeSignInName,
    };
    as_user(&house.process, caller, call).await
}

async fn archives(house: &House, caller: User, user: UserId) -> Result<Done, CallError> {
    let call = MayActFor {
        user,
        act: Act::Archive,
    };
    as_user(&house.process, caller, call).await
}

async fn archived(house: &House, user: UserId, version: i64) {
    let event = UserArchived {
        user_id: user,
        version,
    };
    emit(&house.process, house.admin.0, event).await;
}

async fn may(house: &House, (tenant, user): User, permission: &str) -> bool {
    let identity = Identity { tenant, user };
    let caller = house.process.context.decisions.caller(identity).await.unwrap();
    caller.decide(permission, None).allowed
}

// covers: AZ-01, CRM-03
#[tokio::test]
async fn nobody_acts_for_somebody_who_holds_more() {
    let house = House::start("acting").await;
    let reader = house.role("reader", &[], &[("customers:read", "branch")]).await;
    let own = house.role("agent", &[], &[("customers:read", "own")]).await;
    let (above, equal) = (
        house.newcomer(house.head).await,
        house.newcomer(house.north).await,
    );
    house.assign(above, reader).await;
    house.assign(equal, reader).await;
    let agent = house.newcomer(house.north).await;
    house.assign(agent, own).await;
    let agent_boss = (house.admin.0, UserId::new());
    house.assign(agent_boss.1, own).await;
    // A right to come counts; one that is over does not.
    let (soon, late) = (UserId::new(), UserId::new());
    let now = house.process.context.clock.now();
    let hour = SignedDuration::from_hours(1);
    let admin = house.default_role("admin").await;
    let future = GrantRole {
        valid_from: Some(now + hour),
        ..give(soon, admin)
    };
    as_user(&house.process, house.admin, future).await.unwrap();
    let past = GrantRole {
        valid_until: Some(now - hour),
        ..give(late, admin)
    };
    as_user(&house.process, house.admin, past).await.unwrap();
    house.follow().await;

    for (user, why) in [
        (house.admin.1, "an administrator"),
        (above, "the same scope, measured from a higher branch"),
        (soon, "a right to come"),
    ] {
        for answer in [
            acts(&house, house.boss, user).await,
            archives(&house, house.boss, user).await,
        ] {
            let refusal = refused(answer);
            assert_eq!(
                (refusal.status, refusal.code.as_ref()),
                (403, "iam.exceeds_own_rights"),
                "{why}"
            );
        }
        acts(&house, house.admin, user).await.unwrap();
    }
    // Somebody's own rows are nobody else's: who works as them has these too, who archives them does not.
    let refusal = refused(acts(&house, agent_boss, agent).await);
    assert_eq!(refusal.code, "iam.exceeds_own_rights");
    archives(&house, agent_boss, agent).await.unwrap();
    for user in [equal, late, UserId::new(), house.boss.1] {
        acts(&house, house.boss, user).await.unwrap();
        archives(&house, house.boss, user).await.unwrap();
    }
    // The platform itself acts for nobody, and a foreign administrator finds nobody who holds anything.
    let call = MayActFor {
        user: equal,
        act: Act::ChangeSignInName,
    };
    assert_eq!(refused(house.process.call(house.admin.0, call).await).status, 403);
}

// covers: AZ-02, CRM-03
#[tokio::test]
async fn two_administrators_do_not_archive_each_other() {
    let house = House::start("each-other").await;
    let admin = house.default_role("admin").await;
    let last = refused(archives(&house, house.boss, house.admin.1).await);
    assert_eq!(last.code, "iam.exceeds_own_rights");
    let second = (house.admin.0, UserId::new());
    house.assign(second.1, admin).await;
    house.follow().await;
    archives(&house, house.admin, second.1).await.unwrap();
    // The event has not come, and who sent the first command may send the call again.
    archives(&house, house.admin, second.1).await.unwrap();
    let refusal = refused(archives(&house, second, house.admin.1).await);
    assert_eq!(
        (refusal.status, refusal.code.as_ref()),
        (409, "iam.last_administrator")
    );
    let take = WithdrawRole {
        user: house.admin.1,
        role: admin,
    };
    let refusal = refused(as_user(&house.process, second, take.clone()).await);
    assert_eq!(refusal.code, "iam.last_administrator");

    // The command failed: some minutes later both count again.
    house.process.context.clock.advance(SignedDuration::from_mins(11));
    archives(&house, second, house.admin.1).await.unwrap();
    // Back at once when the event says so.
    let event = UserRestored {
        user_id: house.admin.1,
        version: 3,
    };
    emit(&house.process, house.admin.0, event).await;
    until("the administrator is back", async || {
        archives(&house, house.admin, second.1).await.is_ok()
    })
    .await;
}

// covers: AZ-01, AZ-02, CRM-03
#[tokio::test]
async fn who_is_archived_holds_nothing_until_they_are_back() {
    let house = House::start("archived").await;
    let admin = house.default_role("admin").await;
    let second = (house.admin.0, UserId::new());
    house.assign(second.1, admin).await;
    house.follow().await;
    assert!(may(&house, house.boss, "users:assign").await);
    assert!(may(&house, second, "iam:write").await);

    archived(&house, house.boss.1, 2).await;
    archived(&house, second.1, 2).await;
    until("both hold nothing", async || {
        !may(&house, house.boss, "users:assign").await && !may(&house, second, "iam:write").await
    })
    .await;
    let refusal = refused(as_user(&house.process, house.boss, give(UserId::new(), admin)).await);
    assert_eq!(refusal.status, 403);
    let describe = DescribeSubject { user: house.boss.1 };
    let described = house.process.call(house.admin.0, describe).await.unwrap();
    assert!(described.roles.is_empty(), "{described:?}");
    // An archived administrator keeps no tenant administrable.
    let take = WithdrawRole {
        user: house.admin.1,
        role: admin,
    };
    let refusal = refused(as_user(&house.process, house.admin, take.clone()).await);
    assert_eq!(refusal.code, "iam.last_administrator");

    // What is older comes too late, and does not keep the others waiting.
    let back = UserRestored {
        user_id: second.1,
        version: 3,
    };
    emit(&house.process, house.admin.0, back).await;
    archived(&house, second.1, 2).await;
    until("the administrator is back", async || {
        may(&house, second, "iam:write").await
    })
    .await;
    assert!(!may(&house, house.boss, "users:assign").await);
    as_user(&house.process, house.admin, take).await.unwrap();
    let changes = "GET /api/iam/changes?kind=subject.archived";
    let kinds = house.process.send(second, changes, None, &[]).await.expect(200);
    assert_eq!(kinds["items"].as_array().unwrap().len(), 2);
    assert_eq!(kinds["items"][0]["after"]["archived"], json!(true));
}

/// Who asks for a branch's organization and the events of branches lock the same rows in the same order: the lock of
/// policy writes first.
// covers: AZ-04
#[tokio::test]
async fn events_of_branches_wait_for_policy_writes_before_they_lock_a_branch() {
    let house = House::start("locks").await;
    house.newcomer(house.below).await;
    let client = house.database.connect_as_superuser().await.unwrap();
    let watcher = house.database.connect_as_superuser().await.unwrap();
    let hold = format!(
        "begin; select pg_advisory_xact_lock({})",
        stoa_access::CHANGE_LOCK
    );
    client.batch_execute(&hold).await.unwrap();
    let moved = branch(house.below, &[house.head], 2);
    let event = BranchMoved::from(moved);
    emit(&house.process, house.admin.0, event).await;
    until("the event waits", async || {
        let sql = "select count(*) from pg_locks where locktype = 'advisory' and not granted
                   and database = (select oid from pg_database where datname = current_database())";
        watcher.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) > 0
    })
    .await;
    let lock = "select id from access.branch where id = $1 for update nowait";
    let free = watcher.query(lock, &[&house.below.uuid()]).await;
    assert_eq!(free.unwrap().len(), 1, "no branch is locked");
    client.batch_execute("commit").await.unwrap();
}
