//! `atelier change`, `retry` and `rollback`: second thoughts about a project.

use super::run::{Going, carry, take_up};
use super::terminal::Answers;
use super::{Exit, Json};
use crate::app::Reader;
use crate::settings::Settings;
use anyhow::{Result, bail};
use clap::Args;

#[derive(Debug, Args)]
pub(super) struct ChangeArguments {
    /// The project's id
    project: String,
    /// What is to be different, in your own words
    request: String,
    /// The requirement that these words replace, such as R3; `atelier show` lists them [default: the words are about the whole]
    #[arg(long, value_name = "ID")]
    requirement: Option<String>,
    #[command(flatten)]
    going: Going,
    #[command(flatten)]
    json: Json,
}

#[derive(Debug, Args)]
pub(super) struct RetryArguments {
    /// The project's id
    project: String,
    /// The class of model that does it, as named under [classes] in atelier.toml [default: as the agents choose]
    #[arg(long)]
    class: Option<String>,
    #[command(flatten)]
    going: Going,
    #[command(flatten)]
    json: Json,
}

#[derive(Debug, Args)]
pub(super) struct RollbackArguments {
    /// The project's id
    project: String,
    /// The last task that stays; `atelier status` lists them
    task: String,
}

pub(super) async fn change(settings: Settings, arguments: ChangeArguments) -> Result<Exit> {
    let answers = Answers::new(arguments.going.answers.as_deref())?;
    let (app, project) = take_up(settings, &arguments.project, &arguments.going, true).await?;
    let project = app.control.change(&project, &arguments.request, arguments.requirement.as_deref()).await?;
    carry(app, project, arguments.going, answers, arguments.json.json).await
}

pub(super) async fn retry(settings: Settings, arguments: RetryArguments) -> Result<Exit> {
    if let Some(class) = &arguments.class
        && !settings.classes.contains_key(class)
    {
        let known: Vec<&str> = settings.classes.keys().map(String::as_str).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        bail!("there is no class `{class}`; [classes] in atelier.toml has: {known}");
    }
    let answers = Answers::new(arguments.going.answers.as_deref())?;
    let (app, project) = take_up(settings, &arguments.project, &arguments.going, true).await?;
    let project = app.control.retry(&project, arguments.class.as_deref()).await?;
    carry(app, project, arguments.going, answers, arguments.json.json).await
}

pub(super) async fn roll_back(settings: Settings, arguments: RollbackArguments) -> Result<Exit> {
    let reader = Reader::open(settings).await?;
    let project = reader.store.project(&arguments.project).await?;
    let project = reader.control()?.roll_back(&project, &arguments.task).await?;
    let (id, task) = (&project.id, &arguments.task);
    println!(
        "The files of {id} are those of when {task} was accepted; brief and plan stay. Do the rest again: atelier resume {id}\nOr something else: atelier change {id} \"…\""
    );
    Ok(Exit::Done)
}
