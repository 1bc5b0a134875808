//! Calls the host as often as the benchmark wants to know what one call costs. Not a misbehaviour: it stays within its limits.

use atelier_sdk::log::{self, Level};
use atelier_sdk::{credits, index, job, workspace};

/// How often.
pub const CALLS: u32 = 4_000;
/// How often where the host asks its database.
pub const STORED_CALLS: u32 = 200;

/// Calls that need no journal.
pub fn job_calls() -> String {
    let total: u64 = (0..CALLS).map(|_| u64::from(job::attempt())).sum();
    total.to_string()
}

/// Calls that are granted, counted and journaled.
pub fn file_calls() -> String {
    let total: usize = (0..CALLS).map(|_| workspace::list_files(None).map_or(0, |page| page.entries.len())).sum();
    total.to_string()
}

/// Calls that may be dropped and never refused.
pub fn log_calls() -> String {
    (0..CALLS).for_each(|_| log::write(Level::Debug, "a line"));
    CALLS.to_string()
}

/// Calls with an argument and an answer of some size.
pub fn read_calls() -> String {
    let total: usize = (0..CALLS).map(|_| workspace::read("a.py").map_or(0, |text| text.len())).sum();
    total.to_string()
}

/// Calls whose answer comes from the ledger.
pub fn left_calls() -> String {
    (0..STORED_CALLS).filter(|_| credits::left().is_ok()).count().to_string()
}

/// Calls whose answer comes from the index.
pub fn search_calls() -> String {
    (0..STORED_CALLS).filter(|_| index::search("greet", 5).is_ok()).count().to_string()
}
