//! The management of routes.

use crate::harness::{ADMIN, Answer, NOBODY, OTHER_TENANT, Process, TENANT, database, until};
use serde_json::{Value, json};

const US: Option<(uuid::Uuid, uuid::Uuid)> = Some((TENANT, ADMIN));

fn shop(name: &str) -> Value {
    json!({
        "name": name,
        "predicates": {"paths": ["/shop/{id}"]},
        "target": {"service": "customer"},
        "rewrite": "/api/customers/{id}"
    })
}

async fn create(process: &Process, body: Value) -> Answer {
    process.send(US, "POST /api/admin/routes", Some(body), &[]).await
}

async fn becomes(process: &Process, path: &str, status: u16) {
    until("the route is in force", async || {
        process.get(TENANT, path).await.status == status
    })
    .await;
}

// covers: GW-01
#[tokio::test]
async fn a_route_lives_changes_dies_and_comes_back() {
    let database = database().await;
    let process = Process::start(&database).await;
    process.get(TENANT, "/shop/7").await.expect(404);
    let made = create(&process, shop("Shop")).await.expect(201);
    let location = made.headers["location"].to_str().unwrap().to_owned();
    assert_eq!(
        (made.body["version"].clone(), made.body["origin"].clone()),
        (json!(1), json!("custom"))
    );
    becomes(&process, "/shop/7", 200).await;
    assert_eq!(process.get(TENANT, "/shop/7").await.body, "/api/customers/7");

    let read = process.get(TENANT, &location).await.expect(200);
    assert_eq!((read.etag(), &read.body), (made.etag(), &made.body));
    let put = format!("PUT {location}");
    let mut off = shop("Shop");
    off["enabled"] = json!(false);
    process.send(US, &put, Some(off.clone()), &[]).await.expect(428);
    process
        .send(US, &put, Some(off.clone()), &[("if-match", "\"9\"")])
        .await
        .expect(412);
    let changed = process
        .send(US, &put, Some(off), &[("if-match", &read.etag())])
        .await
        .expect(200);
    assert_eq!(changed.etag(), "\"2\"");
    becomes(&process, "/shop/7", 404).await;

    let delete = format!("DELETE {location}");
    process
        .send(US, &delete, None, &[("if-match", "\"1\"")])
        .await
        .expect(412);
    process
        .send(US, &delete, None, &[("if-match", "\"2\"")])
        .await
        .expect(204);
    process.get(TENANT, &location).await.expect(404);

    // One call undoes the removal, another goes back to the first state.
    let rollback = "POST /api/admin/routes/rollback";
    let undone = process.send(US, rollback, Some(json!({})), &[]).await.expect(200);
    assert_eq!(undone.body, json!({"revision": 4, "restored": 2, "changed": 1}));
    assert_eq!(
        process.get(TENANT, &location).await.expect(200).body["enabled"],
        false
    );
    process
        .send(US, rollback, Some(json!({"toRevision": 1})), &[])
        .await
        .expect(200);
    becomes(&process, "/shop/7", 200).await;
    let back = process.get(TENANT, &location).await.expect(200);
    assert_eq!(
        (back.body["name"].clone(), back.etag()),
        (json!("Shop"), "\"4\"".to_owned())
    );
    process
        .send(US, rollback, Some(json!({"toRevision": 0})), &[])
        .await
        .expect(200);
    process.get(TENANT, &location).await.expect(404);
    process
        .send(US, rollback, Some(json!({"toRevision": 99})), &[])
        .await
        .expect(409);
}

// covers: GW-01
#[tokio::test]
async fn a_rollback_may_swap_names() {
    let database = database().await;
    let process = Process::start(&database).await;
    let mut places = Vec::new();
    for name in ["A", "B"] {
        let made = create(&process, shop(name)).await.expect(201);
        places.push(made.headers["location"].to_str().unwrap().to_owned());
    }
    for (place, name, tag) in [(0, "C", "\"1\""), (1, "A", "\"1\""), (0, "B", "\"2\"")] {
        let put = format!("PUT {}", places[place]);
        process
            .send(US, &put, Some(shop(name)), &[("if-match", tag)])
            .await
            .expect(200);
    }
    let body = Some(json!({"toRevision": 2}));
    process
        .send(US, "POST /api/admin/routes/rollback", body, &[])
        .await
        .expect(200);
    assert_eq!(process.get(TENANT, &places[0]).await.body["name"], "A");
    assert_eq!(process.get(TENANT, &places[1]).await.body["name"], "B");
}

// covers: AP-02
#[tokio::test]
async fn a_repeated_create_happens_once() {
    let database = database().await;
    let process = Process::start(&database).await;
    let key = [("idempotency-key", "k-1")];
    let first = process
        .send(US, "POST /api/admin/routes", Some(shop("Shop")), &key)
        .await
        .expect(201);
    let again = process
        .send(US, "POST /api/admin/routes", Some(shop("Shop")), &key)
        .await
        .expect(201);
    assert_eq!(first.body, again.body);
    process
        .send(US, "POST /api/admin/routes", Some(shop("Other")), &key)
        .await
        .expect(422);
    let listed = process.get(TENANT, "/api/admin/routes").await.expect(200);
    assert_eq!(listed.body["items"].as_array().unwrap().len(), 1);
}

// covers: GW-01
#[tokio::test]
async fn a_bad_route_is_refused_with_pointers() {
    let database = database().await;
    let process = Process::start(&database).await;
    let pointer = async |body: Value| {
        let refused = create(&process, body).await.expect(422);
        refused.body["errors"][0]["pointer"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let mut route = shop("Shop");
    route["predicates"]["paths"] = json!(["/x/{id}", "/api/customers/{id}"]);
    assert_eq!(pointer(route.clone()).await, "/predicates/paths/1");
    let forced = process
        .send(US, "POST /api/admin/routes?force=true", Some(route), &[])
        .await;
    forced.expect(201);
    let mut route = shop("Docs");
    route["predicates"]["paths"] = json!(["/docs"]);
    route["rewrite"] = Value::Null;
    let reserved = process
        .send(US, "POST /api/admin/routes?force=true", Some(route), &[])
        .await;
    assert_eq!(reserved.expect(422).body["errors"][0]["rule"], "reserved");
    assert_eq!(pointer(json!({"name": "x"})).await, "/predicates");
    assert_eq!(pointer(json!({"colour": 1})).await, "/colour");
    let mut route = shop("Local");
    route["target"] = json!({"url": "http://127.0.0.1:8081"});
    assert_eq!(pointer(route).await, "/target/url");
    create(&process, shop("Twice")).await.expect(201);
    assert_eq!(pointer(shop("Twice")).await, "/name");
}

// covers: GW-01
#[tokio::test]
async fn lists_are_paged_and_the_platforms_routes_are_read_only() {
    let database = database().await;
    let process = Process::start(&database).await;
    for name in ["c", "a", "b"] {
        create(&process, shop(name)).await.expect(201);
    }
    for (sort, expected) in [("name", "abc"), ("-name", "cba"), ("createdAt", "cab")] {
        let (mut found, mut cursor) = (String::new(), String::new());
        loop {
            let path = format!("/api/admin/routes?limit=2&sort={sort}{cursor}");
            let page = process.get(TENANT, &path).await.expect(200).body;
            for item in page["items"].as_array().unwrap() {
                found.push_str(item["name"].as_str().unwrap());
            }
            let Some(next) = page["nextCursor"].as_str() else {
                break;
            };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(found, expected, "{sort}");
    }
    let platform = process
        .get(TENANT, "/api/admin/routes/platform")
        .await
        .expect(200)
        .body;
    let items = platform["items"].as_array().unwrap();
    let customer = items
        .iter()
        .find(|item| item["name"] == "customer /api/customers")
        .unwrap();
    let put = format!("PUT /api/admin/routes/{}", customer["id"].as_str().unwrap());
    process
        .send(US, &put, Some(shop("x")), &[("if-match", "*")])
        .await
        .expect(404);
}

// covers: GW-01
// covers: TN-01
#[tokio::test]
async fn every_endpoint_refuses_the_unprivileged_and_hides_other_tenants() {
    let database = database().await;
    let process = Process::start(&database).await;
    let made = create(&process, shop("Shop")).await.expect(201);
    let location = made.headers["location"].to_str().unwrap().to_owned();
    becomes(&process, "/shop/7", 200).await;
    process.get(OTHER_TENANT, "/shop/7").await.expect(404);
    let requests = [
        ("GET /api/admin/routes".to_owned(), None),
        ("GET /api/admin/routes/platform".to_owned(), None),
        ("POST /api/admin/routes".to_owned(), Some(shop("x"))),
        ("POST /api/admin/routes/rollback".to_owned(), Some(json!({}))),
        (format!("GET {location}"), None),
        (format!("PUT {location}"), Some(shop("x"))),
        (format!("DELETE {location}"), None),
    ];
    let tag = [("if-match", "\"1\"")];
    for (request, body) in &requests {
        process.send(None, request, body.clone(), &tag).await.expect(401);
        process
            .send(Some((TENANT, NOBODY)), request, body.clone(), &tag)
            .await
            .expect(403);
    }
    for (request, body) in requests.iter().filter(|(request, _)| request.contains(&location)) {
        let theirs = Some((OTHER_TENANT, ADMIN));
        process
            .send(theirs, request, body.clone(), &tag)
            .await
            .expect(404);
    }
    let theirs = process.get(OTHER_TENANT, "/api/admin/routes").await.expect(200);
    assert_eq!(theirs.body["items"], json!([]));
    let nothing = Some(json!({}));
    let theirs = Some((OTHER_TENANT, ADMIN));
    process
        .send(theirs, "POST /api/admin/routes/rollback", nothing, &[])
        .await
        .expect(409);
}

// covers: AP-01
#[tokio::test]
async fn the_documentation_is_public() {
    let database = database().await;
    let process = Process::start(&database).await;
    for (path, contains) in [
        ("/", "Browse the API"),
        ("/docs", "<h1>Stoa 1</h1>"),
        ("/openapi.json", "3.1.0"),
        ("/v3/api-docs", "3.1.0"),
        ("/problems", "request.invalid"),
        ("/problems/request.invalid", "What to do"),
    ] {
        let answer = process
            .send(None, &format!("GET {path}"), None, &[])
            .await
            .expect(200);
        assert!(answer.body.to_string().contains(contains), "{path}");
        assert!(answer.headers.contains_key("etag"), "{path}");
        process
            .send(None, &format!("HEAD {path}"), None, &[])
            .await
            .expect(200);
    }
    let moved = process
        .send(None, "GET /swagger-ui.html", None, &[])
        .await
        .expect(308);
    assert_eq!(moved.headers["location"], "/docs");
    process
        .send(None, "GET /problems/no.such", None, &[])
        .await
        .expect(404);
    process.send(None, "POST /docs", None, &[]).await.expect(401);
}
