//! Agents in JavaScript and Python, as `atelier plugin new --lang` makes them: real components with an interpreter inside, under the same
//! limits as all others. They understand, plan and write; their runs can be replayed, and ended.

use atelier_host::orchestrator::replay::Finding;
use atelier_host::plugins::limits::Limits;
use atelier_host::plugins::manifest::{PluginManifest, Wasi};
use atelier_host::plugins::registry::Registry;
use atelier_host::project::{CheckStatus, Phase};
use std::collections::{BTreeMap, BTreeSet};
use tests::home::{Home, assert_sound, begin, begin_approved, component};
use tests::model_server::{Answer, Asked, ModelServer};

const LANGUAGES: [&str; 2] = ["javascript", "python"];
const BRIEF: &str = "title: Adder\nsummary: It adds.\nrequirement: add(1, 2) is 3.\nrequirement: add() of words is their join.";
const TESTS: &str = "module: adder\n````python\nimport unittest\n\nfrom adder import add\n\n\nclass TestAdd(unittest.TestCase):\n    def test_numbers(self):\n        self.assertEqual(add(1, 2), 3)\n\n    def test_words(self):\n        self.assertEqual(add(\"ä\", \"b\"), \"äb\")\n````";
const WRONG: &str = "adder.py\n````python\ndef add(a, b):\n    return a - b\n````";
const RIGHT: &str = "adder.py\n````python\ndef add(a, b):\n    return a + b\n````";

fn agents(language: &str) -> [String; 2] {
    ["architect", "implementer"].map(|role| format!("{role}-{language}"))
}

fn home(language: &str) -> Home {
    let home = Home::empty();
    for name in ["indexer", "runner-python"] {
        let manifest = PluginManifest::read(&tests::root().join("plugins").join(name).join("plugin.toml")).expect("its plugin.toml");
        home.pin(&manifest, &component(name));
    }
    agents(language).iter().for_each(|name| home.pin_example(name));
    home
}

/// A model that answers by what it is asked: first wrong, and right once it is shown what fails.
fn answer(asked: &Asked) -> Option<&'static str> {
    let text = asked.text();
    [("These checks fail", RIGHT), ("You are a programmer", WRONG), ("You write the unit tests", TESTS), ("You make a brief", BRIEF)]
        .into_iter()
        .find_map(|(words, answer)| text.contains(words).then_some(answer))
}

async fn model() -> ModelServer {
    ModelServer::scripted(|asked, _| answer(asked).map_or(Answer::Status(500), |text| Answer::Text(text.to_owned()))).await
}

async fn delivers(language: &str) {
    let (model, home) = (model().await, home(language));
    let app = home.app(&model.url).await;
    let project = begin_approved(&app, "something that adds").await;
    assert_eq!(project.state.phase, Phase::Delivered);
    let asked = model.asked();
    assert_eq!(asked.len(), 4, "a brief, tests, files, and what was mended");
    let shown = asked[3].text();
    assert!(shown.contains("These checks fail") && shown.contains("test_numbers"), "{shown}");
    let runs = app.orchestrator.replay(&project, &BTreeMap::new()).await.expect("a replay");
    let [architect, implementer] = agents(language);
    let by: Vec<&String> = runs.iter().map(|run| &run.plugin).collect();
    assert_eq!(by, [&architect, &architect, &implementer, &architect]);
    for run in &runs {
        assert_eq!(run.finding, Finding::Same, "{run:?}");
    }
    let checks = &project.state.tasks[0].results;
    assert!(checks.len() == 2 && checks.iter().all(|check| check.status == CheckStatus::Passed), "{checks:?}");
    assert_eq!(model.asked().len(), 4, "a replay asks nobody");
    assert_sound(&app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_is_understood_planned_written_and_mended_by_agents_in_javascript_and_replays_the_same() {
    delivers("javascript").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_is_understood_planned_written_and_mended_by_agents_in_python_and_replays_the_same() {
    delivers("python").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_import_the_contract_and_at_most_an_empty_wasi_and_keep_to_the_limits() {
    for language in LANGUAGES {
        let home = home(language);
        let registry = Registry::open(&home.data()).expect("a registry");
        for name in agents(language) {
            let imports = registry.imports(&name).expect("its imports");
            let is_allowed = |import: &String| import.starts_with("atelier:agent/") || language == "python" && import.starts_with("wasi:");
            assert!(!imports.is_empty() && imports.iter().all(is_allowed), "{name}: {imports:?}");
        }
        let model = model().await;
        let limited = [
            (Limits { memory_mib: 4, ..Limits::default() }, "memory_mib"),
            (Limits { fuel_millions: 1, ..Limits::default() }, "fuel_millions"),
        ];
        for (limits, words) in limited {
            home.grant(|manifest| {
                manifest.plugins.iter_mut().filter(|plugin| plugin.world == "architect").for_each(|plugin| plugin.limits = limits);
            });
            let app = home.app(&model.url).await;
            let project = begin(&app, "something that adds").await;
            let Phase::Failed(why) = &project.state.phase else { panic!("{language} {words}: {:?}", project.state.phase) };
            assert!(why.contains(words), "{language} {words}: {why}");
            assert_sound(&app).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_granted_is_a_refusal_that_they_give_up_with() {
    for language in LANGUAGES {
        let (model, home) = (model().await, home(language));
        home.grant(|manifest| {
            for plugin in manifest.plugins.iter_mut().filter(|plugin| plugin.world == "architect") {
                plugin.grants.insert("elicit".to_owned(), BTreeSet::new());
            }
        });
        let app = home.app(&model.url).await;
        let project = begin(&app, "something that adds").await;
        assert!(model.asked().is_empty());
        let Phase::Failed(why) = &project.state.phase else { panic!("{language}: {:?}", project.state.phase) };
        assert!(why.contains("llm") && why.contains("plugins.toml"), "{language}: {why}");
    }
}

/// An interpreter that wants WASI gets it by its author's word in `plugin.toml`, and never without.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_word_an_import_of_wasi_is_refused() {
    let home = home("python");
    home.grant(|manifest| manifest.plugins.iter_mut().for_each(|plugin| plugin.executes.wasi = Wasi::None));
    let registry = Registry::open(&home.data()).expect("a registry");
    let refused = registry.get("architect-python").err().expect("it is not loaded").to_string();
    assert!(refused.contains("it imports `wasi:"), "{refused}");
}
