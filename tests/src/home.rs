//! A data directory of its own for each story, with plugins pinned and a model server configured.

use crate::database::{Engine, database_for};
use crate::{root, target};
use atelier_host::app::App;
use atelier_host::plugins::lock::Pins;
use atelier_host::plugins::manifest::PluginManifest;
use atelier_host::project::Phase;
use atelier_host::settings::Settings;
use atelier_host::store::Store;
use atelier_host::store::projects::Project;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tokio::task::JoinHandle;

/// The price in every story: 1 credit (0.001 US dollars) for a thousand tokens, in and out.
pub const PRICE: &str = "1/1";

/// A data directory that goes when the story ends.
pub struct Home {
    directory: TempDir,
    /// Variables beside those of the model: name and value.
    pub variables: Vec<(&'static str, String)>,
}

impl Home {
    /// With nothing in it.
    pub fn empty() -> Home {
        let directory = tempfile::tempdir().expect("a temporary folder");
        let data = directory.path().join("data");
        std::fs::create_dir_all(&data).expect("the data folder");
        // Compiled plugins are shared by all stories; their cache is made for that.
        let cache = target().join("tests-cache");
        std::fs::create_dir_all(&cache).expect("the cache folder");
        std::os::unix::fs::symlink(&cache, data.join("cache")).expect("a link to the cache");
        Home { directory, variables: Vec::new() }
    }

    /// With the shipped plugins.
    pub fn shipped() -> Home {
        let home = Home::empty();
        for name in ["architect", "implementer", "indexer", "documenter"] {
            let manifest = PluginManifest::read(&root().join("plugins").join(name).join("plugin.toml")).expect("its plugin.toml");
            home.pin(&manifest, &component(name));
        }
        home
    }

    /// With the shipped plugins and both runners.
    pub fn with_runners() -> Home {
        Home::with(&["runner-python", "runner-javascript"])
    }

    /// With the shipped plugins and these runners.
    pub fn with(runners: &[&str]) -> Home {
        let home = Home::shipped();
        for name in runners {
            let manifest = PluginManifest::read(&root().join("plugins").join(name).join("plugin.toml")).expect("its plugin.toml");
            home.pin(&manifest, &component(name));
        }
        home
    }

    /// With the misbehaving guest as architect and implementer.
    pub fn guest() -> Home {
        let home = Home::empty();
        let mut manifest = PluginManifest::read(&root().join("tests/guests/plugin.toml")).expect("its plugin.toml");
        let bytes = component("guest");
        home.pin(&manifest, &bytes);
        manifest.name = "guest-implementer".to_owned();
        (manifest.world, manifest.api) = ("implementer".to_owned(), "0.2.0".to_owned());
        home.pin(&manifest, &bytes);
        home.pin(&PluginManifest::read(&root().join("plugins/indexer/plugin.toml")).expect("its plugin.toml"), &component("indexer"));
        home
    }

    /// Pins an agent in JavaScript that `make examples` built.
    pub fn pin_example(&self, name: &str) {
        let manifest = target().join("tools/examples").join(name).join("plugin.toml");
        self.pin(&PluginManifest::read(&manifest).expect("its plugin.toml; `make examples` makes it"), &component(name));
    }

    /// Pins these bytes.
    pub fn pin(&self, manifest: &PluginManifest, bytes: &[u8]) {
        Pins::read(&self.data()).expect("the pins").pin(manifest, bytes, "a story").expect("pinned");
    }

    /// Changes the operator's manifest.
    pub fn grant(&self, change: impl FnOnce(&mut atelier_host::plugins::manifest::OperatorManifest)) {
        let path = self.data().join("plugins.toml");
        let mut manifest = atelier_host::plugins::manifest::OperatorManifest::read(&path).expect("the manifest");
        change(&mut manifest);
        manifest.write(&path).expect("the manifest");
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// The folder that [`tamper`](crate::database::tamper) knows the database by.
    pub fn store_folder(&self) -> PathBuf {
        match Engine::of_tests() {
            Engine::Sqlite => self.data(),
            Engine::Postgres => self.directory.path().to_owned(),
        }
    }

    /// The folder that data and database belong to.
    pub fn folder(&self) -> &Path {
        self.directory.path()
    }

    /// A place beside it.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Every variable, with this model server.
    pub fn environment(&self, model_url: &str) -> Vec<(String, String)> {
        let mut variables = vec![
            ("ATELIER_DATA_DIR".to_owned(), self.data().display().to_string()),
            ("ATELIER_MODEL_URL".to_owned(), model_url.to_owned()),
            ("ATELIER_MODEL_NAME".to_owned(), "story".to_owned()),
            ("ATELIER_MODEL_PRICE".to_owned(), PRICE.to_owned()),
            ("ATELIER_MODEL_KEY".to_owned(), "sk-canary-7391".to_owned()),
        ];
        if Engine::of_tests() == Engine::Postgres {
            variables.push(("ATELIER_DATABASE_URL".to_owned(), database_for(self.directory.path())));
        }
        variables.extend(self.variables.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        variables
    }

    /// The settings of a story.
    pub fn settings(&self, model_url: &str) -> Settings {
        let variables = self.environment(model_url);
        let find = |name: &str| variables.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        Settings::from_sources(&self.beside("atelier.toml"), find).expect("sound settings")
    }

    /// The production application with these settings.
    pub async fn app(&self, model_url: &str) -> App {
        App::build(self.settings(model_url)).await.expect("the application starts")
    }
}

/// A component that `make` has built.
pub fn component(name: &str) -> Vec<u8> {
    let path = target().join("plugins").join(format!("{name}.wasm"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; `make plugins guests` builds it", path.display()))
}

/// A new project, carried as far as it goes without a person.
pub async fn begin(app: &App, idea: &str) -> Project {
    let project = app.control.create("local", idea, None).await.expect("a project");
    app.orchestrator.advance(project).await.expect("it goes on")
}

/// A plan that waits, approved under the proposed ceiling (at least one credit, for agents that need none).
pub async fn approve(app: &App, project: &Project) -> Project {
    assert_eq!(project.state.phase, Phase::Quoted);
    let ceiling = app.orchestrator.quote(project).await.expect("a quote").ceiling;
    app.control.approve(project, ceiling.max("1".parse().expect("an amount"))).await.expect("approved")
}

/// As [`begin`], with the plan approved, carried to the end.
pub async fn begin_approved(app: &App, idea: &str) -> Project {
    let project = approve(app, &begin(app, idea).await).await;
    app.orchestrator.advance(project).await.expect("it goes on")
}

/// As [`begin`], with the plan approved, and work on it begun beside the story.
pub async fn begin_working(app: &App, idea: &str) -> (String, JoinHandle<anyhow::Result<Project>>) {
    let project = approve(app, &begin(app, idea).await).await;
    let (orchestrator, id) = (app.orchestrator.clone(), project.id.clone());
    (id, tokio::spawn(async move { orchestrator.advance(project).await }))
}

/// Everything that must hold in the ledger, with no process but this one alive.
pub async fn assert_sound(app: &App) {
    let living = app.reader.store.living_boots().await.expect("the boots");
    assert_audit(&app.reader.store, &living).await;
}

/// Everything that must hold in the ledger.
pub async fn assert_audit(store: &Store, living: &[String]) {
    for invariant in store.audit(living).await.expect("the audit runs") {
        assert!(invariant.violations.is_empty(), "{} ({}): {:?}", invariant.id, invariant.claim, invariant.violations);
    }
}

/// The provider's log agrees with the ledger.
pub async fn assert_agrees(store: &Store, log: &str) -> atelier_host::store::audit::ProviderComparison {
    let lines: Vec<_> = log.lines().map(|line| serde_json::from_str(line).expect("a line of the log")).collect();
    let comparison = store.compare_with_provider(&lines).await.expect("compared");
    assert!(comparison.violations.is_empty(), "{:?}", comparison.violations);
    comparison
}

/// The text of a file.
pub fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
