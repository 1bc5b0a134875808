//! `atelier status`, `history`, `show` and `cancel`: what is stored of projects.

use super::{Exit, Json, print_json};
use crate::app::Reader;
use crate::delivery::report::Report;
use crate::project::{Next, Phase};
use crate::settings::Settings;
use crate::store::projects::Wish;
use anyhow::Result;
use clap::Args;
use std::time::{Duration, UNIX_EPOCH};

/// How often a watched project is looked at.
const WATCH_INTERVAL: Duration = Duration::from_millis(500);
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

/// Ends a project.
pub(super) async fn cancel(settings: Settings, arguments: OneProject) -> Result<Exit> {
    fulfil(settings, &arguments.project, Wish::Cancel).await
}

/// Lets a project wait.
pub(super) async fn pause(settings: Settings, arguments: OneProject) -> Result<Exit> {
    fulfil(settings, &arguments.project, Wish::Pause).await
}

/// A worker that has the project reads the wish; where none has it, it is fulfilled here.
async fn fulfil(settings: Settings, project: &str, wish: Wish) -> Result<Exit> {
    let reader = Reader::open(settings).await?;
    let (control, project) = (reader.control()?, reader.store.project(project).await?);
    let (id, is_cancel) = (&project.id, wish == Wish::Cancel);
    if project.state.is_over() || (!is_cancel && matches!(project.state.phase, Phase::Paused(..))) {
        let verb = if is_cancel { "cancel" } else { "pause" };
        println!("{id} is {} already; there is nothing to {verb}.", project.state.phase.word());
        return Ok(Exit::Done);
    }
    let now = if is_cancel { control.cancel(&project).await? } else { control.pause(&project).await? };
    println!(
        "{}",
        match (&now.state.phase, is_cancel) {
            (Phase::Cancelled, _) => format!("{id} is cancelled."),
            (Phase::Paused(..), false) => format!("{id} waits: atelier resume {id}"),
            (phase, _) if now.version > project.version => format!("The change is withdrawn; {id} is {}.", phase.word()),
            (_, true) => format!("{id} is asked to stop; the process that works on it settles its calls first."),
            (_, false) => format!("{id} is asked to wait; the calls under way come to their end first."),
        }
    );
    Ok(Exit::Done)
}

/// Prints what happens to a project, as it happens, until it is over or waits.
pub(super) async fn watch(settings: Settings, arguments: OneProject) -> Result<Exit> {
    let reader = Reader::open(settings).await?;
    let (mut seen, mut was_waiting) = (0, false);
    loop {
        // In this order, so that the last event is shown before the end is noticed.
        let project = reader.store.project(&arguments.project).await?;
        for event in reader.store.events(&project.id, seen).await? {
            seen = event.seq;
            match arguments.json.json {
                true => println!("{}", serde_json::to_string(&event)?),
                false => println!("{} {:<10} {} ({} so far)", time(event.at_ms), event.kind, event.text, event.spent),
            }
        }
        let waits = !matches!(project.state.next(), Next::Run(_) | Next::Deliver);
        // A project that waits for its first look again may be about to go on.
        if project.state.is_over() || (waits && was_waiting) {
            eprintln!("{} {}", project.id, phase(&project.state.phase));
            return Ok(Exit::Done);
        }
        was_waiting = waits;
        tokio::time::sleep(WATCH_INTERVAL).await;
    }
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
