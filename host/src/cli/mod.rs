//! The command line: one verb a file. It shows what is stored and calls the orchestrator; it decides nothing itself.

mod audit;
mod change;
mod credits;
mod demo;
mod doctor;
mod document;
mod hostile;
mod index;
mod keys;
mod pin;
mod plugin;
mod plugin_compare;
mod plugin_source;
mod plugin_test;
mod prices;
mod project;
mod replay;
mod run;
mod serve;
mod terminal;
mod trial;
mod verify;

use crate::llm::keys::mask::{self, Mask};
use crate::settings::{FILE_NAME, Settings};
use anyhow::{Result, bail};
use clap::{Args, Parser, Subcommand};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Turns an idea into a finished, verified project, built by sandboxed agents under a hard ceiling.
#[derive(Debug, Parser)]
#[command(name = "atelier", version)]
pub struct Arguments {
    /// Where the database, the pinned plugins and the compile cache live [default: .atelier]
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The settings file
    #[arg(long, global = true, value_name = "FILE", default_value = FILE_NAME)]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build a project from an idea
    Run(run::RunArguments),
    /// Replay a recorded run through the same code: no model, no key
    Demo(demo::DemoArguments),
    /// Go on with a project that waits, or write a finished one out again
    Resume(run::ResumeArguments),
    /// Ask for something else than before, while a project is built or after; a new plan and its price come next
    Change(change::ChangeArguments),
    /// Have the documents of a delivered project written: requirements, design, test plan, user manual; their price comes first
    Document(document::DocumentArguments),
    /// Try again what could not be done
    Retry(change::RetryArguments),
    /// Go back to the project as it was when a task was accepted
    Rollback(change::RollbackArguments),
    /// Work on all projects until stopped
    Serve(serve::ServeArguments),
    /// Who works, and what waits
    Workers(Json),
    /// Where a project stands
    Status(project::OneProject),
    /// All projects
    History(project::HistoryArguments),
    /// Brief, plan, evidence and cost of a project
    Show(project::OneProject),
    /// Run a recorded project again with the journal's answers, at no cost; with another plugin version, see what it would change
    Replay(replay::ReplayArguments),
    /// Show what happens to a project, as it happens
    Watch(project::OneProject),
    /// Let a project wait, after the calls under way
    Pause(project::OneProject),
    /// Stop a project; what it holds is released
    Cancel(project::OneProject),
    /// Grant and look at credits
    #[command(subcommand)]
    Credits(credits::CreditsCommand),
    /// Keys of model providers
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// What model calls cost
    #[command(subcommand)]
    Prices(prices::PricesCommand),
    /// Check the ledger's invariants
    Audit(audit::AuditArguments),
    /// Run a delivery's checks again, and find out whether it was changed
    Verify(verify::VerifyArguments),
    /// Build, pin and look at plugins
    #[command(subcommand)]
    Plugin(plugin::PluginCommand),
    /// Look into the code of a folder: search, names, a map, patterns
    #[command(subcommand)]
    Index(index::IndexCommand),
    /// What is configured, what is missing, what to do
    Doctor {
        /// Attack the sandbox with guests that break its promises, under this configuration; takes about a minute
        #[arg(long)]
        hostile: bool,
    },
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Delivered, or simply done.
    Done,
    /// Something was asked for that makes no sense.
    Usage,
    /// The project waits.
    Paused,
    /// The project, or a check of the ledger, failed.
    Failed,
    /// The project was cancelled.
    Cancelled,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(match exit {
            Exit::Done => 0,
            Exit::Usage => 2,
            Exit::Paused => 3,
            Exit::Failed => 4,
            Exit::Cancelled => 5,
        })
    }
}

/// Output for programs.
#[derive(Debug, Args)]
struct Json {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Carries one command out.
pub async fn run(arguments: Arguments) -> ExitCode {
    match dispatch(arguments).await {
        Ok(exit) => exit.into(),
        Err(error) => {
            eprintln!("error: {}", mask::process().current().apply(&format!("{error:#}")));
            Exit::Usage.into()
        }
    }
}

async fn dispatch(arguments: Arguments) -> Result<Exit> {
    if arguments.config != Path::new(FILE_NAME) && !arguments.config.exists() {
        bail!("there is no settings file {}; leave --config out to use {FILE_NAME} where it is present", arguments.config.display());
    }
    let mut settings = Settings::load(&arguments.config)?;
    if let Some(directory) = arguments.data_dir {
        settings.data_dir = directory;
    }
    mask::process().replace(Mask::new(settings.secrets().iter()));
    terminal::start_log(&settings.log)?;
    match arguments.command {
        Command::Run(arguments) => run::run(settings, arguments).await,
        Command::Demo(arguments) => demo::demo(settings, arguments).await,
        Command::Resume(arguments) => run::resume(settings, arguments).await,
        Command::Change(arguments) => change::change(settings, arguments).await,
        Command::Document(arguments) => document::document(settings, arguments).await,
        Command::Retry(arguments) => change::retry(settings, arguments).await,
        Command::Rollback(arguments) => change::roll_back(settings, arguments).await,
        Command::Serve(arguments) => serve::serve(settings, arguments).await,
        Command::Workers(arguments) => serve::workers(settings, &arguments).await,
        Command::Status(arguments) => project::status(settings, arguments).await,
        Command::History(arguments) => project::history(settings, arguments).await,
        Command::Show(arguments) => project::show(settings, arguments).await,
        Command::Replay(arguments) => replay::replay(settings, arguments).await,
        Command::Watch(arguments) => project::watch(settings, arguments).await,
        Command::Pause(arguments) => project::pause(settings, arguments).await,
        Command::Cancel(arguments) => project::cancel(settings, arguments).await,
        Command::Credits(command) => credits::credits(settings, command).await,
        Command::Keys(command) => keys::keys(settings, command).await,
        Command::Prices(command) => prices::prices(settings, command).await,
        Command::Audit(arguments) => audit::audit(settings, arguments).await,
        Command::Verify(arguments) => verify::verify(settings, arguments).await,
        Command::Plugin(command) => plugin::plugin(settings, command).await,
        Command::Index(command) => index::index(settings, command).await,
        Command::Doctor { hostile: true } => hostile::hostile(&settings).await,
        Command::Doctor { hostile: false } => doctor::doctor(settings).await,
    }
}

/// Pretty JSON on standard output.
fn print_json(value: &impl serde::Serialize) -> Result<()> {
    println!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}
