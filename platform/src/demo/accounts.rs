//! The demo customers: Acme's from the committed extract (see `platform/demo/README.md`), Globex's own five.

use stoa_contracts::customer::{CustomerStatus, NewCustomer};
use stoa_kernel::openapi::stable_id;
use stoa_types::{BranchId, CustomerId, UserId};

const ACCOUNTS: &[u8] = include_bytes!("../../demo/accounts.csv");

/// The file gives revenue in millions of dollars; stored are cents.
const CENTS_PER_MILLION: f64 = 100_000_000.0;

/// The accounts of the extract, dealt in turn to the owners.
pub(super) fn acme(owners: &[(UserId, BranchId)]) -> Vec<NewCustomer> {
    let mut turn = owners.iter().cycle();
    csv::Reader::from_reader(ACCOUNTS)
        .records()
        .filter_map(Result::ok)
        .filter_map(|row| {
            let (owner, branch) = turn.next().copied()?;
            let field = |index| row.get(index).map(str::trim).filter(|text| !text.is_empty());
            let name = field(0)?;
            let revenue: f64 = field(3).and_then(|text| text.parse().ok()).unwrap_or(0.0);
            Some(NewCustomer {
                id: CustomerId(stable_id(&format!("demo customer acme {name}"))),
                name: name.to_owned(),
                email: None,
                phone: None,
                status: CustomerStatus::Active,
                branch_id: branch,
                owner_id: owner,
                sector: field(1).map(str::to_owned),
                revenue_minor: (revenue * CENTS_PER_MILLION).round() as i64,
                employees: field(4).and_then(|text| text.parse().ok()),
                office_location: field(5).map(str::to_owned),
            })
        })
        .collect()
}

/// Customers of the second tenant, which Acme must never see.
pub(super) fn globex(owner: UserId, branch: BranchId) -> Vec<NewCustomer> {
    [
        "Hammock District",
        "Cypress Creek Power",
        "Volcano Logistics",
        "Scorpio Optics",
        "Homer's Bowling",
    ]
    .into_iter()
    .map(|name| NewCustomer {
        id: CustomerId(stable_id(&format!("demo customer globex {name}"))),
        name: name.to_owned(),
        email: None,
        phone: None,
        status: CustomerStatus::Lead,
        branch_id: branch,
        owner_id: owner,
        sector: None,
        revenue_minor: 0,
        employees: None,
        office_location: None,
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extract_holds_85_accounts_with_figures() {
        let owners = [1, 2].map(|n| {
            (
                UserId(uuid::Uuid::from_u128(n)),
                BranchId(uuid::Uuid::from_u128(n)),
            )
        });
        let customers = acme(&owners);
        assert_eq!(customers.len(), 85);
        assert_eq!(customers[0].revenue_minor, 110_004_000_000);
        assert_eq!(customers.iter().filter(|c| c.owner_id == owners[0].0).count(), 43);
        assert!(customers.iter().all(|c| c.employees.is_some()));
    }
}
