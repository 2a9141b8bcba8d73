//! Lists, search, filters and counts.

use crate::support::{create, house};
use http::Method;
use serde_json::json;
use stoa_policy::{CompareOp, Condition, Operand, Value};
use stoa_types::BranchId;

// covers: CRM-04, AZ-04
#[tokio::test]
async fn a_list_shows_the_callers_rows_and_narrows_them() {
    let house = house().await;
    let tenant = house.tenant(&[]);
    let (north, city) = (BranchId::new(), BranchId::new());
    let ann = house.user(tenant, "own", &[city]);
    let mia = house.user(tenant, "branch", &[north, city]);
    let admin = house.user(tenant, "all", &[]);
    create(ann, "Ann's", json!({})).await;
    create(mia, "Mia's", json!({})).await;
    create(admin, "Far away", json!({ "branchId": BranchId::new() })).await;

    let names = async |user: crate::harness::User<'_>, query: &str| {
        let page = user.get(&format!("/api/customers{query}")).await.expect(200);
        page.each("name")
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(names(ann, "").await, ["Ann's"]);
    assert_eq!(names(mia, "").await, ["Ann's", "Mia's"]);
    assert_eq!(names(admin, "").await, ["Ann's", "Far away", "Mia's"]);
    assert_eq!(names(mia, "?dataScope=own").await, ["Mia's"]);
    assert_eq!(names(ann, "?dataScope=all").await, ["Ann's"], "never widened");
    assert_eq!(
        names(admin, "?dataScope=branch").await,
        [""; 0],
        "the administrator has no branch"
    );
    let refused = ann.get("/api/customers?dataScope=everything").await.expect(422);
    assert_eq!(refused.body["errors"][0]["pointer"], "dataScope", "{refused:?}");
    ann.get("/api/customers?datascope=own").await.expect(422);

    assert_eq!(mia.get("/api/customers/stats").await.body["total"], 2);
    assert_eq!(
        mia.get("/api/customers/stats?dataScope=own").await.body,
        json!({ "total": 1, "lead": 1, "active": 0, "inactive": 0, "lost": 0 })
    );
}

// covers: AP-03, CRM-04
#[tokio::test]
async fn pages_follow_each_other_in_every_order() {
    let house = house().await;
    let ann = house.user(house.tenant(&[]), "all", &[BranchId::new()]);
    for n in 0..7 {
        let status = ["lead", "active"][n % 2];
        create(
            ann,
            &format!("Customer {n}"),
            json!({ "revenueMinor": 100 - n / 2, "status": status }),
        )
        .await;
    }
    for sort in [
        "name",
        "-name",
        "createdAt",
        "-createdAt",
        "updatedAt",
        "-updatedAt",
        "revenueMinor",
        "-revenueMinor",
        "status",
        "-status",
    ] {
        let whole = ann.get(&format!("/api/customers?sort={sort}")).await.expect(200);
        assert!(whole.body.get("nextCursor").is_none());
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = ann
                .get(&format!("/api/customers?limit=2&sort={sort}{cursor}"))
                .await
                .expect(200);
            seen.extend(page.each("id").into_iter().map(str::to_owned));
            let Some(next) = page.body["nextCursor"].as_str() else {
                break;
            };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(seen, whole.each("id"), "{sort}");
        assert_eq!(seen.len(), 7);
    }
    let page = ann.get("/api/customers?limit=2").await;
    let cursor = page.body["nextCursor"].as_str().unwrap();
    let mixed = ann
        .get(&format!("/api/customers?sort=-name&cursor={cursor}"))
        .await
        .expect(422);
    assert_eq!(mixed.body["errors"][0]["pointer"], "cursor");
    for bad in [
        "limit=0",
        "limit=101",
        "limit=x",
        "sort=email",
        "cursor=x",
        "fields=colour",
        "filter=x",
        "search=%00",
        "status=x",
    ] {
        let refused = ann.get(&format!("/api/customers?{bad}")).await.expect(422);
        let pointer = refused.body["errors"][0]["pointer"].as_str().unwrap();
        assert!(pointer.starts_with(bad.split('=').next().unwrap()), "{refused:?}");
    }
}

// covers: CRM-04, AP-03
#[tokio::test]
async fn search_filter_and_fields() {
    let house = house().await;
    let ann = house.user(house.tenant(&[]), "all", &[BranchId::new()]);
    let nguyen =
        json!({ "email": "zz@top.example", "sector": "retail, food", "employees": 5, "revenueMinor": 10 });
    create(ann, "Nguyễn Đức", nguyen).await;
    create(
        ann,
        "NGUYEN Van",
        json!({ "status": "active", "employees": 50, "revenueMinor": 20 }),
    )
    .await;
    create(
        ann,
        "Acme",
        json!({ "email": "nguyen@acme.example", "status": "active" }),
    )
    .await;
    create(ann, "Zz_top%", json!({ "status": "lost" })).await;

    let names = async |query: &str| {
        let page = ann.get(&format!("/api/customers?{query}")).await.expect(200);
        page.each("name")
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(names("search=nguyen").await, ["Acme", "Nguyễn Đức", "NGUYEN Van"]);
    assert_eq!(names("search=nguy%E1%BB%85n%20%C4%91").await, ["Nguyễn Đức"]);
    assert_eq!(names("search=guyen").await, [""; 0], "a prefix");
    assert_eq!(names("search=%25").await, [""; 0]);
    assert_eq!(names("search=zz").await, ["Nguyễn Đức", "Zz_top%"]);
    assert_eq!(names("status=active&search=a").await, ["Acme"]);
    assert_eq!(
        names("filter=status:in:lead%7Clost").await,
        ["Nguyễn Đức", "Zz_top%"]
    );
    assert_eq!(
        names("filter=employees:ge:5,employees:lt:50").await,
        ["Nguyễn Đức"]
    );
    assert_eq!(
        names("filter=employees:ne:5").await,
        ["NGUYEN Van"],
        "a null matches nothing"
    );
    assert_eq!(names("filter=sector:eq:retail%5C,%20food").await, ["Nguyễn Đức"]);
    assert_eq!(
        names("filter=name:ge:nguyen%20v").await,
        ["NGUYEN Van", "Zz_top%"]
    );
    assert_eq!(names(&format!("filter=ownerId:eq:{}", ann.id)).await.len(), 4);
    assert_eq!(names("filter=createdAt:lt:2001-01-01T00:00:00Z").await, [""; 0]);
    assert_eq!(
        names("filter=revenueMinor:in:10%7C20,employees:gt:5&sort=-name").await,
        ["NGUYEN Van"]
    );
    let refused = ann.get("/api/customers?filter=colour:eq:red").await.expect(422);
    assert_eq!(refused.body["errors"][0]["pointer"], "filter/0");

    let sparse = ann
        .get("/api/customers?fields=name,status&search=acme")
        .await
        .expect(200);
    let item = sparse.body["items"][0].as_object().unwrap();
    assert_eq!(item.keys().collect::<Vec<_>>(), ["id", "name", "status"]);

    let id = ann.get("/api/customers?search=acme").await.body["items"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let conditional = [("if-none-match", "\"9\"")];
    ann.send(Method::GET, &format!("/api/customers/{id}"), &conditional, None)
        .await
        .expect(200);
}

// covers: AZ-03, AZ-04
#[tokio::test]
async fn a_condition_on_any_attribute_means_the_same_for_lists_and_for_commands() {
    let house = house().await;
    let tenant = house.tenant(&[]);
    let branch = BranchId::new();
    let ann = house.user(tenant, "all", &[branch]);
    let fields = json!({ "status": "active", "sector": "retail", "revenueMinor": 7, "employees": 3 });
    let matching = create(ann, "Matching", fields).await;
    let other_branch = json!({ "branchId": BranchId::new(), "ownerId": BranchId::new() });
    let other = create(ann, "Other", other_branch).await;
    let conditions = [
        ("status", Value::Text("active".to_owned())),
        ("sector", Value::Text("retail".to_owned())),
        ("revenueMinor", Value::Int(7)),
        ("employees", Value::Int(3)),
        ("branchId", Value::Uuid(branch.uuid())),
        ("ownerId", Value::Uuid(ann.id.uuid())),
    ];
    for (attribute, value) in &conditions {
        let condition = Condition::Compare {
            left: Operand::Resource((*attribute).to_owned()),
            op: CompareOp::Eq,
            right: Operand::Literal(value.clone()),
        };
        house.grant_if(tenant, attribute, condition);
    }
    // Policies load on first use: only now does anybody hold these roles.
    house.forget_policies();
    for (attribute, _) in &conditions {
        let user = house.user(tenant, attribute, &[]);
        assert_eq!(
            user.get("/api/customers").await.each("name"),
            ["Matching"],
            "{attribute}"
        );
        let patch = || Some(json!({ "officeLocation": attribute }));
        user.change(Method::PATCH, matching.header("location"), "*", patch())
            .await
            .expect(200);
        let refused = user
            .change(Method::PATCH, other.header("location"), "*", patch())
            .await;
        refused.problem(404, "request.not_found");
    }
}
