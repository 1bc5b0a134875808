//! `atelier plugin compare`: two versions of a plugin on the same work, side by side. On cases both run live with the case's model; on recorded
//! projects both are replayed, which shows where one would have asked for something else, and costs nothing.

use super::pin::{read, ready};
use super::{Exit, Json, print_json};
use crate::app::Reader;
use crate::orchestrator::rehearsal::{Case, Rehearsed, rehearse};
use crate::orchestrator::replay::{Finding, Replayed};
use crate::plugins::manifest::PluginManifest;
use crate::plugins::registry::{Loaded, Registry};
use crate::settings::Settings;
use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Debug, Args)]
pub(super) struct CompareArguments {
    /// A component
    one: PathBuf,
    /// Another one of the same plugin
    other: PathBuf,
    /// The `plugin.toml` of both
    #[arg(long, value_name = "FILE")]
    manifest: PathBuf,
    /// A case to run both on; may be given more than once
    #[arg(long = "case", value_name = "FILE")]
    cases: Vec<PathBuf>,
    /// So many recorded projects, the newest first, to replay with both
    #[arg(long, value_name = "N", default_value_t = 0)]
    projects: u32,
    #[command(flatten)]
    json: Json,
}

/// What came of one piece of work.
#[derive(Debug, Serialize)]
struct Side {
    end: String,
    good: bool,
    fuel: u64,
    memory_peak_bytes: u64,
    host_calls: u32,
    tokens: u64,
    charged_nano_usd: i64,
}

/// A piece of work, done by both.
#[derive(Debug, Serialize)]
struct Row {
    work: String,
    one: Side,
    other: Side,
}

pub(super) async fn compare(settings: Settings, arguments: CompareArguments) -> Result<Exit> {
    if arguments.cases.is_empty() && arguments.projects == 0 {
        bail!("there is nothing to compare them on; name cases with --case FILE, or recorded projects with --projects N");
    }
    let manifest = PluginManifest::read(&arguments.manifest)?;
    let load = |file: &Path| ready(&settings.data_dir, &manifest, &read(file)?).with_context(|| file.display().to_string());
    let (one, other) = (load(&arguments.one)?, load(&arguments.other)?);
    let mut rows = Vec::new();
    for path in &arguments.cases {
        let case = Case::read(path)?;
        let of = async |side: &(Arc<Registry>, Arc<Loaded>)| rehearse(settings.clone(), side.0.clone(), &side.1, &case).await;
        let work = format!("case {}", path.file_stem().unwrap_or_default().to_string_lossy());
        rows.push(Row { work, one: of(&one).await?.into(), other: of(&other).await?.into() });
    }
    if arguments.projects > 0 {
        rows.extend(recorded(settings, &manifest.name, arguments.projects, &one.1, &other.1).await?);
    }
    if arguments.json.json {
        print_json(&rows)?;
    } else {
        show(&rows);
    }
    Ok(Exit::Done)
}

/// Every run of this plugin in the newest projects.
async fn recorded(settings: Settings, name: &str, most: u32, one: &Arc<Loaded>, other: &Arc<Loaded>) -> Result<Vec<Row>> {
    let reader = Reader::open(settings).await?;
    let orchestrator = reader.orchestrator("compare", None).await?;
    let mut rows = Vec::new();
    for listed in reader.store.history(most).await? {
        let project = reader.store.project(&listed.id).await?;
        let of = async |plugin: &Arc<Loaded>| orchestrator.replay(&project, &BTreeMap::from([(name.to_owned(), plugin.clone())])).await;
        let (ones, others) = (of(one).await?, of(other).await?);
        let own = ones.into_iter().zip(others).filter(|(run, _)| run.plugin == name);
        rows.extend(own.map(|(one, other)| Row { work: format!("run {} {}", one.run, one.step), one: one.into(), other: other.into() }));
    }
    Ok(rows)
}

fn show(rows: &[Row]) {
    println!("{:<34} {:<26} {:>12} {:>8}   {:<26} {:>12} {:>8}", "", "one", "k instr.", "tokens", "other", "k instr.", "tokens");
    for row in rows {
        let side =
            |side: &Side| format!("{:<26} {:>12} {:>8}", side.end.chars().take(26).collect::<String>(), side.fuel / 1_000, side.tokens);
        println!("{:<34} {}   {}", row.work, side(&row.one), side(&row.other));
    }
    let sum = |of: fn(&Row) -> &Side| {
        let good = rows.iter().filter(|row| of(row).good).count();
        let (fuel, charged) = rows.iter().fold((0, 0), |(fuel, charged), row| (fuel + of(row).fuel, charged + of(row).charged_nano_usd));
        format!(
            "{good} of {} as they should be, {} thousand instructions, {} charged",
            rows.len(),
            fuel / 1_000,
            crate::ledger::NanoUsd(charged)
        )
    };
    println!("one:   {}\nother: {}", sum(|row| &row.one), sum(|row| &row.other));
}

impl From<Rehearsed> for Side {
    fn from(run: Rehearsed) -> Side {
        let good = run.is_good();
        Side {
            end: if good { "good".to_owned() } else { run.problems.first().cloned().unwrap_or_else(|| "does not repeat".to_owned()) },
            good,
            fuel: run.fuel,
            memory_peak_bytes: run.memory_peak_bytes,
            host_calls: run.host_calls,
            tokens: run.receipt.input_tokens + run.receipt.output_tokens,
            charged_nano_usd: run.receipt.charged.0,
        }
    }
}

impl From<Replayed> for Side {
    fn from(run: Replayed) -> Side {
        let end = match &run.finding {
            Finding::Same => "the same".to_owned(),
            Finding::OtherResult => "another result".to_owned(),
            Finding::Diverged { call, what, .. } => format!("parts at {call}: {what}"),
            Finding::Ended(why) => why.clone(),
            Finding::NotRecorded | Finding::Forgotten => "not kept".to_owned(),
        };
        Side {
            end,
            good: run.finding == Finding::Same,
            fuel: run.fuel,
            memory_peak_bytes: run.memory_peak_bytes,
            host_calls: run.host_calls,
            // A replay asks nobody.
            tokens: 0,
            charged_nano_usd: 0,
        }
    }
}
