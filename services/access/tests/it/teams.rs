use crate::events::{emit, reads, team};
use crate::harness::{Process, database, until};
use serde_json::json;
use stoa_contracts::user::{MAX_TEAM, TeamChanged};
use stoa_kernel::request::Identity;
use stoa_types::{BranchId, TeamId, TenantId, UserId};

/// A role with the scope `team`, held by everybody in `users`.
async fn give_team_scope(process: &Process, admin: (TenantId, UserId), users: &[UserId]) {
    let role = process
        .send(admin, "POST /api/iam/roles", Some(json!({"name": "mate"})), &[])
        .await
        .expect(201);
    let grants = format!("POST /api/iam/roles/{}/grants", role["id"].as_str().unwrap());
    let grant = json!({"permission": "customers:read", "scope": "team"});
    process.send(admin, &grants, Some(grant), &[]).await.expect(201);
    for user in users {
        process.assign(admin.0, *user, "mate", None).await;
    }
}

// covers: AZ-04
#[tokio::test]
async fn team_mates_see_each_others_rows_as_teams_change() {
    let database = database().await;
    let (process, other) = (Process::start(&database).await, Process::start(&database).await);
    let admin = process.tenant("teams").await;
    let tenant = admin.0;
    let [ann, ben, cem, dora] = [(); 4].map(|()| UserId::new());
    give_team_scope(&process, admin, &[ann, ben, cem, dora]).await;
    let branch = BranchId::new();
    let sees = async |user, owner| reads(&other, (tenant, user), owner, branch).await;
    assert!(sees(ann, ann).await && !sees(ann, ben).await, "alone");

    let [east, west] = [(); 2].map(|()| TeamId::new());
    emit(&process, tenant, team(east, &[ann, ben], 1)).await;
    emit(&process, tenant, team(west, &[ben, cem], 1)).await;
    until("both teams are known", async || {
        sees(ann, ben).await && sees(cem, ben).await
    })
    .await;
    assert!(sees(ben, ann).await && sees(ben, cem).await, "in both teams");
    assert!(!sees(ann, cem).await && !sees(dora, ben).await);

    // Another replaces Ben in the east: all three are concerned.
    emit(&process, tenant, team(east, &[ann, dora], 3)).await;
    until("Dora is in the team", async || {
        sees(ann, dora).await && sees(dora, ann).await && !sees(ann, ben).await && !sees(ben, ann).await
    })
    .await;
    assert!(sees(ben, cem).await);

    // What is older comes too late, and an archived team has no members whatever its event says.
    emit(&process, tenant, team(east, &[ann, ben, dora], 2)).await;
    let archived = TeamChanged {
        archived: true,
        ..team(west, &[ben, cem], 2)
    };
    emit(&process, tenant, archived).await;
    until("the west is no more", async || {
        !sees(ben, cem).await && !sees(cem, ben).await
    })
    .await;
    assert!(!sees(ann, ben).await && sees(ann, dora).await);
    emit(&process, tenant, team(west, &[ben, cem], 3)).await;
    until("the west is back", async || sees(ben, cem).await).await;
}

// covers: AZ-04, TN-02
#[tokio::test]
async fn a_large_team_reaches_all_and_its_tenant_only() {
    let database = database().await;
    let process = Process::start(&database).await;
    let admin = process.tenant("large").await;
    let foreign = process.tenant("foreign").await;
    let members: Vec<UserId> = (0..MAX_TEAM).map(|_| UserId::new()).collect();
    let (first, last) = (members[0], members[MAX_TEAM - 1]);
    give_team_scope(&process, admin, &[first, last]).await;
    give_team_scope(&process, foreign, &[first]).await;
    let branch = BranchId::new();
    let sees = async |tenant, user, owner| reads(&process, (tenant, user), owner, branch).await;
    assert!(!sees(admin.0, first, last).await && !sees(foreign.0, first, last).await);

    let of = async |user| {
        let identity = Identity {
            tenant: admin.0,
            user,
        };
        process.context.decisions.caller(identity).await.unwrap()
    };
    let before = of(first).await;
    emit(&process, admin.0, team(TeamId::new(), &members, 1)).await;
    until("everybody sees the team", async || {
        sees(admin.0, first, last).await && sees(admin.0, last, first).await
    })
    .await;
    assert!(!sees(foreign.0, first, last).await);
    let after = of(first).await;
    assert!(
        after.subject().belongs_to(before.policy()),
        "the policy stayed in memory"
    );
    assert!(after.grants().revision > before.grants().revision);
    // One entry for all of them.
    let path = "GET /api/iam/changes?kind=team.changed";
    let changes = process.send(admin, path, None, &[]).await.expect(200);
    assert_eq!(changes["items"].as_array().unwrap().len(), 1, "{changes:#}");
    let change = &changes["items"][0];
    assert_eq!(change.get("userId"), Some(&serde_json::Value::Null));
    assert_eq!(change["after"]["members"].as_array().unwrap().len(), MAX_TEAM);
}
