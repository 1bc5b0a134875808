//! `atelier replay`: a recorded project once more, without a model and at no cost.

use super::{Exit, Json, print_json};
use crate::app::Reader;
use crate::orchestrator::replay::{Finding, Replayed};
use crate::settings::Settings;
use anyhow::{Context, Result, bail};
use clap::Args;
use std::collections::BTreeMap;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct ReplayArguments {
    /// The project's id; `atelier history` lists them
    project: String,
    /// A component to use in place of the recorded version of a plugin; may be given more than once
    #[arg(long = "plugin", value_name = "NAME=FILE")]
    plugins: Vec<String>,
    #[command(flatten)]
    json: Json,
}

pub(super) async fn replay(settings: Settings, arguments: ReplayArguments) -> Result<Exit> {
    let reader = Reader::open(settings).await?;
    let orchestrator = reader.orchestrator("replay", None).await?;
    let project = reader.store.project(&arguments.project).await?;
    let mut instead = BTreeMap::new();
    for argument in &arguments.plugins {
        let Some((name, file)) = argument.split_once('=') else {
            bail!("`{argument}` names no plugin; write --plugin NAME=FILE, such as --plugin implementer=mine.wasm");
        };
        let file = PathBuf::from(file);
        let bytes = std::fs::read(&file).with_context(|| format!("read {}", file.display()))?;
        instead.insert(name.to_owned(), tokio::task::block_in_place(|| orchestrator.registry().of_bytes(name, &bytes))?);
    }
    let runs = orchestrator.replay(&project, &instead).await?;
    let receipt = reader.store.receipt(&project.id).await?;
    let good = runs.iter().all(|run| matches!(run.finding, Finding::Same));
    if arguments.json.json {
        print_json(
            &serde_json::json!({ "project": project.id, "runs": runs, "recorded_calls": receipt.calls, "recorded_charge": receipt.charged }),
        )?;
    } else {
        runs.iter().for_each(show);
        let same = runs.iter().filter(|run| matches!(run.finding, Finding::Same)).count();
        println!(
            "{same} of {} runs came out the same. Recorded: {} model calls, {} charged. This replay: 0 calls, 0 charged.",
            runs.len(),
            receipt.calls,
            receipt.charged
        );
    }
    if runs.is_empty() {
        bail!("project {} has no recorded run yet", project.id);
    }
    Ok(if good { Exit::Done } else { Exit::Failed })
}

fn show(run: &Replayed) {
    let checks = run.checks.map(|(passed, all)| format!(", {passed} of {all} checks pass")).unwrap_or_default();
    let figures = format!("{} host calls, {} thousand instructions{checks}", run.host_calls, run.fuel / 1_000);
    let name = format!("{} {} ({} {})", run.run, run.step, run.plugin, run.plugin_sha256.get(..12).unwrap_or_default());
    match &run.finding {
        Finding::Same => println!("same      {name}: {figures}"),
        Finding::OtherResult => println!("OTHER     {name}: it asked the same and returned something else; {figures}"),
        Finding::Ended(why) => println!("ENDED     {name}: {why}; {figures}"),
        Finding::Forgotten => println!("unknown   {name}: its journal was let go, ATELIER_JOURNAL_DAYS after the project's end"),
        Finding::NotRecorded => println!("unknown   {name}: an older version wrote down too little to replay it"),
        Finding::Diverged { call, what, recorded, now } => {
            println!("DIVERGED  {name}: at host call {call}, {what}; {figures}");
            println!("            recorded: {recorded}");
            println!("            now:      {now}");
        }
    }
}
