//! `atelier document`: the documents of a delivered project.

use super::run::{Going, accepted_ceiling, carry, take_up};
use super::terminal::{Answers, show_price};
use super::{Exit, Json};
use crate::ledger::NanoUsd;
use crate::project::Phase;
use crate::settings::Settings;
use anyhow::{Result, bail};
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct DocumentArguments {
    /// The project's id
    project: String,
    /// Accept the price and the proposed ceiling
    #[arg(long)]
    yes: bool,
    /// The most that may be spent on the whole project, in credits
    #[arg(long, value_name = "CREDITS")]
    ceiling: Option<NanoUsd>,
    /// Where the result goes [default: ./PROJECT-ID]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    json: Json,
}

pub(super) async fn document(settings: Settings, arguments: DocumentArguments) -> Result<Exit> {
    let going = Going { answers: None, yes: arguments.yes, ceiling: arguments.ceiling, out: arguments.out };
    let (app, project) = take_up(settings, &arguments.project, &going, true).await?;
    let id = &project.id;
    if project.state.phase != Phase::Delivered {
        bail!("documents are written of what was delivered; project {id} is {}", project.state.phase.word());
    }
    let Some(quote) = app.orchestrator.quote_documents(&project).await? else {
        bail!("no plugin is pinned that writes documents; `make plugins` builds and pins the shipped one");
    };
    show_price("Price of the documents", &quote);
    let Some(ceiling) = accepted_ceiling(&going, None, &quote)? else {
        eprintln!("Nothing was begun. Have them written: atelier document {id} --yes (or --ceiling CREDITS)");
        return Ok(Exit::Paused);
    };
    let project = app.control.document(&project, ceiling).await?;
    carry(app, project, going, Answers::new(None)?, arguments.json.json).await
}
