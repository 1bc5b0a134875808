//! The pinned plugins, compiled, checked against their world and ready to instantiate.

use super::PluginError;
use super::api::{Implementer, v0_1_0, v0_2_0};
use super::engine;
use super::imports::{Context, add_to_linker};
use super::inspect;
use super::limits::{AGENT_RUNS_MAX, Limits};
use super::lock::{Pins, Stamp};
use super::manifest::{Granted, OperatorEntry, Wasi};
use super::runner::Runner;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wasmtime::Engine;
use wasmtime::component::{Component, Linker};

/// The role of a plugin, with its instance template.
pub enum World {
    /// Elicits, plans, verifies.
    Architect(v0_1_0::architect::ArchitectPre<Context>),
    /// Implements.
    Implementer(Implementer),
    /// Writes documents.
    Documenter(v0_2_0::documenter::DocumenterPre<Context>),
    /// Cuts files into chunks.
    Indexer(v0_1_0::indexer::IndexerPre<Context>),
}

/// A plugin that can run.
pub struct Loaded {
    /// Its name.
    pub name: String,
    /// The digest of its bytes.
    pub sha256: String,
    /// Its bounds.
    pub limits: Limits,
    /// The engine that compiled it.
    pub engine: Engine,
    /// Its role.
    pub world: World,
    entry: OperatorEntry,
}

impl Loaded {
    /// What this export may use.
    pub fn granted(&self, export: &str) -> Granted {
        Granted::of(&self.entry, export)
    }
}

/// All plugins of a data directory.
pub struct Registry {
    engine: Engine,
    linker: Linker<Context>,
    /// With WASI, for plugins whose operator lets them have an empty one.
    wasi_linker: Linker<Context>,
    runner_engine: Engine,
    directory: PathBuf,
    current: Mutex<Current>,
}

/// Manifest and lock as they were read last, and what was loaded under them.
struct Current {
    pins: Arc<Pins>,
    /// Of the files that they were read from; none for pins that nobody saved yet.
    stamp: Option<Stamp>,
    runners: BTreeMap<String, Arc<Runner>>,
    /// By name and digest.
    loaded: BTreeMap<(String, String), Arc<Loaded>>,
}

impl Registry {
    /// Reads manifest and lock; plugins are compiled when they are first needed, and cached on disk.
    pub fn open(directory: &Path) -> Result<Registry, PluginError> {
        Registry::open_for(directory, AGENT_RUNS_MAX)
    }

    /// As [`open`](Registry::open), with room for so many runs of agents at one time.
    pub fn open_for(directory: &Path, runs: usize) -> Result<Registry, PluginError> {
        let stamp = Stamp::of(directory);
        Registry::new(directory, Pins::read(directory)?, Some(stamp), runs)
    }

    /// With pins that nobody saved yet, to see whether they are any good.
    pub fn staged(directory: &Path, pins: Pins) -> Result<Registry, PluginError> {
        Registry::new(directory, pins, None, AGENT_RUNS_MAX)
    }

    fn new(directory: &Path, pins: Pins, stamp: Option<Stamp>, runs: usize) -> Result<Registry, PluginError> {
        let cache = directory.join("cache");
        let (engine, runner_engine) = (engine::for_agents(&cache, runs)?, engine::for_runners(&cache)?);
        let mut linker = Linker::new(&engine);
        add_to_linker(&mut linker).map_err(|error| PluginError::engine("host", &error))?;
        let mut wasi_linker = linker.clone();
        wasmtime_wasi::p2::add_to_linker_async(&mut wasi_linker).map_err(|error| PluginError::engine("host", &error))?;
        let current = Current { pins: Arc::new(pins), stamp, runners: BTreeMap::new(), loaded: BTreeMap::new() };
        Ok(Registry { engine, linker, wasi_linker, runner_engine, directory: directory.to_owned(), current: Mutex::new(current) })
    }

    /// Manifest and lock. Where the operator changed them, what begins from now on is under the new ones, without a restart; files
    /// that can't be read change nothing.
    pub fn pins(&self) -> Arc<Pins> {
        self.current().pins.clone()
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = Stamp::of(&self.directory);
        if current.stamp.is_some_and(|known| known != stamp) {
            match Pins::read(&self.directory) {
                Ok(pins) => {
                    tracing::info!("the pinned plugins were changed");
                    *current = Current { pins: Arc::new(pins), stamp: None, runners: BTreeMap::new(), loaded: BTreeMap::new() };
                }
                Err(error) => tracing::warn!("the pinned plugins were changed, but can't be read; what was pinned before goes on: {error}"),
            }
            current.stamp = Some(stamp);
        }
        current
    }

    /// The plugin that plays this role.
    pub fn for_world(&self, world: &str) -> Result<Arc<Loaded>, PluginError> {
        let name = self.pins().for_world(world).ok_or_else(|| PluginError::Unknown(world.to_owned()))?.name.clone();
        self.get(&name)
    }

    /// The plugin that plays this role for a project, whose user has this wallet.
    pub fn for_project(&self, world: &str, project: &str, wallet: &str) -> Result<Arc<Loaded>, PluginError> {
        let pins = self.pins();
        match pins.for_project(world, project, wallet).ok_or_else(|| PluginError::Unknown(world.to_owned()))? {
            (name, None) => self.get(name),
            (name, Some(digest)) => self.of_digest(name, digest),
        }
    }

    /// Where the pins are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The plugin of this name.
    pub fn get(&self, name: &str) -> Result<Arc<Loaded>, PluginError> {
        let pins = self.pins();
        let pinned = pins.lock.plugins.iter().find(|entry| entry.name == name);
        self.of_digest(name, &pinned.ok_or_else(|| PluginError::NotPinned(name.to_owned()))?.sha256)
    }

    /// A version of a plugin that is pinned or was, under the grants and limits of today.
    pub fn of_digest(&self, name: &str, digest: &str) -> Result<Arc<Loaded>, PluginError> {
        if let Some(plugin) = self.current().loaded.get(&(name.to_owned(), digest.to_owned())) {
            return Ok(plugin.clone());
        }
        let pins = self.pins();
        let plugin = Arc::new(self.load(&pins, name, &pins.bytes(name, digest)?)?);
        let mut current = self.current();
        // What was changed meanwhile is not kept for those who come next.
        if Arc::ptr_eq(&current.pins, &pins) {
            current.loaded.insert((name.to_owned(), plugin.sha256.clone()), plugin.clone());
        }
        Ok(plugin)
    }

    /// Any version of a plugin whose name is pinned, under the grants and limits of today. It is not kept.
    pub fn of_bytes(&self, name: &str, bytes: &[u8]) -> Result<Arc<Loaded>, PluginError> {
        Ok(Arc::new(self.load(&self.pins(), name, bytes)?))
    }

    /// The runner of this name.
    pub fn runner(&self, name: &str) -> Result<Arc<Runner>, PluginError> {
        if let Some(runner) = self.current().runners.get(name) {
            return Ok(runner.clone());
        }
        let pins = self.pins();
        let (entry, pinned, bytes) = pins.load(name)?;
        let component = Component::from_binary(&self.runner_engine, &bytes).map_err(|error| PluginError::engine(name, &error))?;
        let problems = inspect::problems(&self.runner_engine, &component, &pinned.world, entry.executes.wasi);
        if !problems.is_empty() {
            return Err(PluginError::WrongApi { name: name.to_owned(), world: pinned.world.clone(), problems });
        }
        let runner = Arc::new(Runner::new(entry, &pinned.sha256, &component)?);
        let mut current = self.current();
        if Arc::ptr_eq(&current.pins, &pins) {
            current.runners.insert(name.to_owned(), runner.clone());
        }
        Ok(runner)
    }

    /// Compiles what is not in the cache yet.
    pub fn precompile(&self, name: &str) -> Result<(), PluginError> {
        match self.pins().manifest.plugins.iter().find(|entry| entry.name == name) {
            Some(entry) if entry.world == "runner" => self.runner(name).map(|_| ()),
            _ => self.get(name).map(|_| ()),
        }
    }

    /// Compiles bytes without pinning them, to look at them.
    pub fn compile(&self, name: &str, bytes: &[u8]) -> Result<Component, PluginError> {
        Component::from_binary(&self.engine, bytes).map_err(|error| PluginError::engine(name, &error))
    }

    /// Everything the pinned plugin of this name imports.
    pub fn imports(&self, name: &str) -> Result<Vec<String>, PluginError> {
        let pins = self.pins();
        let (entry, _, bytes) = pins.load(name)?;
        // With the engine that will run it, so that it is compiled once.
        let engine = if entry.world == "runner" { &self.runner_engine } else { &self.engine };
        let component = Component::from_binary(engine, &bytes).map_err(|error| PluginError::engine(name, &error))?;
        Ok(inspect::imports(engine, &component))
    }

    fn load(&self, pins: &Pins, name: &str, bytes: &[u8]) -> Result<Loaded, PluginError> {
        let sha256 = crate::workspace::sha256(bytes);
        let (entry, pinned) = pins.load_version(name, &sha256)?;
        let component = self.compile(name, bytes)?;
        // Of bytes that are not remembered here, such as another machine's, nobody wrote down which version of the contract they are made for.
        let unknown = (pinned.sha256 != sha256).then(|| inspect::made_for(&self.engine, &component, &entry.world)).flatten();
        let fits = unknown.as_deref().unwrap_or(&pinned.world);
        let problems = inspect::problems(&self.engine, &component, fits, entry.executes.wasi);
        let wrong = |problems| PluginError::WrongApi { name: name.to_owned(), world: fits.to_owned(), problems };
        if !problems.is_empty() {
            return Err(wrong(problems));
        }
        let mismatch = |error: wasmtime::Error| wrong(vec![format!("{error:#}")]);
        let linker = if entry.executes.wasi == Wasi::Empty { &self.wasi_linker } else { &self.linker };
        let instance = linker.instantiate_pre(&component).map_err(mismatch)?;
        let version = fits.rsplit('@').next().unwrap_or_default();
        let world = match entry.world.as_str() {
            "architect" => World::Architect(v0_1_0::architect::ArchitectPre::new(instance).map_err(mismatch)?),
            "implementer" => World::Implementer(Implementer::new(version, instance).map_err(mismatch)?),
            "documenter" => World::Documenter(v0_2_0::documenter::DocumenterPre::new(instance).map_err(mismatch)?),
            "indexer" => World::Indexer(v0_1_0::indexer::IndexerPre::new(instance).map_err(mismatch)?),
            other => return Err(wrong(vec![format!("an agent has no world `{other}`")])),
        };
        Ok(Loaded { name: name.to_owned(), sha256, limits: entry.limits, engine: self.engine.clone(), world, entry })
    }
}
