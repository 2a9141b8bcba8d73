//! Mails that sign people in: invitation, another password, another address, by a real SMTP server.

use crate::api::{Api, send};
use crate::browser::{Browser, Page};
use crate::journey::eventually;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use stoa_testkit::oidc;
use stoa_testkit::platform::{Platform, Topology};
use stoa_testkit::smtp::{MailServer, Received};

const PASSWORD: &str = "seven purple elephants";
const OTHER_PASSWORD: &str = "mùa xuân trên đỉnh núi";

/// As [`stoa_e2e::journeys`], with a mail server.
macro_rules! mail_journeys {
    ($($(#[$meta:meta])* async fn $name:ident($platform:ident, $mail:ident) $body:block)+) => {$(
        $(#[$meta])*
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            async fn journey($platform: &mut Platform, $mail: &mut MailServer) $body

            async fn run(topology: Topology) {
                let mut mail = MailServer::start().await.expect("the mail server");
                let mut platform = stoa_e2e::start_with(topology, &mail.config()).await.expect("the platform");
                journey(&mut platform, &mut mail).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn one_process() {
                run(Topology::OneProcess).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn split() {
                run(Topology::Split).await;
            }
        }
    )+};
}

mail_journeys! {
    // covers: ID-05, CRM-03
    async fn an_invited_user_chooses_a_password_and_signs_in(platform, mail) {
        let admin = Api::sign_in(platform, "admin@acme.test").await;
        let user = json!({ "name": "Nguyễn Văn Đức", "email": "Duc@Acme.Example", "locale": "vi" });
        let created = admin.post("/api/users", &user).await;
        assert_eq!(created.status, 201, "{created:?}");
        let invitation = next_mail(mail, "duc@acme.example", 1).await;
        assert_eq!(invitation.header("From").as_deref(), Some("Stoa <no-reply@stoa.test>"));
        assert_eq!(invitation.header("Auto-Submitted").as_deref(), Some("auto-generated"));
        assert!(invitation.header("Message-ID").unwrap().ends_with("@stoa.test>"));
        assert!(invitation.plain_text().starts_with("Xin chào Nguyễn Văn Đức,"), "{}", invitation.plain_text());

        // Whoever looks at links before people do uses nothing up.
        let link = invitation.link().unwrap();
        assert!(link.starts_with(&format!("{}/auth/invitation?token=", platform.url)), "{link}");
        let browser = Browser::new(platform);
        for _ in 0..2 {
            assert_eq!(Browser::new(platform).get(&link, &[]).await.status, 200);
        }
        let page = browser.get(&link, &[]).await;
        assert_page_headers(&page);
        for (password, repeat) in [("password2026!!", "password2026!!"), (PASSWORD, "something else"), ("short", "short")] {
            let refused = browser.submit(&page, &[("password", password), ("repeat", repeat)]).await;
            assert_eq!((refused.status, refused.text.contains("role=\"alert\"")), (422, true), "{refused:?}");
        }
        let forged = Browser::new(platform).submit(&page, &choice(PASSWORD)).await;
        assert_eq!(forged.status, 403, "the form belongs to the browser that it was made for");
        assert_eq!(browser.submit(&page, &choice(PASSWORD)).await.status, 200);
        assert_eq!(browser.submit(&page, &choice(OTHER_PASSWORD)).await.status, 410, "good for one use");
        assert_eq!(browser.get(&link, &[]).await.status, 410);

        let code = oidc::authorize(platform, "duc@acme.example", PASSWORD).await.expect("sign-in");
        let tokens = oidc::redeem(platform, &code).await.expect("tokens");
        assert_eq!(tokens.claims().unwrap()["sub"], created.body["id"]);
        assert_eq!(mail.received_by("duc@acme.example").len(), 1);
        let token = link.split("token=").nth(1).unwrap();
        assert_not_logged(platform, &[token, PASSWORD, "duc@acme.example", "Duc@Acme.Example"]);
        assert_hidden(platform, &[token, "duc@acme.example"]).await;
    }

    // covers: ID-05
    async fn a_forgotten_password_is_replaced_and_everything_is_signed_out(platform, mail) {
        let alice = Api::sign_in(platform, "alice@acme.test").await;
        // Nobody learns who has an account: the answers are the same but for what differs each time, and nothing is
        // looked up before them that could take its time, since nobody can read accounts meanwhile.
        let locker = platform.database().connect_as_superuser().await.expect("connect");
        locker.batch_execute("begin; lock table identity.account in access exclusive mode").await.expect("a lock");
        let mut answers = Vec::new();
        for email in ["nobody@acme.test", " Alice@acme.test"] {
            let answer = ask_for_reset(platform, email).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            answers.push((steady_headers(&answer), answer.text));
        }
        locker.batch_execute("commit").await.expect("the lock's end");
        assert_eq!(answers[0], answers[1]);
        let first = next_mail(mail, "alice@acme.test", 1).await;
        ask_for_reset(platform, "alice@acme.test").await;
        let second = next_mail(mail, "alice@acme.test", 2).await;
        let browser = Browser::new(platform);
        assert_eq!(browser.get(&first.link().unwrap(), &[]).await.status, 410, "a newer link replaces older ones");

        let page = browser.get(&second.link().unwrap(), &[]).await;
        assert_eq!(page.status, 200, "{page:?}");
        // Two at once: one link sets one password.
        let (fields, others) = (choice(PASSWORD), choice(OTHER_PASSWORD));
        let (one, two) = tokio::join!(browser.submit(&page, &fields), browser.submit(&page, &others));
        let (chosen, lost) = if one.status == 200 { (PASSWORD, two) } else { (OTHER_PASSWORD, one) };
        assert_eq!(lost.status, 410, "{lost:?}");
        let refresh = alice.tokens.refresh.clone().unwrap();
        let fields = [("grant_type", "refresh_token"), ("client_id", "stoa-cli"), ("refresh_token", refresh.as_str())];
        let (status, body) = oidc::token(platform, &fields).await.unwrap();
        assert_eq!((status, body["error"].as_str()), (400, Some("invalid_grant")), "{body}");
        oidc::authorize(platform, "alice@acme.test", "stoa-demo-2026").await.err().expect("the old password");
        oidc::authorize(platform, "alice@acme.test", chosen).await.expect("the new password");

        // Known or not, an address can be written to so often only.
        for email in ["bob@acme.test", "stranger@acme.test"] {
            for _ in 0..3 {
                assert_eq!(ask_for_reset(platform, email).await.status, 200);
            }
            let blocked = ask_for_reset(platform, email).await;
            assert_eq!((blocked.status, blocked.headers.contains_key("retry-after")), (429, true), "{blocked:?}");
            assert!(blocked.text.contains("seconds"), "{blocked:?}");
        }
        assert!(mail.received_by("stranger@acme.test").is_empty());
        let tokens = [first, second].map(|mail| mail.link().unwrap().split("token=").nth(1).unwrap().to_owned());
        assert_not_logged(platform, &[&tokens[0], &tokens[1], chosen]);
    }

    // covers: ID-05, CRM-03
    async fn another_address_counts_once_it_is_confirmed(platform, mail) {
        let admin = Api::sign_in(platform, "admin@acme.test").await;
        let bob = find_user(&admin, "bob@acme.test").await;
        let path = format!("/api/users/{}", bob["id"].as_str().unwrap());
        let changed = json!({ "name": "Bob Example", "email": "robert@acme.test" });
        assert_eq!(admin.change(Method::PUT, &path, "*", &changed).await.status, 200);
        let confirm = next_mail(mail, "robert@acme.test", 1).await;
        let notice = next_mail(mail, "bob@acme.test", 1).await;
        assert!(notice.link().is_none(), "a notice leads nowhere: {}", notice.plain_text());
        oidc::sign_in(platform, "bob@acme.test").await.expect("the old address is good until then");
        oidc::sign_in(platform, "robert@acme.test").await.expect_err("the new one is not yet");

        // Asking for a new password with the new address sends the link again, which replaces the first.
        assert_eq!(ask_for_reset(platform, "robert@acme.test").await.status, 200);
        let again = next_mail(mail, "robert@acme.test", 2).await;
        let browser = Browser::new(platform);
        assert_eq!(browser.get(&confirm.link().unwrap(), &[]).await.status, 410);
        let link = again.link().unwrap();
        let page = browser.get(&link, &[]).await;
        assert_eq!((page.status, page.text.contains("robert@acme.test")), (200, true), "{page:?}");
        oidc::sign_in(platform, "robert@acme.test").await.expect_err("looking at the page confirms nothing");
        assert_eq!(browser.submit(&page, &[]).await.status, 200);
        assert_eq!(browser.submit(&page, &[]).await.status, 410);
        oidc::sign_in(platform, "robert@acme.test").await.expect("the new address");
        oidc::sign_in(platform, "bob@acme.test").await.expect_err("the old one is gone");
        assert_eq!(mail.received().len(), 3);
    }

    // covers: ID-05, RS-01
    async fn a_mail_server_that_is_away_delays_a_mail_and_loses_none(platform, mail) {
        let admin = Api::sign_in(platform, "admin@acme.test").await;
        mail.stop();
        for name in ["eve", "unknown"] {
            let user = json!({ "name": name, "email": format!("{name}@acme.example") });
            assert_eq!(admin.post("/api/users", &user).await.status, 201);
        }
        let tried = "select count(*) from identity.job where kind = 'identity.mail' and status = 'queued' and attempts > 0";
        eventually(async || (count(platform, tried).await == 2).then_some(())).await;
        // What a process had in hand is not lost either.
        platform.process_of("identity").kill9().expect("kill");
        mail.resume().await.expect("the mail server");
        platform.process_of("identity").restart().await.expect("restart");
        let client = platform.database().connect_as_superuser().await.expect("connect");
        let soon = "update identity.job set run_at = now() where kind = 'identity.mail' and status = 'queued'";
        client.batch_execute(soon).await.expect("an hour passes");

        let sent = "select count(*) from identity.job where kind = 'identity.mail' and status = 'succeeded'";
        eventually(async || (count(platform, sent).await == 1).then_some(())).await;
        let mails = mail.received_by("eve@acme.example");
        assert_eq!(mails.len(), 1, "once: {mails:?}");
        assert_eq!(Browser::new(platform).get(&mails[0].link().unwrap(), &[]).await.status, 200);
        // Who cannot get mail is not waited for: the operation says so.
        let refused = "select count(*) from identity.job where kind = 'identity.mail' and status = 'failed'
                       and problem ->> 'code' = 'identity.mail_refused'";
        eventually(async || (count(platform, refused).await == 1).then_some(())).await;
    }

    // covers: ID-05, CRM-03
    async fn an_archived_user_is_out_at_once_and_may_come_back(platform, mail) {
        let admin = Api::sign_in(platform, "admin@acme.test").await;
        let bob = Api::sign_in(platform, "bob@acme.test").await;
        let path = format!("/api/users/{}", find_user(&admin, "bob@acme.test").await["id"].as_str().unwrap());
        assert_eq!(send(admin.request(Method::DELETE, &path).header("if-match", "*")).await.status, 204);
        let out = async || oidc::sign_in(platform, "bob@acme.test").await.err().map(|_| ());
        eventually(out).await;
        let refresh = bob.tokens.refresh.clone().unwrap();
        let fields = [("grant_type", "refresh_token"), ("client_id", "stoa-cli"), ("refresh_token", refresh.as_str())];
        let (_, body) = oidc::token(platform, &fields).await.unwrap();
        assert_eq!(body["error"], "invalid_grant");
        ask_for_reset(platform, "bob@acme.test").await;
        let restored = admin.post(&format!("{path}/restore"), &json!(null)).await;
        assert_eq!(restored.status, 200, "{restored:?}");
        eventually(async || oidc::sign_in(platform, "bob@acme.test").await.ok()).await;
        let (_, body) = oidc::token(platform, &fields).await.unwrap();
        assert_eq!(body["error"], "invalid_grant", "what was ended stays so");
        assert!(mail.received().is_empty(), "no mail to who was archived");
    }
}

fn choice(password: &str) -> [(&'static str, &str); 2] {
    [("password", password), ("repeat", password)]
}

async fn next_mail(server: &MailServer, to: &str, number: usize) -> Received {
    eventually(async || server.received_by(to).get(number - 1).cloned()).await
}

async fn ask_for_reset(platform: &Platform, email: &str) -> Page {
    let browser = Browser::new(platform);
    let page = browser.get("/auth/forgot", &[]).await;
    assert_page_headers(&page);
    browser.submit(&page, &[("email", email)]).await
}

async fn find_user(admin: &Api, email: &str) -> Value {
    let found = admin
        .get(&format!("/api/users?search={}", email.replace('@', "%40")))
        .await;
    assert_eq!(found.items().len(), 1, "{found:?}");
    found.items()[0].clone()
}

async fn count(platform: &Platform, sql: &str) -> i64 {
    let client = platform.database().connect_as_superuser().await.expect("connect");
    client.query_one(sql, &[]).await.expect("a count").get(0)
}

/// The headers, but the values of those that are of their own in every answer.
fn steady_headers(page: &Page) -> BTreeMap<String, String> {
    let own = [
        "date",
        "set-cookie",
        "x-request-id",
        "x-trace-id",
        "traceparent",
        "server-timing",
    ];
    let headers = page.headers.iter().map(|(name, value)| {
        let value = if own.contains(&name.as_str()) {
            ""
        } else {
            value.to_str().unwrap()
        };
        (name.to_string(), value.to_owned())
    });
    headers.collect()
}

fn assert_page_headers(page: &Page) {
    assert_eq!(page.status, 200, "{page:?}");
    let header = |name: &str| page.headers[name].to_str().unwrap();
    assert!(header("content-security-policy").contains("default-src 'none'"));
    assert!(header("content-security-policy").contains("frame-ancestors 'none'"));
    assert_eq!(
        (header("cache-control"), header("referrer-policy")),
        ("no-store", "no-referrer")
    );
    assert!(!page.text.contains("<script"), "{page:?}");
}

fn assert_not_logged(platform: &Platform, secrets: &[&str]) {
    for process in &platform.processes {
        let log = process.log();
        for secret in secrets {
            assert!(
                !log.contains(secret),
                "{secret} is in the log of {:?}",
                process.services
            );
        }
    }
}

/// Neither jobs nor events hold them; the token is not in the database at all.
async fn assert_hidden(platform: &Platform, secrets: &[&str]) {
    let client = platform.database().connect_as_superuser().await.expect("connect");
    for secret in secrets {
        for rows in ["identity.job", "log.event", "identity.mail_token"] {
            let sql = format!("select count(*) from {rows} r where r::text like '%' || $1 || '%'");
            let found: i64 = client.query_one(&sql, &[secret]).await.expect("rows").get(0);
            assert_eq!(found, 0, "{secret} is in {rows}");
        }
    }
}
