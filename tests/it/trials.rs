//! Two plugins side by side: a share of the projects for a candidate, the figures of both, and the end of one that does worse; and a
//! plugin for one project or one user alone.

use crate::replay::changed_implementer;
use atelier_host::app::App;
use atelier_host::plugins::lock::Pins;
use atelier_host::plugins::manifest::PluginManifest;
use atelier_host::project::Phase;
use atelier_host::store::projects::Project;
use atelier_host::workspace::sha256;
use std::time::Duration;
use tests::home::{Home, approve, assert_sound, begin, begin_approved, component, read};
use tests::model_server::{Answer, ModelServer};
use tests::program::{Ended, atelier, atelier_beside};
use tests::root;
use tests::workshop::{Tasks, Workshop, answer};

const NOWHERE: &str = "http://127.0.0.1:9/v1";
/// Projects after which a candidate that is always wrong has long gone back; by chance it is one in some thousand that it has not.
const PROJECTS_MAX: usize = 60;

/// The shipped plugins, and beside them files with a candidate and its description.
fn home_with_candidate() -> (Home, Vec<String>) {
    let home = Home::shipped();
    let (file, manifest) = (home.beside("candidate.wasm"), home.beside("plugin.toml"));
    std::fs::write(&file, changed_implementer()).expect("the component");
    std::fs::copy(root().join("plugins/implementer/plugin.toml"), &manifest).expect("its description");
    let begin = ["plugin", "trial", "begin", &file.display().to_string(), "--manifest", &manifest.display().to_string()];
    let begin = begin.iter().map(|word| (*word).to_owned()).collect();
    (home, begin)
}

fn run(home: &Home, words: &[String], more: &[&str]) -> Ended {
    let words: Vec<&str> = words.iter().map(String::as_str).chain(more.iter().copied()).collect();
    atelier(home, NOWHERE, &words)
}

/// The versions of the implementer that worked on a project.
async fn implementers(app: &App, project: &Project) -> Vec<(String, String)> {
    let runs = app.reader.store.runs(&project.id).await.expect("runs");
    runs.into_iter().filter(|run| run.step.starts_with("implement")).map(|run| (run.plugin, run.plugin_sha256)).collect()
}

/// A model that builds one part, and does sloppy work for the candidate, whose prompt it knows by its large studio.
async fn model() -> ModelServer {
    ModelServer::scripted(|asked, _| {
        let text = asked.text();
        if text.contains("# The task\n\nBe part ") && text.contains("# sloppy") {
            return Answer::Text("reject:\n- part_1.py:1 R1 it is sloppy".to_owned());
        }
        let Some(answer) = answer(asked, 1, Tasks::Apart) else { return Answer::Status(500) };
        match text.contains("a programmer in a large software studio") {
            // Another answer each time, so that nobody takes it for the same.
            true => Answer::Usage(answer.replace("return 1", "return 1  # sloppy"), 4_000, 1_000),
            false => Answer::Usage(answer, 2_000, 500),
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_candidate_that_does_worse_is_seen_by_outcome_and_cost_and_goes_back_by_itself() {
    let model = model().await;
    let (home, begin_trial) = home_with_candidate();
    let began = run(&home, &begin_trial, &["--share", "50"]);
    assert_eq!(began.code, Some(0), "{}", began.err);
    let app = home.app(&model.url).await;
    let (old, new) = (sha256(&component("implementer")), sha256(&changed_implementer()));
    let trial = || Pins::read(&home.data()).expect("the pins").manifest.trials["implementer"].clone();
    assert_eq!((trial().sha256.as_str(), trial().share), (new.as_str(), 50));
    let (mut projects, mut by_candidate) = (0, 0);
    while trial().returned.is_none() {
        assert!(projects < PROJECTS_MAX, "it never went back");
        let project = begin_approved(&app, "parts").await;
        projects += 1;
        let by = implementers(&app, &project).await;
        by_candidate += usize::from(by[0].1 == new);
        let still = trial().returned.is_none();
        assert!(!still || by.iter().all(|(_, version)| *version == by[0].1), "a project stays where it is while the trial lasts: {by:?}");
        assert_eq!(project.state.phase == Phase::Delivered, by.last().expect("a run").1 == old, "{:?} {by:?}", project.state.phase);
    }
    assert!(by_candidate > 0 && by_candidate < projects);

    let shown = atelier_beside(&home, &model.url, &["plugin", "trial", "show"]).await;
    assert!(shown.out.contains("It went back by itself:") && shown.out.contains("ended badly"), "{}", shown.out);
    let shown = atelier_beside(&home, &model.url, &["plugin", "trial", "show", "--json"]).await;
    let shown: serde_json::Value = serde_json::from_str(&shown.out).expect("JSON");
    let number = |side: &str, of: &str| shown[0][side][of].as_u64().unwrap_or_else(|| panic!("{side}.{of} in {shown}"));
    assert!(number("candidate", "bad") >= 5 && number("candidate", "good") == 0, "{shown}");
    assert!(number("other", "good") >= 5 && number("other", "bad") == 0, "{shown}");
    let each = |side: &str| number(side, "charged") / number(side, "projects");
    assert!(each("candidate") > 2 * each("other"), "{shown}");

    // From now on everything is done as before.
    for _ in 0..4 {
        let project = begin_approved(&app, "parts").await;
        assert_eq!((project.state.phase.clone(), implementers(&app, &project).await[0].1.as_str()), (Phase::Delivered, old.as_str()));
    }
    assert_eq!(atelier(&home, NOWHERE, &["plugin", "trial", "end", "implementer"]).code, Some(0));
    assert!(atelier(&home, NOWHERE, &["plugin", "trial", "show"]).out.contains("There is no trial"));
    assert_sound(&app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_candidate_is_adopted_with_one_command_and_the_version_before_stays_at_hand() {
    let workshop = Workshop::new(1, Tasks::Apart, || Duration::ZERO).await;
    let (home, begin_trial) = home_with_candidate();
    assert_eq!(run(&home, &begin_trial, &["--share", "1"]).code, Some(0));
    assert_eq!(atelier(&home, NOWHERE, &["plugin", "trial", "adopt", "implementer"]).code, Some(0));
    let app = home.app(&workshop.server.url).await;
    let project = begin_approved(&app, "parts").await;
    assert_eq!(implementers(&app, &project).await[0].1, sha256(&changed_implementer()));
    let back = atelier(&home, NOWHERE, &["plugin", "rollback", "implementer"]);
    assert!(back.out.contains(&sha256(&component("implementer"))), "{back:?}");
}

#[test]
fn a_trial_that_can_not_be_is_told_with_what_can() {
    let (home, begin_trial) = home_with_candidate();
    for (more, words) in
        [(&["--share", "0"][..], "from 1 to 100"), (&["--share", "101"], "from 1 to 100"), (&["--signer", "studio"], "does not know them")]
    {
        let refused = run(&home, &begin_trial, more);
        assert!(refused.code != Some(0) && refused.err.contains(words), "{more:?}: {refused:?}");
    }
    std::fs::write(home.beside("candidate.wasm"), component("implementer")).expect("what is pinned");
    assert!(run(&home, &begin_trial, &[]).err.contains("nothing to compare"));
    std::fs::write(home.beside("candidate.wasm"), component("indexer")).expect("another world");
    assert!(run(&home, &begin_trial, &[]).err.contains("does not export `implement`"));
    let pins = Pins::read(&home.data()).expect("the pins");
    assert!(
        pins.manifest.trials.is_empty() && pins.load("implementer").expect("it is sound").1.sha256 == sha256(&component("implementer"))
    );
    assert!(atelier(&home, NOWHERE, &["plugin", "trial", "adopt", "implementer"]).err.contains("there is no trial"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_project_or_one_user_has_a_plugin_of_their_own() {
    let workshop = Workshop::new(1, Tasks::Apart, || Duration::ZERO).await;
    let home = Home::shipped();
    let manifest = PluginManifest::read(&root().join("plugins/implementer/plugin.toml")).expect("a manifest");
    home.pin(&PluginManifest { name: "zealous".to_owned(), ..manifest }, &changed_implementer());
    let app = home.app(&workshop.server.url).await;
    let (own, other) = (begin(&app, "parts").await, begin(&app, "parts").await);
    let used = atelier_beside(&home, &workshop.server.url, &["plugin", "use", "zealous", "--project", &own.id]).await;
    assert_eq!(used.code, Some(0), "{}", used.err);
    let by = async |project: &Project| {
        let done = app.orchestrator.advance(approve(&app, project).await).await.expect("it goes on");
        implementers(&app, &done).await[0].0.clone()
    };
    assert_eq!((by(&own).await.as_str(), by(&other).await.as_str()), ("zealous", "implementer"));
    let used = atelier_beside(&home, &workshop.server.url, &["plugin", "use", "zealous", "--user", "local"]).await;
    assert_eq!(used.code, Some(0), "{}", used.err);
    assert_eq!(by(&begin(&app, "parts").await).await, "zealous");
    for (words, told) in [
        (&["zealous", "--project", "none"][..], "no project `none`"),
        (&["zealous", "--user", "4711"], "nobody with the number 4711"),
        (&["zealous", "--user", "somebody"], "neither `local` nor a number"),
        (&["indexer", "--user", "local"], "architect or implementer"),
        (&["zealous", "--user", "local", "--project", "x"], "cannot be used with"),
    ] {
        let refused = atelier_beside(&home, &workshop.server.url, &[&["plugin", "use"], words].concat()).await;
        assert!(refused.code != Some(0) && refused.err.contains(told), "{words:?}: {refused:?}");
    }
    assert!(read(&home.data().join("plugins.toml")).contains("[[choice]]"));
}
