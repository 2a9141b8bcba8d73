//! Roles given and taken by users who do not write the policy.

use crate::events::{emit, team};
use crate::harness::until;
use crate::house::{House, as_user, give, refused};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use stoa_contracts::access::{GrantRole, PermissionsOf, WithdrawRole};
use stoa_policy::DataScope;
use stoa_types::{RoleId, TeamId, UserId};

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
    let user = house.newcomer(house.north).await;
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
    let (user, myself) = (house.newcomer(house.north).await, house.boss.1);
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
    let reader = house.role("reader", &[], &[("customers:read", "own")]).await;
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

/// The same scope means more to somebody whose home is higher.
// covers: AZ-01, AZ-02
#[tokio::test]
async fn a_role_is_given_to_those_within_reach_only() {
    let house = House::start("reach").await;
    let branch_role = house.role("reader", &[], &[("customers:read", "branch")]).await;
    let below_role = house
        .role("leader", &[], &[("customers:read", "branchAndBelow")])
        .await;
    let (above, beside) = (house.newcomer(house.head).await, UserId::new());
    for user in [above, beside] {
        for role in [branch_role, below_role] {
            let refusal = refused(house.boss_gives(user, role).await);
            assert_eq!(
                (refusal.status, refusal.code.as_ref()),
                (403, "iam.exceeds_own_rights")
            );
        }
    }
    // Nor taken from them.
    house.assign(above, branch_role).await;
    let take = WithdrawRole {
        user: above,
        role: branch_role,
    };
    let refusal = refused(as_user(&house.process, house.boss, take).await);
    assert_eq!(refusal.code, "iam.exceeds_own_rights");
    for branch in [house.north, house.below] {
        let user = house.newcomer(branch).await;
        for role in [branch_role, below_role] {
            assert!(house.boss_gives(user, role).await.unwrap().created);
        }
    }
    // Who moves homes writes the policy.
    let path = format!("PUT /api/iam/users/{}/branch", house.boss.1);
    let body = json!({"branchId": house.head});
    house
        .process
        .send(house.boss, &path, Some(body), &[])
        .await
        .expect(403);
}

// covers: AZ-01, AZ-02
#[tokio::test]
async fn team_rights_are_given_to_those_whose_teams_are_ones_own() {
    let house = House::start("team-reach").await;
    let mates = house.role("mates", &[], &[("customers:read", "team")]).await;
    let lead = (house.admin.0, UserId::new());
    let assigner = house.role("assigner", &[mates], &[("users:assign", "all")]).await;
    house.assign(lead.1, assigner).await;
    house.follow().await;
    let (mate, elsewhere) = (UserId::new(), UserId::new());
    let [east, west] = [(); 2].map(|()| TeamId::new());
    emit(&house.process, lead.0, team(east, &[lead.1, mate, elsewhere], 1)).await;
    emit(&house.process, lead.0, team(west, &[elsewhere], 1)).await;
    until("both teams are known", async || {
        let changes = house
            .read("GET /api/iam/changes?kind=team.changed&limit=100")
            .await;
        changes["items"].as_array().unwrap().len() == 4
    })
    .await;
    for user in [elsewhere, UserId::new()] {
        let refusal = refused(as_user(&house.process, lead, give(user, mates)).await);
        assert_eq!(refusal.code, "iam.exceeds_own_rights");
    }
    as_user(&house.process, lead, give(mate, mates)).await.unwrap();
}

// covers: AZ-02
#[tokio::test]
async fn grants_at_once_are_one_grant() {
    let house = House::start("at-once").await;
    let (user, reader) = (
        house.newcomer(house.below).await,
        house.role("reader", &[], &[("customers:read", "branch")]).await,
    );
    let (a, b) = tokio::join!(house.boss_gives(user, reader), house.boss_gives(user, reader));
    let created = [a.unwrap().created, b.unwrap().created];
    assert_ne!(created[0], created[1], "one of them found the other's");
    assert_eq!(house.held(user).await, ["reader"]);
}
