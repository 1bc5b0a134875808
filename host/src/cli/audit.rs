//! `atelier audit`: the ledger's invariants, and the ledger held against a provider's own log.

use super::{Exit, Json, print_json};
use crate::app::Reader;
use crate::settings::Settings;
use crate::store::audit::ProviderLine;
use anyhow::{Context, Result};
use clap::Args;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub(super) struct AuditArguments {
    /// A provider's record, one JSON object a line with `served`, `request_id` and `usage`
    #[arg(long, value_name = "FILE")]
    provider_log: Option<PathBuf>,
    /// Count every call's cost once more from its tokens and its price
    #[arg(long)]
    recompute: bool,
    /// Correct calls that were charged by an estimate, from the provider's record
    #[arg(long, requires = "provider_log")]
    adjust: bool,
    #[command(flatten)]
    json: Json,
}

pub(super) async fn audit(settings: Settings, arguments: AuditArguments) -> Result<Exit> {
    let reader = Reader::open(settings).await?;
    let mut invariants = reader.store.audit(&reader.store.living_boots().await?).await?;
    if arguments.recompute {
        let (calls, recomputed) = reader.store.recompute().await?;
        eprintln!("{calls} calls counted once more");
        invariants.push(recomputed);
    }
    if let (true, Some(path)) = (arguments.adjust, &arguments.provider_log) {
        let (corrected, user) = reader.store.adjust_from_log(&lines(path)?).await?;
        eprintln!("{corrected} estimates corrected, {user} given back");
    }
    let counts = reader.store.call_counts().await?;
    let comparison = match &arguments.provider_log {
        Some(path) => Some(reader.store.compare_with_provider(&lines(path)?).await?),
        None => None,
    };
    let broken = invariants.iter().map(|invariant| invariant.violations.len()).sum::<usize>()
        + comparison.as_ref().map_or(0, |comparison| comparison.violations.len());
    if arguments.json.json {
        print_json(&serde_json::json!({ "invariants": invariants, "provider": comparison, "calls": counts }))?;
    } else {
        for invariant in &invariants {
            println!("{:<4} {} {}", invariant.id, if invariant.violations.is_empty() { "holds " } else { "BROKEN" }, invariant.claim);
            for violation in &invariant.violations {
                println!("       {violation}");
            }
        }
        if let Some(comparison) = &comparison {
            println!(
                "provider's log: {} served, {} refused; {} tokens there, {} here; {} violations",
                comparison.served,
                comparison.refused,
                comparison.provider_tokens,
                comparison.ledger_tokens,
                comparison.violations.len()
            );
            for violation in &comparison.violations {
                println!("       {violation}");
            }
        }
        for count in &counts {
            println!("calls {} {}: {}", count.state, count.usage_source.as_deref().unwrap_or("-"), count.calls);
        }
        println!("{} invariants, {broken} violations", invariants.len());
    }
    Ok(if broken == 0 { Exit::Done } else { Exit::Failed })
}

fn lines(path: &Path) -> Result<Vec<ProviderLine>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("read the provider's log {}", path.display()))?;
    let parse = |(number, line): (usize, &str)| {
        serde_json::from_str(line).with_context(|| format!("{} line {}: not a JSON object of a provider's log", path.display(), number + 1))
    };
    text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(parse).collect()
}
