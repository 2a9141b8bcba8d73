//! The data set "CRM Sales Opportunities": regional offices become branches, sales agents and managers users, managers'
//! people teams, accounts customers. What is there already stays as it is.

use super::client::Client;
use super::customers::{self, How};
use crate::cli::say;
use anyhow::{Context, bail};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const ORGANIZATION: &str = "CRM Sales";
const DOMAIN: &str = "crm-sales.example";
/// The file gives revenue in millions of dollars; stored are cents.
const CENTS_PER_MILLION: f64 = 100_000_000.0;

/// One line of a file, by column.
type Line = BTreeMap<String, String>;

/// Somebody who sells.
struct Agent {
    name: String,
    manager: String,
    office: String,
}

/// Imports the folder.
///
/// # Errors
/// When a file is missing or the platform refuses.
pub(super) async fn import(client: &Client, folder: &Path) -> anyhow::Result<()> {
    let agents: Vec<Agent> = lines(folder, "sales_teams.csv")?
        .into_iter()
        .map(Agent::from)
        .collect();
    let accounts = lines(folder, "accounts.csv")?;
    let owners = owners(&lines(folder, "sales_pipeline.csv")?);

    let offices: BTreeSet<&str> = agents.iter().map(|agent| agent.office.as_str()).collect();
    let branches = branches(client, &offices).await?;
    let users = users(client, &agents).await?;
    teams(client, &agents, &users).await?;
    fields(client).await?;

    let file = customers_csv(&accounts, &owners, &agents, &branches)?;
    say(&format!("importing {} accounts", accounts.len()));
    let how = How {
        mappings: Vec::new(),
        start: json!({ "key": "externalKey", "mode": "upsert" }),
    };
    let errors = std::env::temp_dir().join("crm-sales.errors.csv");
    customers::import(client, file, "text/csv", &how, &errors).await
}

impl From<Line> for Agent {
    fn from(mut line: Line) -> Self {
        let mut take = |column: &str| line.remove(column).unwrap_or_default();
        Self {
            name: take("sales_agent"),
            manager: take("manager"),
            office: take("regional_office"),
        }
    }
}

fn lines(folder: &Path, name: &str) -> anyhow::Result<Vec<Line>> {
    let path = folder.join(name);
    let reading = || format!("reading {}", path.display());
    let mut reader = csv::Reader::from_path(&path).with_context(reading)?;
    reader
        .deserialize()
        .collect::<Result<_, _>>()
        .with_context(reading)
}

/// Each account's owner: the agent of its latest won opportunity; of two on one day, of the later line.
fn owners(pipeline: &[Line]) -> BTreeMap<String, String> {
    let mut latest: BTreeMap<&str, ((u32, u32, u32), &str)> = BTreeMap::new();
    for line in pipeline {
        let text = |column: &str| line.get(column).map_or("", String::as_str);
        let (account, agent) = (text("account"), text("sales_agent"));
        let Some(day) = day(text("close_date")) else {
            continue;
        };
        if text("deal_stage") != "Won" || account.is_empty() {
            continue;
        }
        if latest.get(account).is_none_or(|(known, _)| *known <= day) {
            latest.insert(account, (day, agent));
        }
    }
    latest
        .into_iter()
        .map(|(account, (_, agent))| (account.to_owned(), agent.to_owned()))
        .collect()
}

/// `3/1/2017` as year, month, day.
fn day(text: &str) -> Option<(u32, u32, u32)> {
    let mut parts = text.split('/').map(|part| part.parse().ok());
    let (month, day, year) = (parts.next()??, parts.next()??, parts.next()??);
    Some((year, month, day))
}

fn email(name: &str) -> String {
    format!(
        "{}@{DOMAIN}",
        name.to_lowercase()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(".")
    )
}

fn id_of(item: &Value) -> String {
    item["id"].as_str().unwrap_or_default().to_owned()
}

/// The offices' branches by name.
async fn branches(client: &Client, offices: &BTreeSet<&str>) -> anyhow::Result<BTreeMap<String, String>> {
    let what = "making the branches";
    let known = client.all(what, "/api/organizations").await?;
    let organization = match known.iter().find(|item| item["name"] == ORGANIZATION) {
        Some(item) => id_of(item),
        None => id_of(
            &client
                .post(what, "/api/organizations", &json!({ "name": ORGANIZATION }))
                .await?
                .body,
        ),
    };
    let path = format!("/api/organizations/{organization}/branches");
    let known = client.all(what, &path).await?;
    let mut branches = BTreeMap::new();
    for office in offices {
        let id = match known.iter().find(|item| item["name"] == **office) {
            Some(item) => id_of(item),
            None => {
                say(&format!("new branch {office}"));
                id_of(&client.post(what, &path, &json!({ "name": office })).await?.body)
            }
        };
        branches.insert((*office).to_owned(), id);
    }
    Ok(branches)
}

/// The agents' and managers' ids by name.
async fn users(client: &Client, agents: &[Agent]) -> anyhow::Result<BTreeMap<String, String>> {
    let what = "making the users";
    let known = client.all(what, "/api/users").await?;
    let mut people: BTreeMap<&str, &str> = agents.iter().map(|a| (a.name.as_str(), "Sales agent")).collect();
    people.extend(
        agents
            .iter()
            .map(|agent| (agent.manager.as_str(), "Sales manager")),
    );
    let mut users = BTreeMap::new();
    for (name, title) in people {
        let email = email(name);
        let id = match known.iter().find(|item| item["email"] == *email) {
            Some(item) => id_of(item),
            None => {
                let body = json!({ "name": name, "email": email, "title": title, "invite": false });
                id_of(&client.post(what, "/api/users", &body).await?.body)
            }
        };
        users.insert(name.to_owned(), id);
    }
    say(&format!("{} users", users.len()));
    Ok(users)
}

/// A team for each manager.
async fn teams(client: &Client, agents: &[Agent], users: &BTreeMap<String, String>) -> anyhow::Result<()> {
    let what = "making the teams";
    let known = client.all(what, "/api/teams").await?;
    let managers: BTreeSet<&str> = agents.iter().map(|agent| agent.manager.as_str()).collect();
    for manager in managers {
        let name = format!("{manager}'s team");
        let id = match known.iter().find(|item| item["name"] == *name) {
            Some(item) => id_of(item),
            None => id_of(
                &client
                    .post(what, "/api/teams", &json!({ "name": name }))
                    .await?
                    .body,
            ),
        };
        let people = agents
            .iter()
            .filter(|agent| agent.manager == manager)
            .map(|agent| agent.name.as_str());
        let members: Vec<_> = people
            .chain([manager])
            .filter_map(|person| users.get(person))
            .collect();
        let path = format!("/api/teams/{id}/members");
        let request = client.request(Method::PUT, &path)?.header("if-match", "*");
        client
            .json(what, request.json(&json!({ "memberIds": members })))
            .await?;
    }
    Ok(())
}

/// What the accounts have beyond a customer's own fields.
async fn fields(client: &Client) -> anyhow::Result<()> {
    let what = "defining the custom fields";
    let known = client.all(what, "/api/customers/fields").await?;
    for (key, label, kind) in [
        ("year_established", "Year established", "number"),
        ("subsidiary_of", "Subsidiary of", "text"),
    ] {
        if !known.iter().any(|item| item["key"] == *key) {
            let body = json!({ "key": key, "label": label, "type": kind });
            client.post(what, "/api/customers/fields", &body).await?;
        }
    }
    Ok(())
}

/// The accounts as the import takes them; spelling mistakes of the source stay.
fn customers_csv(
    accounts: &[Line],
    owners: &BTreeMap<String, String>,
    agents: &[Agent],
    branches: &BTreeMap<String, String>,
) -> anyhow::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record([
        "externalKey",
        "name",
        "status",
        "sector",
        "revenueMinor",
        "employees",
        "officeLocation",
        "owner",
        "branch",
        "custom.year_established",
        "custom.subsidiary_of",
    ])?;
    for account in accounts {
        let text = |column: &str| account.get(column).map_or("", |text| text.trim());
        let name = text("account");
        let revenue: f64 = text("revenue")
            .parse()
            .with_context(|| format!("the revenue of {name}"))?;
        let owner = owners.get(name).map_or("", String::as_str);
        let Some(agent) = agents.iter().find(|agent| agent.name == owner) else {
            bail!("{name} was never sold to by anybody of sales_teams.csv, so it has no owner");
        };
        let branch = branches.get(&agent.office).map_or("", String::as_str);
        writer.write_record([
            name,
            name,
            "active",
            text("sector"),
            &format!("{:.0}", (revenue * CENTS_PER_MILLION).round()),
            text("employees"),
            text("office_location"),
            &email(owner),
            branch,
            text("year_established"),
            text("subsidiary_of"),
        ])?;
    }
    writer.into_inner().context("writing the accounts")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opportunity(account: &str, agent: &str, stage: &str, closed: &str) -> Line {
        [
            ("account", account),
            ("sales_agent", agent),
            ("deal_stage", stage),
            ("close_date", closed),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    #[test]
    fn an_account_belongs_to_who_won_it_last() {
        let pipeline = [
            opportunity("Acme", "Ann", "Won", "12/31/2016"),
            opportunity("Acme", "Bob", "Won", "3/1/2017"),
            opportunity("Acme", "Cas", "Won", "2/28/2017"),
            opportunity("Acme", "Dan", "Lost", "4/1/2017"),
            opportunity("Bolt", "Eve", "Engaging", ""),
            opportunity("", "Eve", "Won", "4/1/2017"),
        ];
        let owners = owners(&pipeline);
        assert_eq!(
            owners.into_iter().collect::<Vec<_>>(),
            [("Acme".to_owned(), "Bob".to_owned())]
        );
        assert_eq!(email("Mei-Mei Johns"), "mei-mei.johns@crm-sales.example");
    }
}
