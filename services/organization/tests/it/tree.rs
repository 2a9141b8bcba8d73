//! The tree of branches.

use crate::harness::{Answer, House, User};
use http::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use stoa_kernel::mesh::Calls;
use stoa_types::BranchId;
use uuid::Uuid;

async fn organization(user: User<'_>) -> String {
    let created = user
        .post("/api/organizations", json!({ "name": "Acme" }))
        .await
        .expect(201);
    format!("{}/branches", created.header("location"))
}

async fn branch(user: User<'_>, branches: &str, name: &str, parent: Option<&Answer>) -> Answer {
    let body = json!({ "name": name, "parentId": parent.map(Answer::id) });
    user.post(branches, body).await.expect(201)
}

async fn relocate(user: User<'_>, moved: &Answer, to: Option<&Answer>) -> Answer {
    let path = format!("/api/branches/{}/move", moved.id());
    user.change(
        Method::POST,
        &path,
        "*",
        Some(json!({ "parentId": to.map(Answer::id) })),
    )
    .await
}

fn path(answer: &Answer) -> Vec<Uuid> {
    serde_json::from_value(answer.body["path"].clone()).unwrap()
}

/// Every event of this type, by branch.
async fn events(house: &House, verb: &str) -> Vec<Value> {
    let kind = format!("dev.stoa.organization.branch.{verb}.v1");
    let rows = house
        .admin
        .query(
            "select data from log.event where type = $1 order by seq",
            &[&kind],
        )
        .await
        .unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

// covers: CRM-02, EV-01
#[tokio::test]
async fn moving_a_branch_moves_everything_below_it_and_tells_of_each() {
    let house = House::start(stoa_organization::service, Calls::new()).await;
    let ada = house.user(house.tenant(&[]), "all", &[]);
    let branches = organization(ada).await;
    let north = branch(ada, &branches, "North", None).await;
    let south = branch(ada, &branches, "South", None).await;
    let city = branch(ada, &branches, "City", Some(&north)).await;
    let shop = branch(ada, &branches, "Shop", Some(&city)).await;
    let closed = branch(ada, &branches, "Closed", Some(&city)).await;
    ada.change(Method::DELETE, closed.header("location"), "*", None)
        .await
        .expect(204);

    let moved = relocate(ada, &city, Some(&south)).await.expect(200);
    assert_eq!(path(&moved), [south.id(), city.id()]);
    let below = ada.get(&format!("/api/branches/{}", shop.id())).await.expect(200);
    assert_eq!(path(&below), [south.id(), city.id(), shop.id()]);
    assert_eq!(below.body["parentId"], json!(city.id()));
    assert_eq!(below.header("etag"), "\"2\"");
    let told: BTreeMap<String, Value> = events(&house, "moved")
        .await
        .into_iter()
        .map(|event| (event["branchId"].as_str().unwrap().to_owned(), event))
        .collect();
    assert_eq!(told.len(), 3, "the archived one too");
    for (branch, version, archived) in [(&city, 2, false), (&shop, 2, false), (&closed, 3, true)] {
        let event = &told[&branch.id().to_string()];
        assert_eq!(
            (&event["version"], &event["archived"]),
            (&json!(version), &json!(archived))
        );
        let sql = "select version, path from organization.branch where id = $1";
        let row = house.admin.query_one(sql, &[&branch.id()]).await.unwrap();
        assert_eq!(
            (row.get::<_, i64>(0), json!(row.get::<_, Vec<Uuid>>(1))),
            (version, event["path"].clone())
        );
    }

    let to_top = relocate(ada, &city, None).await.expect(200);
    assert_eq!(
        (path(&to_top), &to_top.body["parentId"]),
        (vec![city.id()], &json!(null))
    );
    assert_eq!(
        relocate(ada, &city, None).await.expect(200).header("etag"),
        "\"3\"",
        "it was there already"
    );
    assert_eq!(
        ada.get(&format!("/api/branches/{}/children", city.id()))
            .await
            .each("name"),
        ["Shop"]
    );
    assert_eq!(
        ada.get(&branches).await.each("name"),
        ["City", "North", "Shop", "South"]
    );
}

// covers: CRM-02
#[tokio::test]
async fn a_tree_stays_a_tree() {
    let house = House::start(stoa_organization::service, Calls::new()).await;
    let ada = house.user(house.tenant(&[]), "all", &[]);
    let branches = organization(ada).await;
    let mut chain = vec![branch(ada, &branches, "Level 1", None).await];
    for level in 2..=20 {
        let next = branch(ada, &branches, &format!("Level {level}"), chain.last()).await;
        chain.push(next);
    }
    let deeper = json!({ "name": "Level 21", "parentId": chain[19].id() });
    let rule = |answer: Answer| {
        answer.expect(422).body["errors"][0]["rule"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(rule(ada.post(&branches, deeper).await), "depth");
    assert_eq!(rule(relocate(ada, &chain[0], Some(&chain[0])).await), "cycle");
    assert_eq!(rule(relocate(ada, &chain[0], Some(&chain[19])).await), "cycle");
    let pair = branch(ada, &branches, "Pair", None).await;
    branch(ada, &branches, "Of two", Some(&pair)).await;
    assert_eq!(rule(relocate(ada, &pair, Some(&chain[18])).await), "depth");
    relocate(ada, &pair, Some(&chain[17])).await.expect(200);

    let other = ada
        .post("/api/organizations", json!({ "name": "Other" }))
        .await
        .expect(201);
    let foreign = branch(
        ada,
        &format!("{}/branches", other.header("location")),
        "Foreign",
        None,
    )
    .await;
    assert_eq!(rule(relocate(ada, &pair, Some(&foreign)).await), "unknown");
    let missing = json!({ "name": "Lost", "parentId": BranchId::new() });
    assert_eq!(rule(ada.post(&branches, missing).await), "unknown");
    branch(ada, &branches, "Twin", None).await;
    ada.post(&branches, json!({ "name": "TWIN" }))
        .await
        .problem(409, "branches.name_taken");
    branch(ada, &branches, "Twin", Some(&chain[0])).await;
}

// covers: CRM-02
#[tokio::test]
async fn two_moves_at_once_cannot_make_a_circle() {
    let house = House::start(stoa_organization::service, Calls::new()).await;
    let ada = house.user(house.tenant(&[]), "all", &[]);
    let branches = organization(ada).await;
    let one = branch(ada, &branches, "One", None).await;
    let two = branch(ada, &branches, "Two", None).await;
    for _ in 0..20 {
        let (a, b) = tokio::join!(relocate(ada, &one, Some(&two)), relocate(ada, &two, Some(&one)));
        let mut statuses = [a.status, b.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 422], "{a:?} {b:?}");
        relocate(ada, if a.status == 200 { &one } else { &two }, None)
            .await
            .expect(200);
    }
}

// covers: CRM-02, DB-07
#[tokio::test]
async fn a_branch_is_archived_from_the_leaves_and_restored_from_the_root() {
    let house = House::start(stoa_organization::service, Calls::new()).await;
    let ada = house.user(house.tenant(&[]), "all", &[]);
    let branches = organization(ada).await;
    let root = branch(ada, &branches, "Root", None).await;
    let leaf = branch(ada, &branches, "Leaf", Some(&root)).await;
    let (root, leaf) = (
        root.header("location").to_owned(),
        leaf.header("location").to_owned(),
    );
    ada.change(Method::DELETE, &root, "\"1\"", None)
        .await
        .problem(409, "organizations.has_branches");
    ada.change(Method::DELETE, &leaf, "\"1\"", None).await.expect(204);
    ada.change(Method::DELETE, &root, "\"1\"", None).await.expect(204);
    ada.get(&root).await.problem(404, "request.not_found");
    ada.post(&format!("{leaf}/restore"), json!(null))
        .await
        .problem(409, "organizations.archived");
    ada.post(&format!("{root}/restore"), json!(null))
        .await
        .expect(200);
    ada.post(&format!("{leaf}/restore"), json!(null))
        .await
        .expect(200);
    let renamed = ada
        .change(Method::PUT, &leaf, "\"3\"", Some(json!({ "name": "Twig" })))
        .await
        .expect(200);
    assert_eq!(
        (renamed.header("etag"), &renamed.body["name"]),
        ("\"4\"", &json!("Twig"))
    );
    for (verb, times) in [("created", 2), ("archived", 2), ("restored", 2), ("renamed", 1)] {
        assert_eq!(events(&house, verb).await.len(), times, "{verb}");
    }
}

// covers: CRM-02, AZ-04
#[tokio::test]
async fn a_branch_scope_reaches_the_own_branch_and_those_below() {
    let house = House::start(stoa_organization::service, Calls::new()).await;
    let tenant = house.tenant(&[]);
    let ada = house.user(tenant, "all", &[]);
    let branches = organization(ada).await;
    let own = branch(ada, &branches, "Own", None).await;
    let below = branch(ada, &branches, "Below", Some(&own)).await;
    let foreign = branch(ada, &branches, "Foreign", None).await;
    let mia = house.user(tenant, "branch", &[BranchId(own.id()), BranchId(below.id())]);

    assert_eq!(mia.get(&branches).await.each("name"), ["Below", "Own"]);
    mia.get(foreign.header("location"))
        .await
        .problem(404, "request.not_found");
    let rename = || Some(json!({ "name": "Mine" }));
    mia.change(Method::PUT, foreign.header("location"), "*", rename())
        .await
        .problem(404, "request.not_found");
    mia.change(Method::PUT, below.header("location"), "*", rename())
        .await
        .expect(200);
    mia.post(&branches, json!({ "name": "At the top" }))
        .await
        .problem(403, "auth.forbidden");
    mia.post(&branches, json!({ "name": "X1", "parentId": foreign.id() }))
        .await
        .problem(403, "auth.forbidden");
    branch(mia, &branches, "New", Some(&own)).await;
    relocate(mia, &below, Some(&foreign))
        .await
        .problem(403, "auth.forbidden");
    relocate(mia, &below, None).await.problem(403, "auth.forbidden");
    let stranger = house.user(house.tenant(&[]), "all", &[]);
    relocate(stranger, &below, None)
        .await
        .problem(404, "request.not_found");
    for path in [branches, format!("{}/children", own.header("location"))] {
        stranger.get(&path).await.problem(404, "request.not_found");
    }
}
