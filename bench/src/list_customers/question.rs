//! The pages that are asked for.

use crate::client::Client;
use crate::population::USERS;
use crate::population::tokens::Users;
use anyhow::{Context, ensure};
use hyper::StatusCode;
use rand::Rng;
use rand::rngs::SmallRng;
use serde_json::Value;
use std::net::SocketAddr;

/// Items of a page.
pub(super) const LIMIT: usize = 50;
const LARGEST: usize = 100;

/// A kind of page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The first, by name.
    First,
    /// Of one status, the highest revenue first, with a condition on the number of employees.
    FilteredAndSorted,
    /// From the middle of the tenant's customers on, by an administrator.
    Deep,
    /// Names that begin with three letters.
    Prefix,
}

impl Kind {
    pub(super) const ALL: [Self; 4] = [Self::First, Self::FilteredAndSorted, Self::Deep, Self::Prefix];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::First => "first page",
            Self::FilteredAndSorted => "filter and sort",
            Self::Deep => "deep page",
            Self::Prefix => "prefix search",
        }
    }

    /// Path and query; `cursor` is that of the user's tenant.
    pub(super) fn path(self, cursor: &str, random: &mut SmallRng) -> String {
        let page = format!("/api/customers?limit={LIMIT}");
        match self {
            Self::First => page,
            Self::FilteredAndSorted => {
                let employees = random.random_range(0..1_000);
                format!("{page}&status=active&sort=-revenueMinor&filter=employees:ge:{employees}")
            }
            Self::Deep => format!("{page}&cursor={cursor}"),
            // Names are `Customer` and a hash.
            Self::Prefix => format!("{page}&search=customer%20{:03x}", random.random_range(0..0x1000)),
        }
    }

    /// Whether an answer can be right; a search may find nothing among a representative's own.
    pub(super) fn holds(self, body: &[u8]) -> anyhow::Result<()> {
        let page: Value = serde_json::from_slice(body).context("the page is not JSON")?;
        let items = page
            .get("items")
            .and_then(Value::as_array)
            .context("the page has no items")?;
        ensure!(
            !items.is_empty() || self == Self::Prefix,
            "{}: the page is empty",
            self.name()
        );
        ensure!(items.len() <= LIMIT, "{} items on a page of {LIMIT}", items.len());
        Ok(())
    }
}

/// For each tenant where its customers' middle is, by name.
pub(super) struct Cursors(Vec<String>);

impl Cursors {
    /// Walks there page by page, as an administrator of each tenant.
    pub(super) async fn halfway(server: SocketAddr, users: &Users) -> anyhow::Result<Self> {
        let shape = users.shape;
        let pages = shape.customers / shape.tenants / 2 / u32::try_from(LARGEST)?;
        let mut client = Client::connect(server).await?;
        let mut cursors = Vec::new();
        for tenant in 0..shape.tenants {
            let token = users.token(tenant, 0).context("no administrator")?;
            let mut cursor = String::new();
            for _ in 0..pages.max(1) {
                let path = match cursor.as_str() {
                    "" => format!("/api/customers?limit={LARGEST}"),
                    cursor => format!("/api/customers?limit={LARGEST}&cursor={cursor}"),
                };
                let page = client.get(&path, token).await?.json(StatusCode::OK)?;
                cursor = page
                    .get("nextCursor")
                    .and_then(Value::as_str)
                    .context("there is no next page")?
                    .to_owned();
            }
            cursors.push(cursor);
        }
        Ok(Self(cursors))
    }

    pub(super) fn of(&self, tenant: u32) -> &str {
        self.0.get(tenant as usize).map_or("", String::as_str)
    }
}

/// A user to ask as: deep pages are read by who has that many.
pub(super) fn user_for(kind: Kind, (tenant, user): (u32, u32)) -> (u32, u32) {
    debug_assert!(user < USERS, "a tenant has {USERS} users");
    match kind {
        Kind::Deep => (tenant, 0),
        _ => (tenant, user),
    }
}
