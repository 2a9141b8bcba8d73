//! What the command line refuses, and whether it says what to do.

use std::path::PathBuf;
use std::process::{Command, Output};
use stoa_testkit::platform::{binary, free_address, role_password};
use stoa_testkit::postgres::{self, TestDatabase};
use tempfile::TempDir;

/// A database and a configuration file for it.
struct Case {
    folder: TempDir,
    database: TestDatabase,
}

impl Case {
    /// On a database without anything in it.
    async fn empty() -> Self {
        let database = postgres::shared()
            .await
            .unwrap()
            .create_database(None)
            .await
            .unwrap();
        Self {
            folder: tempfile::tempdir().unwrap(),
            database,
        }
    }

    /// On a database with the demo's users and customers.
    async fn seeded() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            database: stoa_e2e::database().await.unwrap(),
        }
    }

    /// Everything that all subcommands need.
    fn whole(&self) -> String {
        let admin = self.database.superuser_config();
        let password = String::from_utf8_lossy(admin.get_password().unwrap()).into_owned();
        let mut text = format!(
            "[server]\nlisten = \"{}\"\nadmin_listen = \"{}\"\n\
             [database]\nhost = {:?}\nname = {:?}\nmigrate_user = {:?}\nmigrate_password = {password:?}\n",
            free_address().unwrap(),
            free_address().unwrap(),
            self.database.socket_dir().display().to_string(),
            self.database.name(),
            admin.get_user().unwrap(),
        );
        for service in stoa_platform::services::all() {
            let role = |kind: &str| role_password(&format!("stoa_{}_{kind}", service.name));
            text.push_str(&format!(
                "[services.{}]\napp_password = {:?}\nsystem_password = {:?}\n",
                service.name,
                role("app"),
                role("system")
            ));
        }
        text
    }

    fn write(&self, config: &str) -> PathBuf {
        let file = self.folder.path().join("stoa.toml");
        std::fs::write(&file, config).unwrap();
        file
    }

    fn run(&self, arguments: &[&str], config: &str) -> Output {
        let mut command = Command::new(binary().unwrap());
        command
            .args(arguments)
            .arg("--config")
            .arg(self.write(config))
            .env("RUST_BACKTRACE", "0");
        command.output().unwrap()
    }

    /// What it says when it refuses.
    fn refused(&self, arguments: &[&str], config: &str) -> String {
        let output = self.run(arguments, config);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{arguments:?} was not refused: {said}");
        assert!(!said.contains("panicked"), "{said}");
        said
    }

    /// What it says when it succeeds.
    fn done(&self, arguments: &[&str], config: &str) -> String {
        let output = self.run(arguments, config);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {said}");
        said
    }
}

fn assert_says(said: &str, words: &[&str]) {
    for word in words {
        assert!(said.contains(word), "no {word:?} in: {said}");
    }
}

// covers: DB-01
#[tokio::test]
async fn a_database_is_migrated_before_it_is_served() {
    let case = Case::empty().await;
    let config = case.whole();
    assert_says(&case.refused(&["serve"], &config), &["stoa migrate"]);

    assert_says(
        &case.done(&["migrate"], &config),
        &["customer: ran 0001_init", "log: ran 0001_init"],
    );
    let again = case.done(&["migrate"], &config);
    assert_says(&again, &["customer: up to date"]);
    assert!(!again.contains("ran "), "{again}");

    let client = case.database.connect_as_superuser().await.unwrap();
    let drift =
        "update stoa.migration set checksum = 'other' where schema = 'customer' and name = '0001_init'";
    assert_eq!(client.execute(drift, &[]).await.unwrap(), 1);
    let said = [
        "customer/0001_init",
        "was changed after it ran",
        "add a new migration",
    ];
    assert_says(&case.refused(&["serve"], &config), &said);
    assert_says(&case.refused(&["migrate"], &config), &said);
}

#[tokio::test]
async fn what_is_wrong_with_the_configuration_is_named() {
    let case = Case::empty().await;
    let whole = case.whole();
    assert_says(&case.done(&["config", "check"], &whole), &["valid"]);

    let unknown = case.refused(&["serve", "custmer"], &whole);
    assert_says(
        &unknown,
        &["custmer", "gateway, identity, access, organization, customer"],
    );

    let key = "services.customer.app_password";
    let password = format!("app_password = {:?}\n", role_password("stoa_customer_app"));
    let without = whole.replace(&password, "");
    for command in [&["serve"][..], &["config", "check"], &["migrate"]] {
        let said = case.refused(command, &without);
        assert_says(&said, &[key, "STOA_SERVICES__CUSTOMER__APP_PASSWORD"]);
    }
    let said = case.refused(
        &["serve"],
        &whole.replace(&password, "app_password_file = \"/nowhere/secret\"\n"),
    );
    assert_says(&said, &[&format!("{key}_file"), "/nowhere/secret"]);

    for (from, to, words) in [
        ("[server]", "[server]\nlissten = 1", &["lissten", "server"][..]),
        (
            "[server]",
            "[server]\nrequest_timeout_ms = \"soon\"",
            &["request_timeout_ms"],
        ),
        ("[database]", "[databse]\nhost = \"x\"\n[database]", &["databse"]),
        (
            "[server]",
            "[mesh]\nlisten = \"here\"\n[server]",
            &["mesh.listen"],
        ),
    ] {
        let said = case.refused(&["config", "check"], &whole.replacen(from, to, 1));
        assert_says(&said, words);
    }

    // Apart from the others it needs the mesh.
    let said = case.refused(&["serve", "customer"], &whole);
    assert!(
        said.contains("mesh.ca_file") || said.contains("stoa migrate"),
        "{said}"
    );
    assert_says(
        &case.refused(&["events", "dead-letters", "--consumer", "nobody.x"], &whole),
        &["nobody"],
    );
}

// covers: EV-05
#[tokio::test]
async fn dead_letters_are_listed_redriven_and_discarded() {
    let case = Case::seeded().await;
    let config = case.whole();
    assert_eq!(case.run(&["events", "dead-letters"], &config).stdout, b"");

    let client = case.database.connect_as_superuser().await.unwrap();
    let bury = "insert into log.dead_letter (id, tenant_id, consumer, generation, key, event_id, event, attempts, cause,
                  died_at)
                select gen_random_uuid(), e.tenant_id, 'customer.activities', 1, e.aggregate_id, e.id,
                  jsonb_build_object('id', e.id, 'epoch', e.epoch, 'seq', e.seq, 'recordedAt', e.recorded_at,
                    'time', e.time, 'tenant', e.tenant_id, 'topic', e.topic, 'source', e.source, 'type', e.type,
                    'subject', e.subject, 'aggregateType', e.aggregate_type, 'aggregateId', e.aggregate_id,
                    'aggregateVersion', e.aggregate_version, 'causation', e.causation, 'correlation', e.correlation,
                    'actor', e.actor, 'traceparent', e.traceparent, 'data', e.data),
                  8, 'the timeline was full', now()
                from log.event e where e.type like '%customer.created%' limit 2 returning id::text";
    let buried: Vec<String> = client
        .query(bury, &[])
        .await
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();

    let listed = case.run(
        &["events", "dead-letters", "--consumer", "customer.activities"],
        &config,
    );
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert_eq!(listed.lines().count(), 2, "{listed}");
    for line in listed.lines() {
        let letter: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(
            buried.contains(&letter["id"].as_str().unwrap().to_owned()),
            "{letter}"
        );
        assert_eq!(letter["cause"], "the timeline was full");
        assert_eq!(letter["event"]["type"], "dev.stoa.customer.customer.created.v1");
    }
    assert_says(
        &case.done(&["events", "redrive", &buried[0]], &config),
        &["handles it again"],
    );
    assert_says(
        &case.done(&["events", "discard", &buried[1]], &config),
        &["discarded"],
    );
    assert_says(
        &case.refused(&["events", "discard", &buried[1]], &config),
        &["no open dead letter"],
    );
    assert_eq!(case.run(&["events", "dead-letters"], &config).stdout, b"");
    let parked = client
        .query_one("select count(*) from log.parked", &[])
        .await
        .unwrap();
    assert_eq!(
        parked.get::<_, i64>(0),
        1,
        "the redriven event waits for its consumer"
    );
}
