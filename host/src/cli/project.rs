//! `atelier status`, `history`, `show` and `cancel`: what is stored of projects.

use super::{Exit, Json, print_json};
use crate::app::{App, Reader};
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

/// A worker that has the project reads the wish; where nobody works, it is fulfilled here.
async fn fulfil(settings: Settings, project: &str, wish: Wish) -> Result<Exit> {
    let reader = Reader::open(settings).await?;
    let project = reader.store.project(project).await?;
    let (id, is_cancel) = (&project.id, wish == Wish::Cancel);
    if project.state.is_over() || (!is_cancel && matches!(project.state.phase, Phase::Paused(..))) {
        let verb = if is_cancel { "cancel" } else { "pause" };
        println!("{id} is {} already; there is nothing to {verb}.", project.state.phase.word());
        return Ok(Exit::Done);
    }
    let Some(app) = note(reader, id, wish).await? else {
        println!(
            "{}",
            match is_cancel {
                true => format!("{id} is asked to stop; the process that works on it settles its calls first."),
                false => format!("{id} is asked to wait; the calls under way come to their end first."),
            }
        );
        return Ok(Exit::Done);
    };
    // It may have changed until the lock was ours.
    let project = app.reader.store.project(id).await?;
    match is_cancel {
        true => drop(app.orchestrator.cancel(&project).await?),
        false => drop(app.orchestrator.pause(&project).await?),
    }
    println!("{}", if is_cancel { format!("{id} is cancelled.") } else { format!("{id} waits: atelier resume {id}") });
    Ok(Exit::Done)
}

/// Notes what is wanted; gives the application where no other process works, which would see to it.
async fn note(reader: Reader, project: &str, wish: Wish) -> Result<Option<App>> {
    reader.store.wish(project, wish).await?;
    let Reader { settings, store, .. } = reader;
    drop(store);
    let Some(settings) = std::sync::Arc::into_inner(settings) else { anyhow::bail!("the settings are in use") };
    App::build_if_free(settings).await
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
