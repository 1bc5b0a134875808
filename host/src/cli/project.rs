//! `atelier status`, `history`, `show` and `cancel`: what is stored of projects.

use super::{Exit, Json, print_json};
use crate::app::{App, Reader};
use crate::delivery::report::Report;
use crate::project::{Next, Phase};
use crate::settings::Settings;
use anyhow::Result;
use clap::Args;
use std::time::{Duration, UNIX_EPOCH};

/// Projects of one listing.
const HISTORY_MAX: u32 = 1_000;

#[derive(Debug, Args)]
pub(super) struct OneProject {
    /// The project's id; `atelier history` lists them
    project: String,
    #[command(flatten)]
    json: Json,
}

#[derive(Debug, Args)]
pub(super) struct HistoryArguments {
    /// How many, the last changed first
    #[arg(long, default_value_t = 20)]
    limit: u32,
    #[command(flatten)]
    json: Json,
}

pub(super) async fn status(settings: Settings, arguments: OneProject) -> Result<Exit> {
    let reader = Reader::open(settings).await?;
    let project = reader.store.project(&arguments.project).await?;
    let report = Report::of(&reader.store, &project).await?;
    if arguments.json.json {
        print_json(&report)?;
        return Ok(Exit::Done);
    }
    println!("{} {}", project.id, phase(&project.state.phase));
    if let Next::Ask(question) = project.state.next() {
        println!("  waits for an answer: {}", question.text);
    }
    for task in &report.tasks {
        println!("  {:<9} {} {}", task.status, task.id, task.title);
    }
    println!("  {} charged, {} refunded", report.receipt.charged, report.receipt.refunded);
    Ok(Exit::Done)
}

pub(super) async fn history(settings: Settings, arguments: HistoryArguments) -> Result<Exit> {
    let reader = Reader::open(settings).await?;
    let projects = reader.store.history(arguments.limit.min(HISTORY_MAX)).await?;
    if arguments.json.json {
        print_json(&projects)?;
        return Ok(Exit::Done);
    }
    if projects.is_empty() {
        eprintln!("No projects yet; `atelier run \"IDEA\"` begins one.");
    }
    for project in projects {
        println!("{} {:<10} {} {} ({})", project.id, project.phase, time(project.updated_ms), project.title, project.spent);
    }
    Ok(Exit::Done)
}

pub(super) async fn show(settings: Settings, arguments: OneProject) -> Result<Exit> {
    let reader = Reader::open(settings).await?;
    let project = reader.store.project(&arguments.project).await?;
    let report = Report::of(&reader.store, &project).await?;
    if arguments.json.json {
        print_json(&serde_json::json!({
            "state": project.state,
            "report": report,
            "runs": reader.store.runs(&project.id).await?,
            "events": reader.store.events(&project.id, 0).await?,
        }))?;
        return Ok(Exit::Done);
    }
    println!("Idea: {}\n", project.state.idea);
    print!("{}", report.markdown());
    println!("\n## What happened\n");
    for event in reader.store.events(&project.id, 0).await? {
        println!("- {} {}: {}", time(event.at_ms), event.kind, event.text);
    }
    Ok(Exit::Done)
}

/// A worker that has the project reads the wish; where nobody has it, it is ended here.
pub(super) async fn cancel(settings: Settings, arguments: OneProject) -> Result<Exit> {
    let reader = Reader::open(settings).await?;
    let project = reader.store.project(&arguments.project).await?;
    if matches!(project.state.phase, Phase::Delivered | Phase::Failed(_) | Phase::Cancelled) {
        println!("{} is {} already; there is nothing to cancel.", project.id, project.state.phase.word());
        return Ok(Exit::Done);
    }
    reader.store.request_cancel(&project.id, true).await?;
    let Reader { settings, store, .. } = reader;
    drop(store);
    let Some(settings) = std::sync::Arc::into_inner(settings) else { anyhow::bail!("the settings are in use") };
    let Some(app) = App::build_if_free(settings).await? else {
        println!("{} is asked to stop; the process that works on it settles its call first.", project.id);
        return Ok(Exit::Done);
    };
    // It may have changed until the lock was ours.
    let project = app.reader.store.project(&project.id).await?;
    app.orchestrator.cancel(&project).await?;
    println!("{} is cancelled.", project.id);
    Ok(Exit::Done)
}

fn phase(phase: &Phase) -> String {
    match phase {
        Phase::Paused(pause, before) => format!("paused while {}: {pause}", before.word()),
        Phase::Failed(why) => format!("failed: {why}"),
        other => other.word().to_owned(),
    }
}

fn time(milliseconds: i64) -> humantime::Rfc3339Timestamp {
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0)))
}
