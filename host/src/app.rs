//! The composition root: the one place that names concrete parts and puts them together. Front ends and tests come in by the
//! same door.

use crate::checks::Checks;
use crate::index::pool::Pool;
use crate::llm::gateway::{Gateway, price_book};
use crate::llm::providers::Providers;
use crate::orchestrator::Orchestrator;
use crate::orchestrator::control::Control;
use crate::plugins::imports::Progress;
use crate::plugins::limits::{AGENT_RUNS_MAX, INDEXER_RUNS_MAX};
use crate::plugins::registry::Registry;
use crate::settings::Settings;
use crate::store::presence::Worker;
use crate::store::{Listening, Policy, Store};
use anyhow::{Context, Result, bail};
use secrecy::ExposeSecret;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use tokio::sync::{Semaphore, mpsc};

/// The wallet of whoever uses the command line.
pub const LOCAL_WALLET: &str = "local";

/// A data directory that is only looked at: any number of these may be open beside the worker.
pub struct Reader {
    /// Where everything is.
    pub directory: PathBuf,
    /// The settings.
    pub settings: Arc<Settings>,
    /// Stored things.
    pub store: Store,
}

/// A process that works on projects. Of a data directory's there is one at a time, of a server's any number.
pub struct App {
    /// Everything that reads.
    pub reader: Reader,
    /// What people do with projects.
    pub control: Control,
    /// What carries projects on.
    pub orchestrator: Arc<Orchestrator>,
    /// What guests say to the user.
    pub progress: mpsc::Receiver<Progress>,
    /// Holds of dead processes that were ended at the start.
    pub recovered_holds: u32,
    presence: Option<Presence>,
}

/// That this process works on projects, for as long as it is kept.
struct Presence {
    _worker: Worker,
    _listening: Option<Listening>,
}

/// Lines of progress that wait for a slow front end; what is more is dropped.
const PROGRESS_QUEUE_MAX: usize = 64;

impl Reader {
    /// Opens the data directory, making it where it is missing.
    pub async fn open(settings: Settings) -> Result<Reader> {
        let directory = settings.data_dir.clone();
        std::fs::create_dir_all(&directory)
            .with_context(|| format!("the data directory {} can't be made; choose another with --data-dir", directory.display()))?;
        let store = match &settings.database_url {
            None => Store::open_file(&directory).await.with_context(|| format!("open the database in {}", directory.display()))?,
            Some(url) => Store::open_server(url.expose_secret()).await.context("open the database of ATELIER_DATABASE_URL")?,
        };
        let budget = settings.budget.amounts()?;
        let policy = Policy {
            refund_limit: budget.refund_limit,
            pause_percent: settings.budget.pause_percent,
            calls_per_project: settings.budget.calls_per_project,
            parallel_tasks: settings.parallel_tasks,
            lease_ms: i64::try_from(settings.lease_s).unwrap_or(i64::MAX / 1_000).saturating_mul(1_000),
            queue_max: settings.queue_max,
        };
        Ok(Reader { directory, settings: Arc::new(settings), store: store.under(policy) })
    }

    /// What carries projects on, for whoever holds money as this boot, or makes no call.
    pub async fn orchestrator(&self, boot: &str, progress: Option<mpsc::Sender<Progress>>) -> Result<Orchestrator> {
        let providers = Arc::new(Providers::open(&self.settings, &self.store, self.settings.read_master_keys()?).await?);
        let gateway = Arc::new(Gateway::new(self.store.clone(), boot.to_owned(), self.settings.clone(), providers)?);
        let registry = Arc::new(Registry::open(&self.directory)?);
        Ok(Orchestrator {
            store: self.store.clone(),
            gateway,
            checks: Arc::new(Checks::new(registry.clone())),
            registry,
            settings: self.settings.clone(),
            budget: self.settings.budget.amounts()?,
            progress,
            agent_runs: Semaphore::new(AGENT_RUNS_MAX),
            indexer_runs: Arc::new(Semaphore::new(INDEXER_RUNS_MAX)),
            indexes: if self.settings.without.index { None } else { Some(Pool::of_settings(&self.settings)?) },
            control: self.control()?,
            boot: None,
            offered: Mutex::default(),
            turns: Mutex::default(),
        })
    }

    /// What people do with projects.
    pub fn control(&self) -> Result<Control> {
        Ok(Control::new(self.store.clone(), self.settings.budget.amounts()?))
    }
}

impl App {
    /// Takes the data directory over and recovers what a dead process left behind.
    pub async fn build(settings: Settings) -> Result<App> {
        match App::build_if_free(Reader::open(settings).await?).await? {
            Ok(app) => Ok(app),
            Err(reader) => bail!(
                "another process works on {}; wait for it, stop it, or use another --data-dir (reading commands such as `status` work beside it)",
                reader.directory.display()
            ),
        }
    }

    /// The same; or, where `atelier serve` works on the directory, an application that leaves the work to it.
    pub async fn build_or_join(settings: Settings) -> Result<App> {
        let reader = match App::build_if_free(Reader::open(settings).await?).await? {
            Ok(app) => return Ok(app),
            Err(reader) => reader,
        };
        if reader.store.workers().await?.is_empty() {
            bail!(
                "another process works on a project of {}; wait for it, stop it, or use another --data-dir. With `atelier serve` several projects are worked on at one time",
                reader.directory.display()
            );
        }
        let (_, progress) = mpsc::channel(PROGRESS_QUEUE_MAX);
        let orchestrator = Arc::new(reader.orchestrator("beside", None).await?);
        Ok(App { control: orchestrator.control.clone(), reader, orchestrator, progress, recovered_holds: 0, presence: None })
    }

    /// Whether this process works itself.
    pub fn works(&self) -> bool {
        self.presence.is_some()
    }

    /// As [`App::build`]; `None` where another process works already.
    async fn build_if_free(reader: Reader) -> Result<Result<App, Reader>> {
        let store = &reader.store;
        let Some(worker) = store.become_worker()? else { return Ok(Err(reader)) };
        let boot = store.begin_boot().await?;
        let boot = Arc::new(boot);
        let recovered_holds = store.recover_dead(Some(&boot)).await?;
        let listening = store.listen().await?;
        price_book::refresh(store, &reader.settings).await?;
        let (sender, progress) = mpsc::channel(PROGRESS_QUEUE_MAX);
        let mut orchestrator = reader.orchestrator(&boot.id, Some(sender)).await?;
        orchestrator.boot = Some(boot);
        let orchestrator = Arc::new(orchestrator);
        let presence = Some(Presence { _worker: worker, _listening: listening });
        Ok(Ok(App { control: orchestrator.control.clone(), reader, orchestrator, progress, recovered_holds, presence }))
    }
}
