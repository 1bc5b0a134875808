//! Calls the host as often as the benchmark wants to know what one call costs. Not a misbehaviour: it stays within its limits.

use atelier_sdk::{job, workspace};

/// How often.
pub const CALLS: u32 = 4_000;

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
