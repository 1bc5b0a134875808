//! `atelier run` and `atelier resume`: carries a project from where it is to the next point where a person has to act.

use super::plugin::precompile;
use super::terminal::{Answers, Bar, ask_approval, show_plan};
use super::{Exit, Json, print_json};
use crate::app::{App, LOCAL_WALLET};
use crate::delivery::Delivery;
use crate::ledger::NanoUsd;
use crate::orchestrator::quote::Quote;
use crate::orchestrator::worker::DRAIN_LIMIT;
use crate::project::{HandedOver, Next, Pause, Phase};
use crate::settings::Settings;
use crate::store::Store;
use crate::store::projects::{Project, Wish};
use crate::workspace::folder;
use crate::workspace::import::{Imported, unpack};
use anyhow::{Context, Result, bail};
use clap::Args;
use std::fs::File;
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How often a person is shown how it stands.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// How long the books may take to be closed.
const STOP_LIMIT: Duration = Duration::from_secs(5);
/// A zip of source files is smaller.
const PROJECT_ZIP_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Of what was left out.
const LEFT_OUT_SHOWN_MAX: usize = 20;

/// What both commands take.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct Going {
    /// Answers to the questions, one a line; `-` skips, the end means enough
    #[arg(long, value_name = "FILE")]
    pub answers: Option<PathBuf>,
    /// Accept the plan and the proposed ceiling
    #[arg(long)]
    pub yes: bool,
    /// The most that may be spent, in credits; approves a plan that waits
    #[arg(long, value_name = "CREDITS")]
    pub ceiling: Option<NanoUsd>,
    /// Where the result goes [default: ./PROJECT-ID]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct RunArguments {
    /// What you want, in your own words; `-` reads it from standard input
    idea: String,
    /// A project that exists already, as a folder or a zip: the idea is what is to be different in it
    #[arg(long, value_name = "FOLDER|FILE.zip")]
    project: Option<PathBuf>,
    #[command(flatten)]
    going: Going,
    #[command(flatten)]
    json: Json,
}

#[derive(Debug, Args)]
pub(super) struct ResumeArguments {
    /// The project's id
    project: String,
    #[command(flatten)]
    going: Going,
    /// Give the task up that is stuck, and deliver what works
    #[arg(long)]
    give_up: bool,
    #[command(flatten)]
    json: Json,
}

pub(super) async fn run(settings: Settings, arguments: RunArguments) -> Result<Exit> {
    settings.require_model()?;
    let idea = match arguments.idea.as_str() {
        "-" => std::io::read_to_string(std::io::stdin())?,
        idea => idea.to_owned(),
    };
    check_out(arguments.going.out.as_deref())?;
    let answers = Answers::new(arguments.going.answers.as_deref())?;
    let imported = arguments.project.as_deref().map(read_project).transpose()?;
    let app = App::build_or_join(settings).await?;
    let handed_over = match &imported {
        Some(imported) => Some(app.control.take_over(imported).await?),
        None => None,
    };
    begin(app, &idea, handed_over, arguments.going, answers, arguments.json.json).await
}

/// A project out of a folder or a zip. What was left out is named, so that nobody finds out later.
fn read_project(path: &Path) -> Result<Imported> {
    let imported = if path.is_dir() { folder::take(path).with_context(|| format!("{}", path.display()))? } else { unpacked(path)? };
    eprintln!("{} files of the project are taken.", imported.files.len());
    for (left_out, why) in imported.left_out.iter().take(LEFT_OUT_SHOWN_MAX) {
        eprintln!("  left out: {left_out} ({})", why.as_str());
    }
    if imported.left_out.len() > LEFT_OUT_SHOWN_MAX {
        eprintln!("  and {} more", imported.left_out.len() - LEFT_OUT_SHOWN_MAX);
    }
    Ok(imported)
}

fn unpacked(path: &Path) -> Result<Imported> {
    let file = File::open(path).with_context(|| format!("open {}", path.display()))?;
    let mut bytes = Vec::new();
    file.take(PROJECT_ZIP_BYTES_MAX + 1).read_to_end(&mut bytes).with_context(|| format!("read {}", path.display()))?;
    if bytes.len() as u64 > PROJECT_ZIP_BYTES_MAX {
        bail!("{} has more than {} MiB; pack only the project's own source files", path.display(), PROJECT_ZIP_BYTES_MAX / 1024 / 1024);
    }
    unpack(&bytes).with_context(|| format!("{}", path.display()))
}

/// A new project, carried as far as it goes.
pub(super) async fn begin(
    app: App,
    idea: &str,
    handed_over: Option<HandedOver>,
    going: Going,
    answers: Answers,
    json: bool,
) -> Result<Exit> {
    let project = app.control.create_from(LOCAL_WALLET, idea, going.ceiling, handed_over).await?;
    tokio::task::block_in_place(|| precompile(app.orchestrator.registry()))?;
    eprintln!(
        "Project {}. Before you see a price, at most {} are spent.",
        project.id,
        app.reader.store.project_budget(&project.id).await?.limit
    );
    carry(app, project, going, answers, json).await
}

pub(super) async fn resume(settings: Settings, arguments: ResumeArguments) -> Result<Exit> {
    let (app, project) = take_up(settings, &arguments.project, &arguments.going, false).await?;
    let project = match arguments.give_up {
        true => app.control.give_up(&project).await?,
        false => project,
    };
    let project = app.control.resume(project, arguments.going.ceiling).await?;
    let answers = Answers::new(arguments.going.answers.as_deref())?;
    carry(app, project, arguments.going, answers, arguments.json.json).await
}

/// A stored project, and what it takes to go on with it; the model only where there is something to do.
pub(super) async fn take_up(settings: Settings, project: &str, going: &Going, begins: bool) -> Result<(App, Project)> {
    check_out(going.out.as_deref())?;
    let app = App::build_or_join(settings).await?;
    let project = app.reader.store.project(project).await?;
    if begins || !project.state.is_over() {
        app.reader.settings.require_model()?;
        tokio::task::block_in_place(|| precompile(app.orchestrator.registry()))?;
    }
    if app.recovered_holds > 0 {
        eprintln!("{} model calls of a process that died were released; what it lost is the house's.", app.recovered_holds);
    }
    Ok((app, project))
}

/// As far as it goes without a person.
pub(super) async fn carry(mut app: App, mut project: Project, going: Going, mut answers: Answers, json: bool) -> Result<Exit> {
    loop {
        let (was_change, was_documenting) = (project.state.revision.is_some(), project.state.is_documenting());
        project = match advance(&mut app, project).await? {
            Some(project) => project,
            None => return Ok(Exit::Paused),
        };
        if was_change && project.state.revision.is_none() {
            let events = app.reader.store.events(&project.id, 0).await?;
            let why = events.iter().rev().find(|event| event.kind == "failed").map_or("", |event| &event.text);
            eprintln!("The change could not be planned ({why}); project {} is {} as before.", project.id, project.state.phase.word());
            return Ok(Exit::Failed);
        }
        if let Some(why) = project.state.documents.failed.as_ref().filter(|_| was_documenting && project.state.is_over()) {
            eprintln!(
                "The documents could not be written ({why}); project {} is delivered as before, what they cost is given back.",
                project.id
            );
            return Ok(Exit::Failed);
        }
        match project.state.next() {
            Next::Ask(question) => match answers.ask(&question)? {
                Some(answer) => project = app.control.answer(&project, answer).await?,
                None => {
                    eprintln!("? {}\nThe project waits for an answer: atelier resume {} --answers FILE", question.text, project.id);
                    return Ok(Exit::Paused);
                }
            },
            Next::Approve => {
                let quote = app.orchestrator.quote(&project).await?;
                show_plan(&project.state, &quote, app.orchestrator.checks());
                let Some(ceiling) = accepted_ceiling(&going, project.state.limit, &quote)? else {
                    eprintln!("The plan waits for your approval: atelier resume {} --yes (or --ceiling CREDITS)", project.id);
                    return Ok(Exit::Paused);
                };
                project = app.control.approve(&project, ceiling).await?;
            }
            _ => break,
        }
    }
    finish(&app, &project, going.out, json).await
}

/// The ceiling that is accepted, if it is: as it was said, or as a person says now.
pub(super) fn accepted_ceiling(going: &Going, limit: Option<NanoUsd>, quote: &Quote) -> Result<Option<NanoUsd>> {
    match (going.ceiling.or(limit), going.yes) {
        (Some(ceiling), _) => Ok(Some(ceiling)),
        (None, true) => Ok(Some(quote.ceiling)),
        (None, false) if std::io::stdin().is_terminal() => ask_approval(quote),
        (None, false) => Ok(None),
    }
}

/// Works, or lets others work, until a person has to act; `None` if that person pressed Ctrl-C and did not want to wait.
async fn advance(app: &mut App, project: Project) -> Result<Option<Project>> {
    let (id, bar) = (project.id.clone(), Bar::new());
    bar.tasks(&project.state);
    let result = watch(app, project, &bar).await;
    bar.end();
    if matches!(result, Ok(None)) {
        if app.works() {
            // The work was dropped, so its call is being stopped; it is put down as lost, and made again when the project goes on.
            app.orchestrator.drain(STOP_LIMIT).await;
            eprintln!("Stopped. What is done is stored: atelier resume {id}");
        } else {
            eprintln!("The project goes on without you: atelier watch {id}, atelier pause {id}");
        }
    }
    result
}

async fn watch(app: &mut App, project: Project, bar: &Bar) -> Result<Option<Project>> {
    let id = project.id.clone();
    let (orchestrator, store, works) = (app.orchestrator.clone(), app.reader.store.clone(), app.works());
    let mut work = std::pin::pin!(async {
        match works {
            true => orchestrator.advance(project).await,
            false => others(&store, project).await,
        }
    });
    let mut interval = tokio::time::interval(LOOK_INTERVAL);
    let mut deadline: Option<Instant> = None;
    loop {
        tokio::select! {
            result = &mut work => return result.map(Some),
            Some(progress) = app.progress.recv() => bar.say(&progress),
            _ = interval.tick() => {
                if let Ok(project) = store.project(&id).await {
                    bar.tasks(&project.state);
                }
                if deadline.is_some_and(|deadline| Instant::now() > deadline) {
                    orchestrator.close();
                    return Ok(None);
                }
            }
            _ = tokio::signal::ctrl_c() => {
                if deadline.is_some() || !works {
                    // Before the work is dropped, so that a half answer is not taken for one.
                    orchestrator.close();
                    return Ok(None);
                }
                store.wish(&id, Wish::Pause).await?;
                deadline = Some(Instant::now() + DRAIN_LIMIT);
                eprintln!("The call under way is paid for, so its answer is waited for; Ctrl-C again stops at once.");
            }
        }
    }
}

/// Waits until those who work on it need a person.
async fn others(store: &Store, mut project: Project) -> Result<Project> {
    while matches!(project.state.next(), Next::Run(_) | Next::Deliver) || store.is_under_way(&project.id).await? {
        tokio::time::sleep(LOOK_INTERVAL).await;
        project = store.project(&project.id).await?;
    }
    Ok(project)
}

/// Says how it ended and writes the result out.
async fn finish(app: &App, project: &Project, out: Option<PathBuf>, json: bool) -> Result<Exit> {
    app.orchestrator.drain(STOP_LIMIT).await;
    let exit = match &project.state.phase {
        Phase::Delivered => Exit::Done,
        Phase::Failed(why) => {
            eprintln!("Not everything could be done: {why}");
            Exit::Failed
        }
        Phase::Cancelled => {
            eprintln!("Project {} was cancelled; what it held is released.", project.id);
            return Ok(Exit::Cancelled);
        }
        Phase::Paused(pause, _) => {
            eprintln!("Project {} waits: {pause}.\n{}", project.id, next_step(project, pause));
            return Ok(Exit::Paused);
        }
        _ => return Ok(Exit::Paused),
    };
    let delivery = Delivery::of(&app.reader.store, project).await?;
    if project.state.plan.is_none() {
        return Ok(exit);
    }
    let directory = out.unwrap_or_else(|| PathBuf::from(&project.id));
    delivery.write(&directory)?;
    if json {
        print_json(&delivery.report)?;
        return Ok(exit);
    }
    println!("{}", directory.display());
    for requirement in &delivery.report.requirements {
        println!("  {:<11} {} {}", requirement.claim.as_str(), requirement.id, requirement.text);
    }
    let receipt = delivery.report.receipt;
    println!(
        "{} calls, {} tokens in, {} out, {} charged, {} refunded",
        receipt.calls, receipt.input_tokens, receipt.output_tokens, receipt.charged, receipt.refunded
    );
    Ok(exit)
}

fn next_step(project: &Project, pause: &Pause) -> String {
    let id = &project.id;
    match pause {
        Pause::Credits => format!("atelier credits grant CREDITS, then atelier resume {id}"),
        Pause::Ceiling => format!("Raise it: atelier resume {id} --ceiling CREDITS"),
        Pause::Stuck { .. } => format!(
            "Try again, the last time with the strongest model: atelier resume {id}\nBy other models: atelier retry {id} --class CLASS\nOr deliver what works: atelier resume {id} --give-up"
        ),
        Pause::Provider(_) | Pause::User => format!("When it is back: atelier resume {id}"),
        Pause::Operator(_) => format!("Then: atelier resume {id}"),
    }
}

/// A folder with something in it is found out before anything is spent.
pub(super) fn check_out(out: Option<&Path>) -> Result<()> {
    match out {
        Some(directory) if directory.exists() && std::fs::read_dir(directory)?.next().is_some() => {
            anyhow::bail!("{} is not empty; choose another folder for --out", directory.display())
        }
        _ => Ok(()),
    }
}
