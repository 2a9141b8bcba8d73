//! What takes more than the permission: changing others who hold more, and what one sees oneself.

use crate::support::{LAST, MORE, create, house, team, with_profile};
use http::Method;
use serde_json::{Value, json};
use stoa_policy::DataScope;
use stoa_testkit::service::until;

// covers: CRM-03, AZ-01
#[tokio::test]
async fn the_sign_in_name_of_somebody_who_holds_more_stays() {
    let house = house().await;
    let tenant = house.tenant(&[
        ("help", "users:read", DataScope::All),
        ("help", "users:update", DataScope::All),
        ("help", "users:archive", DataScope::All),
    ]);
    let (admin, help) = (house.user(tenant, "all", &[]), house.user(tenant, "help", &[]));
    with_profile(&house, admin, "Admin", "admin@acme.example").await;
    let mine = format!("/api/users/{}/roles", admin.id);
    admin.post(&mine, json!({ "roleId": MORE })).await.expect(201);
    let boss = create(admin, "Boss", "boss@acme.example", json!({})).await;
    let path = boss.header("location").to_owned();
    admin
        .post(&format!("{path}/roles"), json!({ "roleId": MORE }))
        .await
        .expect(201);

    let taken_over = json!({ "name": "Boss", "email": "help@acme.example" });
    help.change(Method::PUT, &path, "*", Some(taken_over.clone()))
        .await
        .problem(403, "iam.exceeds_own_rights");
    help.change(Method::DELETE, &path, "*", None)
        .await
        .problem(403, "iam.exceeds_own_rights");
    assert_eq!(admin.get(&path).await.body["email"], "boss@acme.example");
    // What does not lead to signing in is the permission's alone.
    let renamed = json!({ "name": "The boss", "email": "boss@acme.example" });
    help.change(Method::PUT, &path, "*", Some(renamed))
        .await
        .expect(200);

    // Nor does somebody bring back who holds more.
    let restore = format!("{path}/restore");
    admin.change(Method::DELETE, &path, "*", None).await.expect(204);
    help.post(&restore, json!(null))
        .await
        .problem(403, "iam.exceeds_own_rights");
    admin.post(&restore, json!(null)).await.expect(200);

    admin
        .send(Method::DELETE, &format!("{path}/roles/{MORE}"), &[], None)
        .await
        .expect(204);
    help.change(Method::PUT, &path, "*", Some(taken_over))
        .await
        .expect(200);
    help.change(Method::DELETE, &path, "*", None).await.expect(204);
    help.post(&restore, json!(null)).await.expect(200);

    // One's own address takes no more than the permission.
    with_profile(&house, help, "Help", "me@acme.example").await;
    let mine = json!({ "name": "Help", "email": "mine@acme.example" });
    help.change(Method::PUT, &format!("/api/users/{}", help.id), "*", Some(mine))
        .await
        .expect(200);
}

// covers: CRM-03, AZ-02
#[tokio::test]
async fn the_last_administrator_is_not_archived() {
    let house = house().await;
    let admin = house.user(house.tenant(&[]), "all", &[]);
    let last = create(admin, "Last", "last@acme.example", json!({})).await;
    let path = last.header("location");
    let roles = format!("{path}/roles");
    admin.post(&roles, json!({ "roleId": LAST })).await.expect(201);
    admin
        .change(Method::DELETE, path, "*", None)
        .await
        .problem(409, "iam.last_administrator");
    admin
        .send(Method::DELETE, &format!("{roles}/{LAST}"), &[], None)
        .await
        .expect(204);
    let key = [("if-match", "*"), ("idempotency-key", "gone")];
    for _ in 0..2 {
        admin.send(Method::DELETE, path, &key, None).await.expect(204);
    }
}

// covers: CRM-03, AZ-04
#[tokio::test]
async fn nobody_widens_what_they_see_by_their_teams() {
    let house = house().await;
    let tenant = house.tenant(&[
        ("lead", "teams:read", DataScope::All),
        ("lead", "teams:write", DataScope::All),
    ]);
    let (admin, lead) = (house.user(tenant, "all", &[]), house.user(tenant, "lead", &[]));
    with_profile(&house, lead, "Lead", "lead@acme.example").await;
    let alice = create(admin, "Alice", "alice@acme.example", json!({})).await.id();
    let bob = create(admin, "Bob", "bob@acme.example", json!({})).await.id();
    let path = team(lead, "East").await;
    let members = format!("{path}/members");
    let replace = async |ids: Value| {
        let body = json!({ "memberIds": ids });
        lead.change(Method::PUT, &members, "*", Some(body)).await
    };
    let add = async |id: &dyn std::fmt::Display| lead.post(&format!("{members}/{id}"), json!(null)).await;
    const REFUSED: (u16, &str) = (403, "teams.widens_own_view");

    add(&alice).await.expect(200);
    add(&lead.id).await.problem(REFUSED.0, REFUSED.1);
    replace(json!([alice, lead.id]))
        .await
        .problem(REFUSED.0, REFUSED.1);
    // Once in it, by an administrator, nobody else comes in by the own hand; leaving is free.
    admin
        .post(&format!("{members}/{}", lead.id), json!(null))
        .await
        .expect(200);
    add(&bob).await.problem(REFUSED.0, REFUSED.1);
    replace(json!([alice, bob, lead.id]))
        .await
        .problem(REFUSED.0, REFUSED.1);
    add(&alice).await.expect(200);
    lead.change(Method::DELETE, &path, "*", None).await.expect(204);
    let restore = format!("{path}/restore");
    lead.post(&restore, json!(null))
        .await
        .problem(REFUSED.0, REFUSED.1);
    admin.post(&restore, json!(null)).await.expect(200);
    replace(json!([alice, bob])).await.expect(200);

    // Alone in it, one sees nobody else's rows.
    admin
        .change(
            Method::PUT,
            &members,
            "*",
            Some(json!({ "memberIds": [lead.id] })),
        )
        .await
        .expect(200);
    lead.change(Method::DELETE, &path, "*", None).await.expect(204);
    lead.post(&restore, json!(null)).await.expect(200);
}

/// An archived team could be restored in the same moment, and would tell of a member who is gone.
// covers: CRM-03
#[tokio::test]
async fn who_is_archived_waits_for_their_archived_teams() {
    let house = house().await;
    let admin = house.user(house.tenant(&[]), "all", &[]);
    let user = create(admin, "Alice", "alice@acme.example", json!({})).await;
    let path = team(admin, "East").await;
    admin
        .post(&format!("{path}/members/{}", user.id()), json!(null))
        .await
        .expect(200);
    admin.change(Method::DELETE, &path, "*", None).await.expect(204);

    let lock = "begin; select from \"user\".team for update";
    house.admin.batch_execute(lock).await.unwrap();
    let release = async {
        until("the team's lock is waited for", async || {
            let sql = "select count(*) from pg_stat_activity
                       where datname = current_database() and wait_event_type = 'Lock'";
            house.admin.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) > 0
        })
        .await;
        house.admin.batch_execute("commit").await.unwrap();
    };
    let archive = admin.change(Method::DELETE, user.header("location"), "*", None);
    let (archived, ()) = futures::future::join(archive, release).await;
    archived.expect(204);
    let restored = admin
        .post(&format!("{path}/restore"), json!(null))
        .await
        .expect(200);
    assert_eq!(restored.body["memberIds"], json!([]));
}
