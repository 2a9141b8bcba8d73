//! Imports, exports and bulk updates against the real binary.

use crate::api::{Answer, Api, send};
use reqwest::Method;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;
use stoa_e2e::{journeys, start};
use stoa_testkit::platform::{Platform, Topology, binary};

/// A file of more than a mebibyte: larger than other requests may be.
fn file(rows: usize) -> String {
    let long = "x".repeat(150);
    let row = |n: usize| format!("K{n},Customer {n},c{n}@import.test,{long}\n");
    format!(
        "key,name,email,office location\n{}",
        (0..rows).map(row).collect::<String>()
    )
}

async fn upload(api: &Api, file: String) -> Answer {
    let request = api.request(Method::POST, "/api/customers/imports");
    send(request.header("content-type", "text/csv").body(file)).await
}

/// Waits for the end of an operation, for a minute at most.
async fn over(api: &Api, path: &str) -> Value {
    let give_up = tokio::time::Instant::now() + Duration::from_secs(60);
    loop {
        let operation = api.get(path).await;
        // Its process may be on its way back.
        if operation.status == 200 && !matches!(operation.body["status"].as_str(), Some("queued" | "running"))
        {
            return operation.body;
        }
        assert!(
            tokio::time::Instant::now() < give_up,
            "it did not end: {operation:?}"
        );
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

async fn total(api: &Api) -> i64 {
    api.get("/api/customers/stats").await.body["total"]
        .as_i64()
        .unwrap()
}

/// Gives the administrator a home branch, which new customers then belong to.
async fn give_branch(admin: &Api) {
    let me = admin.tokens.claims().unwrap()["sub"].as_str().unwrap().to_owned();
    let branch = admin.get("/api/customers?limit=1").await.items()[0]["branchId"].clone();
    let path = format!("/api/iam/users/{me}/branch");
    let given = send(
        admin
            .request(Method::PUT, &path)
            .json(&json!({ "branchId": branch })),
    )
    .await;
    assert_eq!(given.status, 200, "{given:?}");
    crate::journey::eventually(|| async {
        let there = admin.get("/api/customers/stats?dataScope=branch").await;
        (there.body["total"] != 0).then_some(())
    })
    .await;
}

journeys! {
    // covers: CRM-09, EV-11
    async fn a_file_goes_in_and_out(platform: &mut Platform) {
        let admin = Api::sign_in(platform, "admin@acme.test").await;
        give_branch(&admin).await;
        let before = total(&admin).await;
        let sent = upload(&admin, file(7_000)).await;
        assert_eq!((sent.status, &sent.body["rows"]), (201, &json!(7_000)), "{sent:?}");
        let path = sent.header("location").to_owned();
        let begun = admin.post_once(&format!("{path}/start"), "the-import", &json!({})).await;
        assert_eq!(begun.status, 202, "{begun:?}");
        let done = over(&admin, begun.header("location")).await;
        assert_eq!((&done["status"], &done["result"]["created"]), (&json!("succeeded"), &json!(7_000)), "{done}");
        assert_eq!(total(&admin).await, before + 7_000);

        // The whole file comes back, over the mesh, too.
        let exported = send(admin.request(Method::GET, "/api/customers/export?format=ndjson&search=Customer")).await;
        let text = exported.body.as_str().unwrap();
        assert_eq!((exported.status, text.lines().count()), (200, 7_000));
        assert!(exported.header("content-disposition").contains("customers.ndjson"), "{:?}", exported.headers);
        let again = upload(&admin, text.to_owned()).await;
        let begun = admin.post(&format!("{}/start", again.header("location")), &json!({})).await;
        let done = over(&admin, begun.header("location")).await;
        assert_eq!(done["result"]["unchanged"], 7_000, "{done}");

        let change = json!({ "where": { "field": "externalKey", "op": "lt", "value": "K2" }, "change": { "status": "active" } });
        let begun = admin.post("/api/customers/bulk", &change).await;
        let done = over(&admin, begun.header("location")).await;
        assert_eq!(done["result"], json!({ "updated": 1_112, "unchanged": 0, "failed": 0, "dryRun": false }), "{done}");
        let errors = admin.get(&format!("{}/errors", begun.header("location"))).await;
        assert_eq!((errors.status, errors.items().len()), (200, 0));

        let alice = Api::sign_in(platform, "alice@acme.test").await;
        let stranger = Api::sign_in(platform, "admin@globex.test").await;
        upload(&alice, file(1)).await.assert_problem(403, "auth.forbidden");
        alice.get("/api/customers/export").await.assert_problem(403, "auth.forbidden");
        for place in [&path, &format!("{path}/errors.csv"), begun.header("location")] {
            stranger.get(place).await.assert_problem(404, "request.not_found");
        }
    }
}

// covers: CRM-09, EV-11, RS-02
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_survives_kill_9_without_losing_or_repeating_a_row() {
    let mut platform = start(Topology::OneProcess).await.unwrap();
    let admin = Api::sign_in(&platform, "admin@acme.test").await;
    give_branch(&admin).await;
    let before = total(&admin).await;
    let sent = upload(&admin, file(10_000)).await;
    let begun = admin
        .post(
            &format!("{}/start", sent.header("location")),
            &json!({ "mode": "create" }),
        )
        .await;
    let operation = begun.header("location").to_owned();
    for most in [1_000, 4_000] {
        crate::journey::eventually(|| async {
            let done = admin.get(&operation).await.body["done"].as_i64().unwrap_or(0);
            (done >= most).then_some(())
        })
        .await;
        platform.process_of("customer").kill9().unwrap();
        platform.process_of("customer").restart().await.unwrap();
    }
    let done = over(&admin, &operation).await;
    assert_eq!(
        done["result"],
        json!({ "created": 10_000, "updated": 0, "unchanged": 0, "failed": 0, "dryRun": false }),
        "{done}"
    );
    assert_eq!(total(&admin).await, before + 10_000);
    let client = platform.database().connect_as_superuser().await.unwrap();
    let sql = "select count(*), count(distinct aggregate_id) from log.event e join customer.customer c
               on c.id = e.aggregate_id and c.external_key is not null where e.type like '%customer.created%'";
    let row = client.query_one(sql, &[]).await.unwrap();
    assert_eq!(
        (row.get::<_, i64>(0), row.get::<_, i64>(1)),
        (10_000, 10_000),
        "each told once"
    );
}

/// The command line, signed in as somebody.
fn stoa(platform: &Platform, api: &Api, arguments: &[&str]) -> Output {
    let mut command = Command::new(binary().unwrap());
    command.args(arguments).args(["--url", &platform.url]);
    command.env("STOA_TOKEN", &api.tokens.access).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

// covers: CRM-09
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_imports_and_says_what_failed() {
    let platform = start(Topology::OneProcess).await.unwrap();
    let admin = Api::sign_in(&platform, "admin@acme.test").await;
    give_branch(&admin).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("firms.csv");
    std::fs::write(
        &path,
        "Firm;Mail;Chi nhánh;Owner\nAcme;a@cli.test;sales east;@alice\nX;not an address;;\n",
    )
    .unwrap();
    let name = path.display().to_string();
    let arguments = [
        "import",
        "customers",
        &name,
        "--mapping",
        "Firm=name",
        "--mode",
        "create",
    ];
    let failed = stoa(&platform, &admin, &arguments);
    assert!(!failed.status.success());
    for words in [
        "Firm -> name",
        "Mail -> email",
        "1 created",
        "1 failed",
        "row 3",
        "firms.csv.errors.csv",
    ] {
        assert!(
            said(&failed).contains(words),
            "no {words:?} in: {}",
            said(&failed)
        );
    }
    let alice = Api::sign_in(&platform, "alice@acme.test").await;
    let hers = alice.get("/api/customers?search=a@cli.test&dataScope=own").await;
    assert_eq!(
        hers.items().len(),
        1,
        "the owner and the branch are found by what people call them"
    );
    let others = alice.get("/api/customers?limit=1&sort=createdAt").await;
    assert_eq!(hers.items()[0]["branchId"], others.items()[0]["branchId"]);
    let errors = std::fs::read_to_string(folder.path().join("firms.csv.errors.csv")).unwrap();
    assert!(errors.contains("X,not an address,,,3,"), "{errors}");
    let corrected = errors.replace("X,not an address", "Xylo,x@cli.test");
    std::fs::write(&path, corrected).unwrap();
    let done = stoa(&platform, &admin, &arguments);
    assert!(done.status.success(), "{}", said(&done));
    assert!(
        said(&done).contains("1 created, 0 updated, 0 unchanged, 0 failed"),
        "{}",
        said(&done)
    );

    let missing = stoa(&platform, &admin, &["import", "customers", "/nowhere.csv"]);
    assert!(!missing.status.success() && said(&missing).contains("/nowhere.csv"));
    let mut elsewhere = Command::new(binary().unwrap());
    let unsigned = elsewhere
        .args(["import", "customers", &name])
        .env_remove("STOA_TOKEN")
        .output()
        .unwrap();
    assert!(said(&unsigned).contains("--token-file"), "{}", said(&unsigned));
}

/// An extract of the data set in its form.
fn crm_sales(folder: &Path) -> PathBuf {
    let files = [
        (
            "accounts.csv",
            "account,sector,year_established,revenue,employees,office_location,subsidiary_of\n\
             Gekko & Co,retail,1990,2520.83,3502,United States,\n\
             Bluth Company,technolgy,1993,1242.32,3027,United States,Gekko & Co\n",
        ),
        (
            "sales_teams.csv",
            "sales_agent,manager,regional_office\nAnna Snelling,Dustin Brinkmann,Central\n\
             Mei-Mei Johns,Melvin Marxen,East\n",
        ),
        (
            "sales_pipeline.csv",
            "opportunity_id,sales_agent,product,account,deal_stage,engage_date,close_date,close_value\n\
             A,Anna Snelling,GTXPro,Gekko & Co,Won,10/20/2016,3/1/2017,1054\n\
             B,Mei-Mei Johns,GTXPro,Gekko & Co,Won,10/25/2016,3/11/2017,4514\n\
             C,Anna Snelling,GTXPro,Bluth Company,Won,10/25/2016,12/31/2016,50\n",
        ),
    ];
    for (name, text) in files {
        std::fs::write(folder.join(name), text).unwrap();
    }
    folder.to_owned()
}

// covers: CRM-09
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sales_data_set_is_imported_whole_and_twice_is_once() {
    let platform = start(Topology::OneProcess).await.unwrap();
    let admin = Api::sign_in(&platform, "admin@acme.test").await;
    let folder = tempfile::tempdir().unwrap();
    let data = crm_sales(folder.path()).display().to_string();
    let arguments = ["import", "crm-sales", &data];
    let first = stoa(&platform, &admin, &arguments);
    assert!(first.status.success(), "{}", said(&first));
    assert!(said(&first).contains("2 created"), "{}", said(&first));
    let users = admin.get("/api/users?limit=100&search=mei-mei").await;
    let found = admin
        .get("/api/customers?filter=externalKey:eq:Gekko%20%26%20Co")
        .await;
    let gekko = &found.items()[0];
    assert_eq!(gekko["ownerId"], users.items()[0]["id"], "who won it last");
    assert_eq!(
        (&gekko["revenueMinor"], &gekko["employees"]),
        (&json!(252_083_000_000_i64), &json!(3502))
    );
    let bluth = admin
        .get("/api/customers?filter=externalKey:eq:Bluth%20Company")
        .await;
    assert_eq!(bluth.items()[0]["sector"], "technolgy", "as in the source");
    assert_eq!(
        bluth.items()[0]["custom"],
        json!({ "subsidiary_of": "Gekko & Co", "year_established": 1993 })
    );
    let teams = admin.get("/api/teams?limit=100").await;
    assert_eq!(
        teams
            .items()
            .iter()
            .filter(|team| team["name"]
                .as_str()
                .is_some_and(|name| name.ends_with("'s team")))
            .count(),
        2,
        "{teams:?}"
    );

    let again = stoa(&platform, &admin, &arguments);
    assert!(again.status.success(), "{}", said(&again));
    assert!(
        said(&again).contains("0 created, 0 updated, 2 unchanged, 0 failed"),
        "{}",
        said(&again)
    );
}
