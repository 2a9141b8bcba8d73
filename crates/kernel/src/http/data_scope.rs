//! The query parameter `dataScope` of lists.

use schemars::JsonSchema;
use serde::Deserialize;
use stoa_policy::DataScope;

/// Narrows a list to a part of what the caller may see; it never widens it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DataScopeParam {
    /// What the caller owns.
    Own,
    /// What the caller or somebody in one of the caller's teams owns.
    Team,
    /// What belongs to the caller's branch.
    Branch,
    /// What belongs to the caller's branch or one below it.
    BranchAndBelow,
    /// What belongs to any branch of the organization of the caller's branch.
    Organization,
    /// All that the caller may see.
    All,
}

impl From<DataScopeParam> for DataScope {
    fn from(narrow: DataScopeParam) -> Self {
        match narrow {
            DataScopeParam::Own => Self::Own,
            DataScopeParam::Team => Self::Team,
            DataScopeParam::Branch => Self::Branch,
            DataScopeParam::BranchAndBelow => Self::BranchAndBelow,
            DataScopeParam::Organization => Self::Organization,
            DataScopeParam::All => Self::All,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // covers: AZ-04
    #[test]
    fn every_scope_has_its_own_name_in_the_query() {
        for scope in DataScope::EVERY {
            let param: DataScopeParam = serde_json::from_value(scope.as_str().into()).unwrap();
            assert_eq!(DataScope::from(param), scope);
        }
    }
}
