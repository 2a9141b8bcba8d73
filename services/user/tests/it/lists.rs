//! Lists and search.

use crate::support::{create, house, team};
use http::Method;
use serde_json::json;
use stoa_policy::DataScope;
use stoa_testkit::service::User;

async fn names(user: User<'_>, query: &str) -> Vec<String> {
    let page = user.get(&format!("/api/users{query}")).await.expect(200);
    page.each("name").into_iter().map(str::to_owned).collect()
}

// covers: CRM-03
#[tokio::test]
async fn a_search_finds_names_words_handles_and_addresses() {
    let house = house().await;
    let admin = house.user(house.tenant(&[]), "all", &[]);
    create(admin, "Đặng Thị Hồng", "hong.dang@acme.example", json!({})).await;
    create(
        admin,
        "Nguyễn Văn Đức",
        "duc@acme.example",
        json!({ "handle": "ngduc" }),
    )
    .await;
    create(admin, "Ann O'Neil", "neil@acme.example", json!({})).await;
    let other = house.user(house.tenant(&[]), "all", &[]);
    create(other, "Đặng Other", "dang@other.example", json!({})).await;

    for (text, found) in [
        ("dang", &["Đặng Thị Hồng"][..]),
        ("ĐẶNG thị", &["Đặng Thị Hồng"]),
        ("hong", &["Đặng Thị Hồng"]),
        ("nguyễn", &["Nguyễn Văn Đức"]),
        ("van duc", &["Nguyễn Văn Đức"]),
        ("@ngd", &["Nguyễn Văn Đức"]),
        ("DUC@acme", &["Nguyễn Văn Đức"]),
        ("duc", &["Nguyễn Văn Đức"]),
        ("d", &["Đặng Thị Hồng", "Nguyễn Văn Đức"]),
        ("ang", &[]),
        ("eil", &[]),
        ("%", &[]),
    ] {
        let query = format!(
            "?search={}",
            text.replace('%', "%25").replace(' ', "%20").replace('@', "%40")
        );
        assert_eq!(names(admin, &query).await, found, "{text}");
    }
    let refused = admin.get("/api/users?search=%20x%00y").await;
    assert_eq!(refused.status, 422, "{refused:?}");

    // A new name is found, the old one is not.
    let path = format!(
        "/api/users/{}",
        admin.get("/api/users?search=neil").await.body["items"][0]["id"]
            .as_str()
            .unwrap()
    );
    let body = json!({ "name": "Zoë Maß", "email": "neil@acme.example" });
    admin
        .change(Method::PUT, &path, "*", Some(body))
        .await
        .expect(200);
    assert_eq!(names(admin, "?search=o'neil").await, [""; 0]);
    assert_eq!(names(admin, "?search=zoe").await, ["Zoë Maß"]);
    admin.change(Method::DELETE, &path, "*", None).await.expect(204);
    assert_eq!(names(admin, "?search=zoe").await, [""; 0]);
    assert_eq!(names(admin, "?search=zoe&archived=true").await, ["Zoë Maß"]);
}

// covers: CRM-03, AP-03
#[tokio::test]
async fn pages_follow_each_other_in_every_order() {
    let house = house().await;
    let admin = house.user(house.tenant(&[]), "all", &[]);
    for name in ["Đặng", "Bình", "Anh", "an", "Châu"] {
        create(
            admin,
            name,
            &format!("{}@acme.example", name.to_lowercase()),
            json!({}),
        )
        .await;
    }
    assert_eq!(names(admin, "").await, ["an", "Anh", "Bình", "Châu", "Đặng"]);
    for sort in [
        "name",
        "-name",
        "createdAt",
        "-createdAt",
        "updatedAt",
        "-updatedAt",
    ] {
        let whole = names(admin, &format!("?sort={sort}")).await;
        let (mut paged, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = admin
                .get(&format!("/api/users?sort={sort}&limit=2{cursor}"))
                .await
                .expect(200);
            paged.extend(page.each("name").into_iter().map(str::to_owned));
            match page.body["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(paged, whole, "{sort}");
    }
    for (query, pointer) in [
        ("sort=colour", "sort"),
        ("limit=0", "limit"),
        ("fields=name,colour", "fields"),
        ("colour=red", "colour"),
        ("teamId=1", "teamId"),
    ] {
        let refused = admin.get(&format!("/api/users?{query}")).await.expect(422);
        assert_eq!(refused.body["errors"][0]["pointer"], pointer, "{refused:?}");
    }
    let sparse = admin.get("/api/users?fields=name&limit=1").await.expect(200);
    assert_eq!(
        sparse.body["items"][0].as_object().unwrap().len(),
        2,
        "{sparse:?}"
    );
}

// covers: CRM-03
#[tokio::test]
async fn the_members_of_a_team_are_listed() {
    let house = house().await;
    let tenant = house.tenant(&[("reader", "users:read", DataScope::All)]);
    let admin = house.user(tenant, "all", &[]);
    let alice = create(admin, "Alice", "alice@acme.example", json!({})).await;
    create(admin, "Bob", "bob@acme.example", json!({})).await;
    let path = team(admin, "East").await;
    let added = admin
        .post(&format!("{path}/members/{}", alice.id()), json!(null))
        .await
        .expect(200);
    let query = format!("?teamId={}", added.id());
    assert_eq!(names(admin, &query).await, ["Alice"]);
    assert_eq!(names(admin, &format!("{query}&search=b")).await, [""; 0]);
    assert_eq!(names(admin, "?dataScope=own").await, [""; 0]);
    let reader = house.user(tenant, "reader", &[]);
    assert_eq!(names(reader, "").await, ["Alice", "Bob"]);
    reader
        .get(&format!("/api/users{query}"))
        .await
        .problem(403, "auth.forbidden");
    let stranger = house.user(house.tenant(&[]), "all", &[]);
    assert_eq!(names(stranger, &query).await, [""; 0]);
}
