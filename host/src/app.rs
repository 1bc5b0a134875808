//! The composition root: the one place that names concrete parts and puts them together. Front ends and tests come in by the
//! same door.

use crate::checks::Checks;
use crate::llm::gateway::Gateway;
use crate::orchestrator::Orchestrator;
use crate::plugins::imports::Progress;
use crate::plugins::limits::{AGENT_RUNS_MAX, INDEXER_RUNS_MAX};
use crate::plugins::registry::Registry;
use crate::settings::Settings;
use crate::store::Store;
use anyhow::{Context, Result, bail};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc};

/// The database's file.
const DATABASE: &str = "atelier.sqlite";
/// Locked by the one process that works on projects.
const WORKER_LOCK: &str = "worker.lock";
/// One lock file for each process that may hold money.
const BOOTS: &str = "boots";
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

/// The process that works on the projects of a data directory. There is one at a time.
pub struct App {
    /// Everything that reads.
    pub reader: Reader,
    /// What carries projects on.
    pub orchestrator: Arc<Orchestrator>,
    /// What guests say to the user.
    pub progress: mpsc::Receiver<Progress>,
    /// Holds of dead processes that were ended at the start.
    pub recovered_holds: u32,
    /// Both locks last as long as the process.
    _locks: [File; 2],
}

/// Lines of progress that wait for a slow front end; what is more is dropped.
const PROGRESS_QUEUE_MAX: usize = 64;

impl Reader {
    /// Opens the data directory, making it where it is missing.
    pub async fn open(settings: Settings) -> Result<Reader> {
        let directory = settings.data_dir.clone();
        std::fs::create_dir_all(&directory)
            .with_context(|| format!("the data directory {} can't be made; choose another with --data-dir", directory.display()))?;
        let store =
            Store::open(&directory.join(DATABASE)).await.with_context(|| format!("open the database in {}", directory.display()))?;
        Ok(Reader { directory, settings: Arc::new(settings), store })
    }

    /// Boots whose process lives.
    pub async fn living_boots(&self) -> Result<Vec<String>> {
        let mut living = Vec::new();
        for boot in self.store.boots_with_holds().await? {
            if !is_dead(&self.directory, &boot) {
                living.push(boot);
            }
        }
        Ok(living)
    }
}

impl App {
    /// Takes the data directory over and recovers what a dead process left behind.
    pub async fn build(settings: Settings) -> Result<App> {
        let directory = settings.data_dir.clone();
        let Some(app) = App::build_if_free(settings).await? else {
            bail!(
                "another process works on {}; wait for it, stop it, or use another --data-dir (reading commands such as `status` work beside it)",
                directory.display()
            );
        };
        Ok(app)
    }

    /// As [`App::build`]; `None` where another process works already.
    pub async fn build_if_free(settings: Settings) -> Result<Option<App>> {
        let reader = Reader::open(settings).await?;
        let Some(worker) = lock(&reader.directory.join(WORKER_LOCK))? else { return Ok(None) };
        let boot = uuid::Uuid::new_v4().simple().to_string();
        let boots = reader.directory.join(BOOTS);
        std::fs::create_dir_all(&boots).with_context(|| format!("make {}", boots.display()))?;
        let own = lock(&boots.join(&boot))?.context("a new lock file is locked already")?;
        reader.store.register_boot(&boot).await?;
        let mut recovered_holds = 0;
        for dead in reader.store.boots_with_holds().await? {
            if is_dead(&reader.directory, &dead) {
                recovered_holds += reader.store.recover(&dead).await?;
            }
        }
        remove_dead_locks(&boots, &boot)?;
        reader.store.set_prices(&reader.settings.rates()?, "settings").await?;
        let gateway = Arc::new(Gateway::new(reader.store.clone(), boot, reader.settings.clone())?);
        let (sender, progress) = mpsc::channel(PROGRESS_QUEUE_MAX);
        let registry = Arc::new(Registry::open(&reader.directory)?);
        let orchestrator = Orchestrator {
            store: reader.store.clone(),
            gateway,
            checks: Arc::new(Checks::new(registry.clone())),
            registry,
            settings: reader.settings.clone(),
            budget: reader.settings.budget.amounts()?,
            progress: Some(sender),
            agent_runs: Semaphore::new(AGENT_RUNS_MAX),
            indexer_runs: Semaphore::new(INDEXER_RUNS_MAX),
        };
        Ok(Some(App { reader, orchestrator: Arc::new(orchestrator), progress, recovered_holds, _locks: [worker, own] }))
    }
}

/// The file, locked; `None` if another process has it.
fn lock(path: &Path) -> Result<Option<File>> {
    let file = File::options().create(true).truncate(false).write(true).open(path).with_context(|| format!("open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(std::fs::TryLockError::WouldBlock) => Ok(None),
        Err(std::fs::TryLockError::Error(error)) => Err(error).with_context(|| format!("lock {}", path.display())),
    }
}

/// A lock file that nobody holds says nothing any more.
fn remove_dead_locks(boots: &Path, own: &str) -> Result<()> {
    for entry in std::fs::read_dir(boots).with_context(|| format!("read {}", boots.display()))? {
        let path = entry?.path();
        if !path.ends_with(own) && lock(&path)?.is_some() {
            std::fs::remove_file(&path).with_context(|| format!("remove {}", path.display()))?;
        }
    }
    Ok(())
}

/// The operating system frees a lock when its process ends, however it ends.
fn is_dead(directory: &Path, boot: &str) -> bool {
    let path = directory.join(BOOTS).join(boot);
    !path.exists() || lock(&path).is_ok_and(|lock| lock.is_some())
}
