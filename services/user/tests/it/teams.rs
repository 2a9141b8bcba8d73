//! Teams.

use crate::support::{create, events, house, team};
use http::Method;
use serde_json::{Value, json};
use stoa_contracts::user::MAX_TEAM;
use stoa_policy::DataScope;
use stoa_types::new_id;

// covers: CRM-03
#[tokio::test]
async fn the_life_of_a_team() {
    let house = house().await;
    let admin = house.user(house.tenant(&[]), "all", &[]);
    let alice = create(admin, "Alice", "alice@acme.example", json!({})).await.id();
    let bob = create(admin, "Bob", "bob@acme.example", json!({})).await.id();
    let mut members = [alice, bob];
    members.sort();
    let created = admin
        .post("/api/teams", json!({ "name": "Sales East" }))
        .await
        .expect(201);
    let path = created.header("location").to_owned();
    assert_eq!(
        (&created.body["memberIds"], &created.body["memberCount"]),
        (&json!([]), &json!(0))
    );
    admin
        .post("/api/teams", json!({ "name": "SALES  east" }))
        .await
        .problem(409, "teams.name_taken");

    let body = json!({ "name": "East", "description": "Where the sun rises" });
    admin
        .change(Method::PUT, &path, "\"1\"", Some(body.clone()))
        .await
        .expect(200);
    admin
        .change(Method::PUT, &path, "\"1\"", Some(body.clone()))
        .await
        .problem(412, "request.stale");
    let all = format!("{path}/members");
    let body = json!({ "memberIds": [bob, alice, bob] });
    admin
        .change(Method::PUT, &all, "\"1\"", Some(body.clone()))
        .await
        .problem(412, "request.stale");
    let set = admin
        .change(Method::PUT, &all, "\"2\"", Some(body.clone()))
        .await
        .expect(200);
    assert_eq!(
        (&set.body["memberIds"], &set.body["memberCount"]),
        (&json!(members), &json!(2))
    );
    let same = admin
        .change(Method::PUT, &all, "\"3\"", Some(body))
        .await
        .expect(200);
    assert_eq!(same.header("etag"), "\"3\"", "nothing changed");

    let of_alice = format!("{all}/{alice}");
    let without = admin.send(Method::DELETE, &of_alice, &[], None).await.expect(200);
    assert_eq!(without.body["memberIds"], json!([bob]));
    admin
        .send(Method::DELETE, &of_alice, &[], None)
        .await
        .problem(404, "request.not_found");
    for version in ["\"5\"", "\"5\""] {
        let with = admin.post(&of_alice, json!(null)).await.expect(200);
        assert_eq!(
            (&with.body["memberIds"], with.header("etag")),
            (&json!(members), version)
        );
    }
    let read = admin.get(&path).await.expect(200);
    assert_eq!(read.body["memberIds"], json!(members));
    let known = admin
        .send(Method::GET, &path, &[("if-none-match", "\"5\"")], None)
        .await;
    assert_eq!(known.status, 304);

    admin
        .change(Method::DELETE, &path, "\"5\"", None)
        .await
        .expect(204);
    admin.get(&path).await.problem(404, "request.not_found");
    admin
        .post(&of_alice, json!(null))
        .await
        .problem(409, "teams.archived");
    admin
        .send(Method::DELETE, &of_alice, &[], None)
        .await
        .problem(409, "teams.archived");
    admin
        .change(Method::PUT, &all, "*", Some(json!({ "memberIds": [] })))
        .await
        .problem(409, "teams.archived");
    admin
        .change(Method::PUT, &path, "*", Some(json!({ "name": "X" })))
        .await
        .problem(409, "teams.archived");
    assert_eq!(admin.get("/api/teams?archived=true").await.each("name"), ["East"]);
    let restored = admin
        .post(&format!("{path}/restore"), json!(null))
        .await
        .expect(200);
    assert_eq!(restored.body["memberIds"], json!(members));
    admin
        .post(&format!("{path}/restore"), json!(null))
        .await
        .problem(409, "teams.not_archived");

    let told = events(&house, created.id()).await;
    let states: Vec<_> = told
        .iter()
        .map(|(_, data)| (data["members"].clone(), data["version"].clone()))
        .collect();
    let (both, none): (Value, Value) = (json!(members), json!([]));
    let expected = [
        none.clone(),
        none.clone(),
        both.clone(),
        json!([bob]),
        both.clone(),
        none,
        both,
    ];
    let expected: Vec<_> = expected
        .into_iter()
        .zip(1..)
        .map(|(m, v)| (m, json!(v)))
        .collect();
    assert_eq!(states, expected);
    assert!(told.iter().all(|(name, _)| name == "team.changed.v1"));
}

// covers: CRM-03
#[tokio::test]
async fn members_are_live_users_and_not_too_many() {
    let house = house().await;
    let admin = house.user(house.tenant(&[]), "all", &[]);
    let path = team(admin, "East").await;
    let gone = create(admin, "Gone", "gone@acme.example", json!({})).await;
    admin
        .change(Method::DELETE, gone.header("location"), "*", None)
        .await
        .expect(204);
    let stranger = house.user(house.tenant(&[]), "all", &[]);
    let foreign = create(stranger, "Foreign", "foreign@other.example", json!({})).await;
    for id in [gone.id(), foreign.id(), new_id()] {
        admin
            .post(&format!("{path}/members/{id}"), json!(null))
            .await
            .problem(404, "request.not_found");
        let body = json!({ "memberIds": [id] });
        let refused = admin
            .change(Method::PUT, &format!("{path}/members"), "*", Some(body))
            .await
            .expect(422);
        assert_eq!(refused.body["errors"][0]["pointer"], "/memberIds");
    }
    let many: Vec<_> = (0..=MAX_TEAM).map(|_| new_id()).collect();
    let refused = admin
        .change(
            Method::PUT,
            &format!("{path}/members"),
            "*",
            Some(json!({ "memberIds": many })),
        )
        .await
        .expect(422);
    assert_eq!(refused.body["errors"][0]["rule"], "length");

    // A full team takes nobody more.
    let fill = format!(
        "insert into \"user\".team_member select tenant_id, id, gen_random_uuid() from \"user\".team, generate_series(1, {MAX_TEAM})"
    );
    house.admin.batch_execute(&fill).await.unwrap();
    let late = create(admin, "Late", "late@acme.example", json!({})).await.id();
    admin
        .post(&format!("{path}/members/{late}"), json!(null))
        .await
        .problem(409, "teams.full");
}

// covers: CRM-03
#[tokio::test]
async fn whoever_lacks_the_right_is_refused() {
    let house = house().await;
    let tenant = house.tenant(&[("reader", "teams:read", DataScope::All)]);
    let admin = house.user(tenant, "all", &[]);
    let path = team(admin, "East").await;
    let alice = create(admin, "Alice", "alice@acme.example", json!({})).await.id();
    let (name, members) = (json!({ "name": "West" }), json!({ "memberIds": [] }));
    let stranger = house.user(house.tenant(&[]), "all", &[]);
    let reader = house.user(tenant, "reader", &[]);
    reader.get(&path).await.expect(200);
    stranger.get(&path).await.problem(404, "request.not_found");
    assert!(stranger.get("/api/teams").await.each("name").is_empty());
    for (user, status, code) in [
        (stranger, 404, "request.not_found"),
        (reader, 403, "auth.forbidden"),
    ] {
        user.change(Method::PUT, &path, "*", Some(name.clone()))
            .await
            .problem(status, code);
        user.change(Method::DELETE, &path, "*", None)
            .await
            .problem(status, code);
        user.post(&format!("{path}/restore"), json!(null))
            .await
            .problem(status, code);
        user.change(
            Method::PUT,
            &format!("{path}/members"),
            "*",
            Some(members.clone()),
        )
        .await
        .problem(status, code);
        user.post(&format!("{path}/members/{alice}"), json!(null))
            .await
            .problem(status, code);
        user.change(Method::DELETE, &format!("{path}/members/{alice}"), "*", None)
            .await
            .problem(status, code);
    }
    reader
        .post("/api/teams", name.clone())
        .await
        .problem(403, "auth.forbidden");
    // Teams have no owner: the scope `own` reaches none.
    let own = house.user(tenant, "own", &[]);
    own.get(&path).await.problem(404, "request.not_found");
    own.post("/api/teams", name).await.problem(403, "auth.forbidden");

    for (body, pointer) in [
        (json!({ "name": "" }), "/name"),
        (json!({ "name": "x".repeat(201) }), "/name"),
        (
            json!({ "name": "West", "description": "x".repeat(1_001) }),
            "/description",
        ),
        (json!({ "name": "West", "colour": "red" }), "/colour"),
    ] {
        let refused = admin.post("/api/teams", body).await.expect(422);
        assert_eq!(refused.body["errors"][0]["pointer"], pointer, "{refused:?}");
    }
}

// covers: CRM-03
#[tokio::test]
async fn teams_are_found_by_name_and_member() {
    let house = house().await;
    let admin = house.user(house.tenant(&[]), "all", &[]);
    let alice = create(admin, "Alice", "alice@acme.example", json!({})).await.id();
    let east = team(admin, "Đông").await;
    team(admin, "Tây").await;
    admin
        .post(&format!("{east}/members/{alice}"), json!(null))
        .await
        .expect(200);
    let names = async |query: &str| {
        let page = admin.get(&format!("/api/teams{query}")).await.expect(200);
        page.each("name")
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(names("").await, ["Đông", "Tây"]);
    assert_eq!(names("?sort=-name").await, ["Tây", "Đông"]);
    assert_eq!(names("?search=dong").await, ["Đông"]);
    assert_eq!(names(&format!("?userId={alice}")).await, ["Đông"]);
    let sparse = admin
        .get("/api/teams?fields=memberCount&limit=1")
        .await
        .expect(200);
    assert_eq!(
        sparse.body["items"][0].as_object().unwrap().len(),
        2,
        "{sparse:?}"
    );
    assert_eq!(sparse.body["items"][0]["memberCount"], 1);
}

// covers: CRM-03
#[tokio::test]
async fn an_archived_user_never_stays_in_a_team() {
    let house = house().await;
    let admin = house.user(house.tenant(&[]), "all", &[]);
    let path = team(admin, "East").await;
    for n in 0..12 {
        let user = create(admin, "Alice", &format!("alice{n}@acme.example"), json!({})).await;
        let member = format!("{path}/members/{}", user.id());
        let (added, archived) = futures::future::join(
            admin.post(&member, json!(null)),
            admin.change(Method::DELETE, user.header("location"), "*", None),
        )
        .await;
        assert!(matches!(added.status, 200 | 404), "{added:?}");
        archived.expect(204);
        assert_eq!(admin.get(&path).await.body["memberIds"], json!([]), "round {n}");
    }
}
