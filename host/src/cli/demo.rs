//! `atelier demo`: a recorded run, replayed through the same code and the real HTTP dialect. Also makes such a recording.

use super::run::{Going, begin, check_out};
use super::terminal::Answers;
use super::{Exit, print_json};
use crate::app::App;
use crate::llm::dialects::Dialect;
use crate::recording::server::{self, Source};
use crate::recording::{Recording, SHIPPED};
use crate::settings::Settings;
use anyhow::{Context, Result};
use clap::Args;
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Debug, Args)]
pub(super) struct DemoArguments {
    /// Where the result goes [default: ./PROJECT-ID]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Another recording
    #[arg(long, value_name = "FILE")]
    recording: Option<PathBuf>,
    /// Print a new recording of the same idea, made from the requests and replies in this folder
    #[arg(long, value_name = "DESK")]
    record: Option<PathBuf>,
    /// The day of the new recording
    #[arg(long, value_name = "YYYY-MM-DD", requires = "record")]
    recorded: Option<String>,
}

pub(super) async fn demo(mut settings: Settings, arguments: DemoArguments) -> Result<Exit> {
    let text = match &arguments.recording {
        Some(path) => std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?,
        None => SHIPPED.to_owned(),
    };
    let mut recording = Recording::read(&text)?;
    if let Some(desk) = arguments.record {
        recording.exchanges.clear();
        recording.recorded = arguments.recorded.unwrap_or(recording.recorded);
        print_json(&recording.with_desk(&desk)?)?;
        return Ok(Exit::Done);
    }
    check_out(arguments.out.as_deref())?;
    eprintln!("This is a recording: \"{}\", of {}, answered by {}.", recording.title, recording.recorded, recording.model);
    eprintln!("Agents, sandbox, ledger and files are real; only the model's answers are replayed. The idea was:\n  {}\n", recording.idea);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.context("open a port on loopback")?;
    settings.model.url = Some(format!("http://{}/v1", listener.local_addr()?));
    settings.model.name = Some("recording".to_owned());
    settings.model.price = Some(recording.price.clone());
    settings.model.key = None;
    settings.model.dialect = Dialect::OpenAi;
    settings.classes.clear();
    let answers = Answers::File(recording.answers.iter().cloned().collect());
    let idea = recording.idea.clone();
    let served = tokio::spawn(server::serve(Source::Recording(Arc::new(recording)), listener));
    let going = Going { yes: true, out: arguments.out, ..Going::default() };
    let exit = begin(App::build(settings).await?, &idea, None, going, answers, false).await;
    served.abort();
    exit
}
