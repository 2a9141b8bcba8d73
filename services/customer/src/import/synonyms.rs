//! What people call the fields, in English and Vietnamese; compared without case, accents and punctuation.

use super::mapping::Target;
use stoa_kernel::text::search_key;

const WORDS: &[(&str, &[&str])] = &[
    ("id", &["id", "customer id", "ma he thong"]),
    (
        "externalKey",
        &[
            "external key",
            "externalkey",
            "external id",
            "key",
            "customer number",
            "customer no",
            "account id",
            "account number",
            "code",
            "customer code",
            "ma khach hang",
            "ma kh",
            "ma so",
        ],
    ),
    (
        "name",
        &[
            "name",
            "customer",
            "customer name",
            "account",
            "account name",
            "company",
            "company name",
            "organisation",
            "organization",
            "full name",
            "ten",
            "ten khach hang",
            "khach hang",
            "cong ty",
            "ten cong ty",
            "ho ten",
            "ho va ten",
        ],
    ),
    (
        "email",
        &[
            "email",
            "e mail",
            "mail",
            "email address",
            "e mail address",
            "thu dien tu",
            "dia chi email",
            "hop thu",
        ],
    ),
    (
        "phone",
        &[
            "phone",
            "phone number",
            "telephone",
            "tel",
            "mobile",
            "cell",
            "dien thoai",
            "so dien thoai",
            "sdt",
            "di dong",
        ],
    ),
    (
        "status",
        &[
            "status",
            "state",
            "stage",
            "lifecycle",
            "trang thai",
            "tinh trang",
        ],
    ),
    (
        "sector",
        &[
            "sector",
            "industry",
            "line of business",
            "branche",
            "nganh",
            "nganh nghe",
            "linh vuc",
        ],
    ),
    (
        "revenueMinor",
        &[
            "revenue minor",
            "revenueminor",
            "revenue cents",
            "revenue in cents",
        ],
    ),
    (
        "employees",
        &[
            "employees",
            "employee count",
            "number of employees",
            "staff",
            "headcount",
            "so nhan vien",
            "nhan vien",
        ],
    ),
    (
        "officeLocation",
        &[
            "office location",
            "officelocation",
            "office",
            "location",
            "city",
            "country",
            "address",
            "van phong",
            "dia diem",
            "dia chi",
            "thanh pho",
        ],
    ),
    (
        "branch",
        &[
            "branch",
            "branch id",
            "branchid",
            "branch name",
            "regional office",
            "region",
            "chi nhanh",
        ],
    ),
    (
        "owner",
        &[
            "owner",
            "owner id",
            "ownerid",
            "owner email",
            "account owner",
            "account manager",
            "sales agent",
            "responsible",
            "nguoi phu trach",
            "phu trach",
            "nhan vien phu trach",
        ],
    ),
    (
        "tags",
        &["tags", "tag", "labels", "label", "keywords", "the", "nhan"],
    ),
];

/// The letters and digits of a name, words apart.
fn normalised(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|c| if c.is_alphanumeric() { c } else { ' ' })
        .collect();
    search_key(&plain)
}

/// What a column most likely holds. `custom` are the tenant's own fields: key and label.
pub(crate) fn guess(column: &str, custom: &[(String, String)]) -> Option<Target> {
    let (name, compact) = (normalised(column), normalised(column).replace(' ', ""));
    if name.is_empty() {
        return None;
    }
    let own = custom.iter().find(|(key, label)| {
        column == format!("custom.{key}") || name == normalised(key) || name == normalised(label)
    });
    if let Some((key, _)) = own {
        return Some(Target::Custom(key.clone()));
    }
    WORDS
        .iter()
        .find(|(_, words)| {
            words
                .iter()
                .any(|word| *word == name || word.replace(' ', "") == compact)
        })
        .and_then(|(field, _)| Target::named(field))
}

#[cfg(test)]
mod tests {
    use super::*;

    // covers: CRM-09
    #[test]
    fn columns_are_recognised_in_both_languages() {
        let custom = [("size_class".to_owned(), "Größenklasse".to_owned())];
        for (column, field) in [
            ("Name", "name"),
            ("E-Mail", "email"),
            ("Số điện thoại", "phone"),
            ("Mã khách hàng", "externalKey"),
            ("Người phụ trách", "owner"),
            ("CHI NHÁNH", "branch"),
            ("officeLocation", "officeLocation"),
            ("Office_Location", "officeLocation"),
            ("revenueMinor", "revenueMinor"),
            ("Größenklasse", "custom.size_class"),
            ("size-class", "custom.size_class"),
            ("custom.size_class", "custom.size_class"),
            ("ownerId", "owner"),
            ("tags", "tags"),
        ] {
            let found = guess(column, &custom).map(|target| target.to_string());
            assert_eq!(found.as_deref(), Some(field), "{column}");
        }
        assert_eq!(guess("subsidiary_of", &custom), None);
        assert_eq!(guess("  ", &custom), None);
    }

    #[test]
    fn every_word_is_listed_as_it_is_compared() {
        for (field, words) in WORDS {
            assert!(Target::named(field).is_some(), "{field}");
            for word in *words {
                assert_eq!(normalised(word), *word);
            }
        }
    }
}
