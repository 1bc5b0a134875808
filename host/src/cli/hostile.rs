//! `atelier doctor --hostile`: the sandbox, attacked on this machine.

use super::Exit;
use crate::plugins::hostile::{Tried, attack};
use crate::plugins::registry::Registry;
use crate::settings::Settings;
use anyhow::Result;
use std::sync::Arc;
use std::time::Duration;

/// What somebody else may feel of an attack.
const HONEST_P95_MAX: Duration = Duration::from_millis(100);
/// What may stay behind: code that was compiled, memory that the allocator keeps for later.
const RESIDENT_GROWTH_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// A line of a terminal.
const END_CHARS_MAX: usize = 60;

pub(super) async fn hostile(settings: &Settings) -> Result<Exit> {
    let registry = Arc::new(Registry::open(&settings.data_dir)?);
    println!("{:<20} {:<42} {:>9} {:>9}  what became of it", "guest", "promise", "", "ms");
    let show = |tried: &Tried| {
        let verdict = if tried.contained { "contained" } else { "ESCAPED" };
        let end: String = tried.end.lines().next().unwrap_or_default().chars().take(END_CHARS_MAX).collect();
        println!("{:<20} {:<42} {verdict:>9} {:>9}  {end}", tried.name, tried.promise, tried.took.as_millis());
    };
    let report = attack(registry, show).await?;
    let contained = report.tried.iter().filter(|tried| tried.contained).count();
    let [before, beside, after] = report.honest_p95.map(|time| time.as_micros());
    let mib = report.resident_bytes.map(|both| both.map(|bytes| bytes / 1024 / 1024));
    let (resident_before, resident_after) =
        mib.map_or(("-".to_owned(), "-".to_owned()), |[before, after]| (before.to_string(), after.to_string()));
    println!("\nAn honest plugin beside them: 95 of 100 calls within {before} us before, {beside} us meanwhile, {after} us afterwards.");
    println!(
        "hostile contained={contained} total={} honest_failed={} honest_p95_us_before={before} honest_p95_us_beside={beside} honest_p95_us_after={after} resident_mib_before={resident_before} resident_mib_after={resident_after}",
        report.tried.len(),
        report.honest_failed,
    );
    let is_level = report.resident_bytes.is_none_or(|[before, after]| after.saturating_sub(before) <= RESIDENT_GROWTH_BYTES_MAX);
    let is_good = contained == report.tried.len() && report.honest_failed == 0 && report.honest_p95[1] <= HONEST_P95_MAX && is_level;
    Ok(if is_good { Exit::Done } else { Exit::Failed })
}
