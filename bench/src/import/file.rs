//! The file: customers whose every field is filled.

use std::fmt::Write;

/// A CSV file of `rows` customers (RFC 4180).
pub(super) fn csv(rows: u32) -> String {
    let mut text = String::with_capacity(rows as usize * 110);
    text.push_str("externalKey,name,email,phone,status,sector,revenueMinor,employees\r\n");
    for n in 0..rows {
        let status = ["lead", "active", "inactive", "lost"]
            .get(n as usize % 4)
            .copied();
        // Writing to a String cannot fail.
        write!(
            text,
            "K{n:08},\"Import, {n:08} & Sons\",office{n}@import.example,+1555{n:07},{},retail,{},{}\r\n",
            status.unwrap_or_default(),
            u64::from(n) * 100,
            n % 5_000
        )
        .ok();
    }
    text
}
