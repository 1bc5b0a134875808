//! A recorded project once more, without a model: with the versions that made it everything comes out the same, with another version
//! a person sees where it would have asked for something else. And a run stays with the version that it began with.

use atelier_host::app::App;
use atelier_host::orchestrator::replay::Finding;
use atelier_host::plugins::manifest::PluginManifest;
use atelier_host::project::Phase;
use std::collections::BTreeMap;
use std::time::Duration;
use tests::home::{Home, assert_sound, begin, begin_approved, begin_working, component};
use tests::program::atelier_beside;
use tests::root;
use tests::workshop::{Tasks, Workshop};

/// The shipped implementer with another word in its prompt, as long as the old one.
pub(crate) fn changed_implementer() -> Vec<u8> {
    let (old, new) = (b"a programmer in a small software studio", b"a programmer in a large software studio");
    let mut bytes = component("implementer");
    let at = bytes.windows(old.len()).position(|window| window == old).expect("the prompt is in the component");
    bytes[at..at + new.len()].copy_from_slice(new);
    bytes
}

async fn rows(app: &App) -> (usize, u64, usize) {
    let entries = app.reader.store.entries("local", 1_000).await.expect("entries").len();
    let project = app.reader.store.history(1).await.expect("a listing").remove(0).id;
    let calls = app.reader.store.receipt(&project).await.expect("a receipt").calls;
    (entries, calls, app.reader.store.runs(&project).await.expect("runs").len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recorded_project_comes_out_the_same_and_costs_nothing() {
    let workshop = Workshop::new(4, Tasks::Diamond, || Duration::ZERO).await;
    let home = Home::shipped();
    let app = home.app(&workshop.server.url).await;
    let project = begin_approved(&app, "parts").await;
    assert_eq!(project.state.phase, Phase::Delivered);
    let (asked, before) = (workshop.server.asked().len(), rows(&app).await);
    let runs = app.orchestrator.replay(&project, &BTreeMap::new()).await.expect("a replay");
    assert_eq!(runs.len(), 2 + 4 * 2, "understanding, planning, and writing and judging of each task");
    for run in &runs {
        assert_eq!(run.finding, Finding::Same, "{run:?}");
    }
    assert_eq!((workshop.server.asked().len(), rows(&app).await), (asked, before), "nothing was asked, charged or stored");
    assert_sound(&app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_whose_time_is_over_is_let_go_and_a_replay_says_so() {
    let workshop = Workshop::new(1, Tasks::Apart, || Duration::ZERO).await;
    let home = Home::shipped();
    let app = home.app(&workshop.server.url).await;
    let project = begin_approved(&app, "parts").await;
    let waiting = begin(&app, "parts").await;
    let store = &app.reader.store;
    assert_eq!(store.forget_journals(project.updated_ms - 1, 100).await.expect("looked"), 0, "its time is not over");
    assert_eq!(store.forget_journals(project.updated_ms + 60_000, 3).await.expect("let go"), 3, "a batch");
    assert_eq!(store.forget_journals(project.updated_ms + 60_000, 3).await.expect("let go"), 1, "what is left");
    let forgotten = app.orchestrator.replay(&project, &BTreeMap::new()).await.expect("a replay");
    assert!(forgotten.iter().all(|run| run.finding == Finding::Forgotten), "{forgotten:?}");
    let kept = app.orchestrator.replay(&waiting, &BTreeMap::new()).await.expect("a replay");
    assert!(kept.iter().all(|run| run.finding == Finding::Same), "a project that waits keeps its own: {kept:?}");
    assert_sound(&app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_version_of_a_plugin_is_told_apart_in_words_that_a_person_understands() {
    let workshop = Workshop::new(1, Tasks::Apart, || Duration::ZERO).await;
    let home = Home::shipped();
    let project = {
        let app = home.app(&workshop.server.url).await;
        begin_approved(&app, "parts").await.id
    };
    let file = home.beside("changed.wasm");
    std::fs::write(&file, changed_implementer()).expect("written");
    let asked = workshop.server.asked().len();
    let same = atelier_beside(&home, &workshop.server.url, &["replay", &project]).await;
    assert_eq!(same.code, Some(0), "{}{}", same.out, same.err);
    assert!(same.out.contains("4 of 4 runs came out the same") && same.out.contains("This replay: 0 calls, 0 charged."), "{}", same.out);
    let plugin = format!("implementer={}", file.display());
    let changed = atelier_beside(&home, &workshop.server.url, &["replay", &project, "--plugin", &plugin]).await;
    assert_eq!(changed.code, Some(4), "{}{}", changed.out, changed.err);
    for words in [
        "DIVERGED",
        "llm.complete",
        "3 of 4 runs",
        "recorded: You are a programmer in a small",
        "now:      You are a programmer in a large",
    ] {
        assert!(changed.out.contains(words), "`{words}` is missing:\n{}", changed.out);
    }
    assert_eq!(workshop.server.asked().len(), asked, "no model was asked");
    for (arguments, words) in
        [(["replay", &project, "--plugin", "implementer"], "write --plugin NAME=FILE"), (["replay", "p0", "--plugin", &plugin], "p0")]
    {
        let ended = atelier_beside(&home, &workshop.server.url, &arguments).await;
        assert!(ended.code == Some(2) && ended.err.contains(words), "{}", ended.err);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_waits_goes_on_with_the_version_that_it_began_with() {
    let workshop = Workshop::new(1, Tasks::Apart, || Duration::from_millis(400)).await;
    let home = Home::shipped();
    let app = home.app(&workshop.server.url).await;
    let (id, work) = begin_working(&app, "parts").await;
    while workshop.server.asked().len() < 3 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // The process leaves in the middle of the implementer's call.
    work.abort();
    let _ = work.await;
    app.orchestrator.drain(Duration::from_secs(5)).await;
    drop(app);
    let old = atelier_host::workspace::sha256(&component("implementer"));
    let manifest = PluginManifest::read(&root().join("plugins/implementer/plugin.toml")).expect("a manifest");
    home.pin(&manifest, &changed_implementer());

    let app = home.app(&workshop.server.url).await;
    let project = app.reader.store.project(&id).await.expect("the project");
    let project = app.control.resume(project, None).await.expect("resumed");
    let project = app.orchestrator.advance(project).await.expect("it goes on");
    assert_eq!(project.state.phase, Phase::Delivered);
    let runs = app.reader.store.runs(&id).await.expect("runs");
    let written: Vec<_> = runs.iter().filter(|run| run.step.starts_with("implement")).collect();
    assert_eq!(written.len(), 1, "{written:?}");
    assert_eq!((written[0].plugin_sha256.as_str(), written[0].incarnations), (old.as_str(), 2));
    assert_sound(&app).await;
}
