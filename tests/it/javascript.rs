//! Agents in JavaScript, as `atelier plugin new --lang js` makes them: real components with an interpreter inside, under the same limits
//! as all others. They understand, plan and write; their run can be interrupted, replayed, and ended.

use atelier_host::app::App;
use atelier_host::orchestrator::replay::Finding;
use atelier_host::plugins::limits::Limits;
use atelier_host::plugins::manifest::PluginManifest;
use atelier_host::plugins::registry::Registry;
use atelier_host::project::{CheckStatus, Phase};
use std::collections::BTreeMap;
use tests::home::{Home, assert_sound, begin, begin_approved, component};
use tests::model_server::{Answer, Asked, ModelServer};

const AGENTS: [&str; 2] = ["architect-javascript", "implementer-javascript"];
const BRIEF: &str = "title: Adder\nsummary: It adds.\nrequirement: add(1, 2) is 3.\nrequirement: add() of words is their join.";
const TESTS: &str = "module: adder\n````python\nimport unittest\n\nfrom adder import add\n\n\nclass TestAdd(unittest.TestCase):\n    def test_numbers(self):\n        self.assertEqual(add(1, 2), 3)\n\n    def test_words(self):\n        self.assertEqual(add(\"ä\", \"b\"), \"äb\")\n````";
const WRONG: &str = "adder.py\n````python\ndef add(a, b):\n    return a - b\n````";
const RIGHT: &str = "adder.py\n````python\ndef add(a, b):\n    return a + b\n````";

fn home() -> Home {
    let home = Home::empty();
    for name in ["indexer", "runner-python"] {
        let manifest = PluginManifest::read(&tests::root().join("plugins").join(name).join("plugin.toml")).expect("its plugin.toml");
        home.pin(&manifest, &component(name));
    }
    for name in AGENTS {
        home.pin_example(name);
    }
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

async fn delivered(app: &App) -> atelier_host::store::projects::Project {
    let project = begin_approved(app, "something that adds").await;
    assert_eq!(project.state.phase, Phase::Delivered);
    project
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_is_understood_planned_written_and_mended_by_agents_in_javascript_and_replays_the_same() {
    let (model, home) = (model().await, home());
    let app = home.app(&model.url).await;
    let project = delivered(&app).await;
    let asked = model.asked();
    assert_eq!(asked.len(), 4, "a brief, tests, files, and what was mended");
    let shown = asked[3].text();
    assert!(shown.contains("These checks fail") && shown.contains("test_numbers"), "{shown}");
    let runs = app.orchestrator.replay(&project, &BTreeMap::new()).await.expect("a replay");
    let by: Vec<&str> = runs.iter().map(|run| run.plugin.as_str()).collect();
    assert_eq!(by, ["architect-javascript", "architect-javascript", "implementer-javascript", "architect-javascript"]);
    for run in &runs {
        assert_eq!(run.finding, Finding::Same, "{run:?}");
    }
    let checks = &project.state.tasks[0].results;
    assert!(checks.len() == 2 && checks.iter().all(|check| check.status == CheckStatus::Passed), "{checks:?}");
    assert_eq!(model.asked().len(), 4, "a replay asks nobody");
    assert_sound(&app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_import_the_contract_alone_and_keep_to_its_limits() {
    let home = home();
    let registry = Registry::open(&home.data()).expect("a registry");
    for name in AGENTS {
        let imports = registry.imports(name).expect("its imports");
        assert!(!imports.is_empty() && imports.iter().all(|import| import.starts_with("atelier:agent/")), "{name}: {imports:?}");
    }
    let model = model().await;
    for (limits, words) in
        [(Limits { memory_mib: 4, ..Limits::default() }, "memory_mib"), (Limits { fuel_millions: 1, ..Limits::default() }, "fuel_millions")]
    {
        home.grant(|manifest| {
            for plugin in manifest.plugins.iter_mut().filter(|plugin| plugin.name == AGENTS[0]) {
                plugin.limits = limits;
            }
        });
        let app = home.app(&model.url).await;
        let project = begin(&app, "something that adds").await;
        let Phase::Failed(why) = &project.state.phase else { panic!("{words}: {:?}", project.state.phase) };
        assert!(why.contains(words), "{words}: {why}");
        assert_sound(&app).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_granted_is_a_refusal_that_they_give_up_with() {
    let (model, home) = (model().await, home());
    home.grant(|manifest| {
        for plugin in manifest.plugins.iter_mut().filter(|plugin| plugin.name == AGENTS[0]) {
            plugin.grants.insert("elicit".to_owned(), std::collections::BTreeSet::new());
        }
    });
    let app = home.app(&model.url).await;
    let project = begin(&app, "something that adds").await;
    assert!(model.asked().is_empty());
    let Phase::Failed(why) = &project.state.phase else { panic!("{:?}", project.state.phase) };
    assert!(why.contains("llm") && why.contains("plugins.toml"), "{why}");
}
