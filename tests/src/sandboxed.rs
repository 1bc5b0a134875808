//! Atelier's side of a benchmark: a plugin called as the host calls it, with every limit, grant and journal, on no real project.

use crate::home::Home;
use anyhow::{anyhow, bail};
use atelier_host::app::App;
use atelier_host::checks::Checks;
use atelier_host::index::pool::Pool;
use atelier_host::llm::gateway::Gateway;
use atelier_host::llm::providers::Providers;
use atelier_host::plugins::api::v0_1_0::architect::Architect;
use atelier_host::plugins::imports::{Context, Job, Owner, Services};
use atelier_host::plugins::registry::{Loaded, Registry, World};
use atelier_host::plugins::run::{self, Export, Outcome};
use atelier_host::project::Failure;
use atelier_host::workspace::overlay::Overlay;
use atelier_host::workspace::path::ProjectPath;
use atelier_host::workspace::{File, Files};
use std::collections::BTreeSet;
use std::sync::Arc;
use wasmtime::Store;

/// The one file of the project, which guests read.
const FILE: (&str, usize) = ("a.py", 1_000);

/// A host without projects.
pub struct Sandboxed {
    /// The application, for its store.
    pub app: App,
    /// The plugins.
    pub registry: Arc<Registry>,
    /// What they are offered.
    pub services: Services,
    files: Files,
}

impl Sandboxed {
    /// Over this data directory, with room for so many runs.
    pub async fn new(home: &Home, model_url: &str, runs: usize) -> anyhow::Result<Sandboxed> {
        let app = home.app(model_url).await;
        let reader = &app.reader;
        let providers = Arc::new(Providers::open(&reader.settings, &reader.store, None).await?);
        let gateway = Arc::new(Gateway::new(reader.store.clone(), "bench".to_owned(), reader.settings.clone(), providers)?);
        let registry = Arc::new(Registry::open_for(&home.data(), runs)?);
        let services = Services {
            store: reader.store.clone(),
            gateway,
            checks: Arc::new(Checks::new(registry.clone())),
            parse_gate: true,
            indexes: Some(Pool::new(&home.data())),
            progress: None,
            pausing: Arc::default(),
        };
        let file = File { bytes: "x".repeat(FILE.1).into_bytes().into(), executable: false };
        let files = [(ProjectPath::parse(FILE.0).map_err(|error| anyhow!("{error:?}"))?, file)].into_iter().collect();
        Ok(Sandboxed { app, registry, services, files })
    }

    fn context(&self, plugin: &Loaded, idea: &str, export: &str) -> Context {
        let owner = Owner { project: "bench".to_owned(), run: "bench".to_owned(), wallet: "bench".to_owned(), lease: None, class: None };
        let job = Job { idea: idea.to_owned(), attempt: 1, ..Job::default() };
        let overlay = Overlay::new(self.files.clone(), Vec::new(), BTreeSet::new());
        Context::new(owner, plugin.limits, plugin.granted(export), job, overlay, self.services.clone(), Vec::new())
    }

    /// One call of the indexer.
    pub async fn index(&self, plugin: &Loaded, text: &str) -> anyhow::Result<()> {
        run::index_file(plugin, self.context(plugin, "", "index-file"), "a.py", text).await.map_err(anyhow::Error::msg)?;
        Ok(())
    }

    /// One call of an agent's export, which the idea's first word names. A guest says what it saw through its failure.
    pub async fn call(&self, plugin: &Loaded, export: Export, idea: &str) -> anyhow::Result<()> {
        let (_stop, stopped) = tokio::sync::watch::channel(false);
        let name = idea.split(' ').next().unwrap_or_default();
        match run::call(plugin, export, self.context(plugin, idea, name), stopped).await.outcome {
            Outcome::Returned(Ok(_) | Err(Failure::Impossible(_))) => Ok(()),
            other => bail!("the guest ended otherwise: {other:?}"),
        }
    }

    /// An instance of an architect that goes on living, with every limit on.
    pub async fn instance(&self, plugin: &Loaded, idea: &str) -> anyhow::Result<(Store<Context>, Architect)> {
        let World::Architect(pre) = &plugin.world else { bail!("{} is no architect", plugin.name) };
        let mut store = run::prepare(plugin, self.context(plugin, idea, "verify")).map_err(|(error, _)| anyhow!("{error:#}"))?;
        let instance = pre.instantiate_async(&mut store).await.map_err(|error| anyhow!("{error:#}"))?;
        Ok((store, instance))
    }
}
