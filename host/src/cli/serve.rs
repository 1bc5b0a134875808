//! `atelier serve` and `atelier workers`: a process that works on all projects, and a look at all of those.

use super::plugin::precompile;
use super::{Exit, Json, print_json};
use crate::app::{App, Reader};
use crate::settings::Settings;
use crate::telegram::api::Api;
use crate::telegram::{Bot, Webhook};
use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// How long the books may take to be closed.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// What a serving process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Role {
    /// Takes steps of projects and carries them out
    Worker,
    /// Speaks with people on Telegram
    Bot,
}

#[derive(Debug, Args)]
pub(super) struct ServeArguments {
    /// What this process does
    #[arg(long, value_enum, value_delimiter = ',', default_value = "worker")]
    role: Vec<Role>,
    /// Steps at one time [default: ATELIER_WORKER_SLOTS, 32]
    #[arg(long)]
    slots: Option<usize>,
}

/// Works until SIGTERM or Ctrl-C; then lets model calls under way come to their end and hands everything else over.
pub(super) async fn serve(mut settings: Settings, arguments: ServeArguments) -> Result<Exit> {
    settings.require_model()?;
    if let Some(slots) = arguments.slots {
        settings.worker_slots = slots;
        settings.check()?;
    }
    let slots = settings.worker_slots;
    let mut app = App::build(settings).await?;
    // Before anything that takes its time, so that others know that somebody will work.
    let works = arguments.role.contains(&Role::Worker);
    if works {
        app.orchestrator.show(slots).await?;
    }
    tokio::task::block_in_place(|| precompile(app.orchestrator.registry()))?;
    let mut terminate = signal(SignalKind::terminate()).context("listen to SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen to SIGINT")?;
    let orchestrator = app.orchestrator.clone();
    let stop = async {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        eprintln!("Stopping: model calls under way are waited for, everything else is handed over. Once more stops at once.");
    };
    match works {
        true => {
            eprintln!("Working on all projects, {slots} steps at one time. `atelier workers` shows what waits; SIGTERM or Ctrl-C stops.")
        }
        false => eprintln!("Speaking with people; other processes work on their projects. SIGTERM or Ctrl-C stops."),
    }
    let kinds = [SignalKind::terminate(), SignalKind::interrupt()];
    let [mut terminated, mut interrupted] = [signal(kinds[0])?, signal(kinds[1])?];
    let twice = async {
        for _ in 0..2 {
            tokio::select! { _ = terminated.recv() => {}, _ = interrupted.recv() => {} }
        }
    };
    let bot = match arguments.role.contains(&Role::Bot) {
        true => Some(bot(&app)?),
        false => None,
    };
    let speaking = async {
        match &bot {
            Some(bot) => bot.serve().await,
            None => std::future::pending().await,
        }
    };
    let working = async {
        match works {
            true => orchestrator.serve(slots, stop).await,
            false => {
                stop.await;
                Ok(())
            }
        }
    };
    tokio::select! {
        result = working => result?,
        result = speaking => result?,
        () = twice => {}
        // What agents say to users is for front ends; here it only must not pile up.
        () = async { while app.progress.recv().await.is_some() {} } => {}
    }
    orchestrator.drain(STOP_LIMIT).await;
    Ok(Exit::Done)
}

fn bot(app: &App) -> Result<Arc<Bot>> {
    let settings = &app.reader.settings;
    let token =
        settings.telegram.token.clone().context("there is no bot without ATELIER_TELEGRAM_TOKEN; @BotFather on Telegram gives one")?;
    let telegram = &settings.telegram;
    let api = Api::new(&telegram.api_url, token).context("the connection to Telegram can't be made")?;
    let webhook = telegram.webhook_url.clone().map(|url| Webhook { url, listen: telegram.webhook_listen });
    Ok(Bot::new(api, app.reader.store.clone(), app.orchestrator.clone(), webhook))
}

pub(super) async fn workers(settings: Settings, arguments: &Json) -> Result<Exit> {
    let reader = Reader::open(settings).await?;
    let (workers, queue) = (reader.store.workers().await?, reader.store.queue().await?);
    if arguments.json {
        print_json(&serde_json::json!({ "workers": workers, "queue": queue }))?;
        return Ok(Exit::Done);
    }
    println!("{} steps wait (the first for {} s), {} are under way", queue.waiting, queue.oldest_ms / 1_000, queue.under_way);
    if workers.is_empty() {
        println!("Nobody works on all projects; `atelier serve` does.");
    }
    for worker in workers {
        let boot: String = worker.boot.chars().take(8).collect();
        println!("{boot} {} of {} slots, version {}, seen {} s ago", worker.busy, worker.slots, worker.version, worker.seen_ms_ago / 1_000);
    }
    Ok(Exit::Done)
}
