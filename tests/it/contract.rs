//! The versions of the contract. What was published of one is never changed, and components that were built for one go on running: those in
//! `tests/fixtures/contract` are bytes that no build makes any more.

use atelier_host::delivery::Delivery;
use atelier_host::plugins::lock::Pins;
use atelier_host::plugins::manifest::PluginManifest;
use atelier_host::project::Phase;
use atelier_host::workspace::sha256;
use std::collections::BTreeMap;
use std::path::Path;
use tests::home::{Home, approve, assert_sound, begin_approved, component};
use tests::model_server::{Answer, ModelServer};
use tests::program::atelier;
use tests::root;

const BRIEF: &str = "title: Greeter\nsummary: It greets.\nrequirement: greet() is hello.";
const TESTS: &str = "module: greeter\n````python\nimport unittest\n\nfrom greeter import greet\n\n\nclass TestGreet(unittest.TestCase):\n    def test_greet(self):\n        self.assertEqual(greet(), \"hello\")\n````";
const FILES: &str =
    "summary: greet\nassumption: Greetings are in English.\ngreeter.py\n````python\ndef greet():\n    return \"hello\"\n````";

/// The bytes of a component as it was published.
fn published(name: &str) -> Vec<u8> {
    std::fs::read(root().join("tests/fixtures/contract").join(format!("{name}.wasm"))).expect("a component")
}

fn manifest(world: &str, api: &str) -> PluginManifest {
    let grants = match world {
        "architect" => "elicit = [\"llm\"]\nmake-plan = [\"llm\"]\nverify = []",
        "implementer" => "implement = [\"llm\", \"workspace-read\", \"workspace-write\", \"index\", \"checks\"]",
        "documenter" => "document = [\"llm\", \"workspace-read\", \"workspace-write\"]",
        _ => "",
    };
    let text = format!("name = \"{world}\"\nversion = \"0.1.0\"\nworld = \"{world}\"\napi = \"{api}\"\n[grants]\n{grants}\n");
    toml::from_str(&text).expect("a manifest")
}

/// With agents of 0.1.0 as they were published, and an implementer of this version.
fn home(implementer: &str) -> Home {
    let home = Home::empty();
    home.pin(&manifest("architect", "0.1.0"), &published("architect-0.1.0"));
    home.pin(&manifest("indexer", "0.1.0"), &published("indexer-0.1.0"));
    home.pin(&manifest("implementer", implementer), &published(&format!("implementer-{implementer}")));
    home.pin(
        &PluginManifest::read(&root().join("plugins/runner-python/plugin.toml")).expect("its plugin.toml"),
        &component("runner-python"),
    );
    home
}

async fn model() -> ModelServer {
    ModelServer::scripted(|asked, _| {
        let text = asked.text();
        let answers = [("You are a programmer", FILES), ("You write the unit tests", TESTS), ("You make a brief", BRIEF)];
        let answer = answers.into_iter().find_map(|(words, answer)| text.contains(words).then_some(answer));
        answer
            .or(text.contains("technical writer").then_some("It greets."))
            .map_or(Answer::Status(500), |text| Answer::Text(text.to_owned()))
    })
    .await
}

#[test]
fn a_version_of_the_contract_is_never_changed_once_it_is_published() {
    let text = std::fs::read_to_string(root().join("wit/frozen.toml")).expect("what is frozen");
    let frozen: BTreeMap<String, BTreeMap<String, String>> = toml::from_str(&text).expect("digests by version and file");
    let versions: Vec<&str> = frozen.keys().map(String::as_str).collect();
    assert_eq!(versions, ["v0.1.0", "v0.2.0"], "every folder of wit/ is there");
    for (version, files) in &frozen {
        let folder = root().join("wit").join(version);
        let there: BTreeMap<String, String> = files_in(&folder);
        assert_eq!(&there, files, "wit/{version} was published: what is to be different goes into a new version beside it");
    }
}

fn files_in(folder: &Path) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries
        .map(|path| (path.file_name().expect("a name").to_string_lossy().into_owned(), sha256(&std::fs::read(&path).expect("a file"))))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agents_of_both_versions_deliver_the_same_project_as_they_were_published() {
    for version in ["0.1.0", "0.2.0"] {
        let (model, home) = (model().await, home(version));
        let app = home.app(&model.url).await;
        let project = begin_approved(&app, "something that greets").await;
        assert_eq!(project.state.phase, Phase::Delivered, "{version}");
        assert_eq!(project.state.tasks[0].summary, "Greeter", "{version}: both say what they did");
        assert_sound(&app).await;
        let home = home.data();
        let lock = std::fs::read_to_string(home.join("plugins.lock")).expect("the lock");
        assert!(lock.contains(&format!("atelier:agent/implementer@{version}")) && lock.contains("atelier:agent/architect@0.1.0"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_documenter_of_0_2_0_works_with_agents_of_0_1_0() {
    let (model, home) = (model().await, home("0.1.0"));
    home.pin(&manifest("documenter", "0.2.0"), &published("documenter-0.2.0"));
    let app = home.app(&model.url).await;
    let project = begin_approved(&app, "something that greets").await;
    let ceiling = app.orchestrator.quote_documents(&project).await.expect("a quote").expect("a documenter").ceiling;
    let project = app.control.document(&project, ceiling).await.expect("begun");
    let project = app.orchestrator.advance(project).await.expect("it goes on");
    assert_eq!((&project.state.phase, &project.state.documents.failed), (&Phase::Delivered, &None));
    let delivery = Delivery::of(&app.reader.store, &project).await.expect("a delivery");
    assert!(delivery.files.keys().any(|path| path.as_ref() == "docs/about.md"));
}

/// What 0.2.0 is for: somebody who built something says what nobody had asked for, and the user reads it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_implementer_of_0_2_0_assumed_stands_in_the_report() {
    let (model, home) = (model().await, home("0.1.0"));
    home.pin(&PluginManifest::read(&root().join("plugins/implementer/plugin.toml")).expect("its plugin.toml"), &component("implementer"));
    let app = home.app(&model.url).await;
    let project = app.control.create("local", "something that greets", None).await.expect("a project");
    let project = app.orchestrator.advance(project).await.expect("it goes on");
    let project = app.orchestrator.advance(approve(&app, &project).await).await.expect("it goes on");
    let report = Delivery::of(&app.reader.store, &project).await.expect("a delivery").report;
    assert_eq!(report.tasks[0].assumptions, ["Greetings are in English."]);
    assert!(report.markdown().contains("## What was assumed") && report.markdown().contains("- Greetings are in English."));
}

#[test]
fn a_component_of_another_version_than_its_manifest_says_is_refused_with_the_line_that_would_be_right() {
    let home = Home::empty();
    let pin = |name: &str, world: &str, api: &str| {
        let (component, manifest_file) = (home.beside("plugin.wasm"), home.beside("plugin.toml"));
        std::fs::write(&component, published(name)).expect("written");
        std::fs::write(&manifest_file, toml::to_string(&manifest(world, api)).expect("a manifest")).expect("written");
        let [component, manifest] = [component, manifest_file].map(|path| path.display().to_string());
        let ended = atelier(&home, "http://127.0.0.1:9/v1", &["plugin", "pin", &component, "--manifest", &manifest]);
        assert_eq!(ended.code, Some(2), "{name} as {world}@{api}: {}{}", ended.out, ended.err);
        ended.err
    };
    for (name, world, api, words) in [
        ("implementer-0.1.0", "implementer", "0.2.0", ["write api = \"0.1.0\"", "its `implement` returns result<string, variant>"]),
        (
            "implementer-0.2.0",
            "implementer",
            "0.1.0",
            ["write api = \"0.2.0\"", "returns result<record { summary, assumptions }, variant>"],
        ),
        ("implementer-0.2.0", "implementer", "0.3.0", ["write api = \"0.2.0\"", "this host runs implementer 0.1.0 and 0.2.0"]),
        ("architect-0.1.0", "architect", "0.2.0", ["write api = \"0.1.0\"", "no `architect` in version `0.2.0`"]),
        ("documenter-0.2.0", "implementer", "0.2.0", ["does not export `implement`", "implementer@0.2.0"]),
    ] {
        let told = pin(name, world, api);
        assert!(words.iter().all(|words| told.contains(words)), "{name} as {world}@{api}: {told}");
    }
    assert!(Pins::read(&home.data()).expect("the pins").lock.plugins.is_empty(), "nothing was pinned");
}

/// Another machine may go on with a run that began under an older version than the one that is pinned here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_nobody_pinned_here_are_run_as_what_they_are_made_for() {
    let home = home("0.2.0");
    let registry = atelier_host::plugins::registry::Registry::open(&home.data()).expect("a registry");
    for version in ["0.1.0", "0.2.0"] {
        let loaded = registry.of_bytes("implementer", &published(&format!("implementer-{version}")));
        assert!(loaded.is_ok(), "{version}: {:?}", loaded.err().map(|error| error.to_string()));
    }
    let refused = registry.of_bytes("implementer", &published("architect-0.1.0")).err().expect("it is no implementer").to_string();
    assert!(refused.contains("does not export `implement`"), "{refused}");
}
