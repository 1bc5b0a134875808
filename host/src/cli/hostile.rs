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
/// What a first round may leave: memory that the allocator keeps for later.
const RESIDENT_KEPT_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// What a second round may add: nothing, but for what comes and goes by itself.
const RESIDENT_GROWTH_BYTES_MAX: u64 = 8 * 1024 * 1024;
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
    let mib = |bytes: u64| (bytes / 1024 / 1024).to_string();
    let [resident_before, resident_between, resident_after] =
        report.resident_bytes.map_or(["-"; 3].map(str::to_owned), |resident| resident.map(mib));
    println!("\nAn honest plugin beside them: 95 of 100 calls within {before} us before, {beside} us meanwhile, {after} us afterwards.");
    println!(
        "hostile contained={contained} total={} honest_failed={} honest_p95_us_before={before} honest_p95_us_beside={beside} honest_p95_us_after={after} resident_mib_before={resident_before} resident_mib_after_one_round={resident_between} resident_mib_after_two={resident_after}",
        report.tried.len(),
        report.honest_failed,
    );
    let is_level = report.resident_bytes.is_none_or(|[before, between, after]| {
        between.saturating_sub(before) <= RESIDENT_KEPT_BYTES_MAX && after.saturating_sub(between) <= RESIDENT_GROWTH_BYTES_MAX
    });
    let is_good = contained == report.tried.len() && report.honest_failed == 0 && report.honest_p95[1] <= HONEST_P95_MAX && is_level;
    Ok(if is_good { Exit::Done } else { Exit::Failed })
}
