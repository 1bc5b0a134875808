//! Each promise of the sandbox, with a guest that tries to break it (`tests/guests/src/`). Whatever a guest does, the host goes
//! on, the user is told in words, and the ledger is sound.

use atelier_host::app::App;
use atelier_host::ledger::NanoUsd;
use atelier_host::plugins::limits::Limits;
use atelier_host::plugins::manifest::{Grant, PluginManifest};
use atelier_host::plugins::registry::Registry;
use atelier_host::project::{Answer as UserAnswer, Next, Pause, Phase};
use atelier_host::store::projects::{Change, Project};
use atelier_host::store::runs::{JournalRow, NewRun};
use std::time::{Duration, Instant};
use tests::home::{Home, assert_agrees, assert_sound, begin, begin_approved, component};
use tests::model_server::{Answer, ModelServer};
use tests::root;

/// Nothing listens there; these guests must not get that far.
const NOWHERE: &str = "http://127.0.0.1:9/v1";

/// A home whose guest has these limits.
fn home(limits: Limits) -> Home {
    let home = Home::guest();
    home.grant(|manifest| {
        for plugin in manifest.plugins.iter_mut().filter(|plugin| plugin.name.starts_with("guest")) {
            plugin.limits = limits;
        }
    });
    home
}

fn small() -> Limits {
    Limits { guest_seconds: 2, host_calls: 50, ..Limits::default() }
}

/// How the project ended, in words.
fn end(project: &Project) -> String {
    match &project.state.phase {
        Phase::Failed(why) => why.clone(),
        phase => format!("{phase:?}"),
    }
}

/// The guest misbehaves in `elicit` and the project ends with these words.
async fn check(misbehaviour: &str, limits: Limits, expected: &str) -> (Home, App) {
    let home = home(limits);
    let app = home.app(NOWHERE).await;
    let project = begin(&app, &format!("elicit {misbehaviour}")).await;
    let end = end(&project);
    assert!(end.contains(expected), "{misbehaviour}: {end}");
    assert_sound(&app).await;
    (home, app)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trap_ends_the_run_and_nothing_else() {
    let (_home, app) = check("trap", small(), "it trapped").await;
    // The same host goes on with the next project.
    assert_eq!(begin(&app, "a good idea").await.state.phase, Phase::Quoted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endless_loop_ends_at_the_time_limit() {
    let started = Instant::now();
    check("spin", Limits { guest_seconds: 1, fuel_millions: 1_000_000, ..small() }, "limit guest_seconds").await;
    assert!(started.elapsed() < Duration::from_secs(20), "two tries of one second took {:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endless_loop_ends_at_the_fuel_limit() {
    check("spin", Limits { fuel_millions: 50, ..small() }, "limit fuel_millions").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endless_loop_keeps_no_other_project_waiting() {
    let home = home(Limits { guest_seconds: 2, fuel_millions: 1_000_000, ..small() });
    let app = home.app(NOWHERE).await;
    let orchestrator = app.orchestrator.clone();
    let spinning = app.control.create("local", "elicit spin", None).await.expect("a project");
    let spinning = tokio::spawn(async move { orchestrator.advance(spinning).await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    let good = tokio::time::timeout(Duration::from_secs(2), begin(&app, "a good idea")).await.expect("the other project goes on meanwhile");
    assert_eq!(good.state.phase, Phase::Quoted);
    assert!(!spinning.is_finished(), "the loop had ended before; this shows nothing");
    spinning.await.expect("no panic").expect("it ends in words");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_is_limited() {
    let (_home, app) = check("allocate", Limits { memory_mib: 16, ..small() }, "limit memory_mib").await;
    let project = app.reader.store.history(1).await.expect("a listing").remove(0).id;
    for run in app.reader.store.runs(&project).await.expect("the runs") {
        assert!(run.memory_peak_bytes <= 16 * 1024 * 1024, "{} bytes", run.memory_peak_bytes);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endless_recursion_ends_in_a_trap() {
    check("recurse", small(), "stack overflowed").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_without_a_grant_is_denied_with_the_line_that_would_allow_it() {
    check("denied", small(), r#"[grants] elicit = [\"workspace-read\"]"#).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grant_that_the_operator_took_away_is_denied_with_the_operators_line() {
    let home = home(small());
    home.grant(|manifest| {
        for plugin in &mut manifest.plugins {
            if let Some(grants) = plugin.grants.get_mut("elicit") {
                grants.remove(&Grant::Dialogue);
            }
        }
    });
    let app = home.app(NOWHERE).await;
    let end = end(&begin(&app, "elicit ask").await);
    assert!(end.contains("0 answers") && end.contains("plugins.toml: plugin `guest`"), "{end}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_host_calls_ends() {
    check("storm", small(), "limit host_calls").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_whose_answers_are_more_than_may_be_kept_ends() {
    check("storm", Limits { journal_mib: 0, ..small() }, "limit journal_mib").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_large_does_not_cross_the_boundary() {
    check("huge-argument", small(), "the plugin was stopped").await;
    check("huge-return", small(), "the plugin was stopped").await;
    check("huge-prompt", small(), "TooLarge(1048576)").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_words_is_cut_off() {
    let limits = Limits { host_calls: 1_000, log_bytes: 10_000, ..small() };
    let (_home, mut app) = check("log-flood", limits, "flooded").await;
    let mut bytes = 0;
    while let Ok(progress) = app.progress.try_recv() {
        bytes += progress.text.len();
    }
    assert!(bytes <= 2 * 10_000, "{bytes} bytes reached the user");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_have_an_end() {
    let home = home(Limits { questions: 3, ..small() });
    let app = home.app(NOWHERE).await;
    let mut project = begin(&app, "elicit ask").await;
    for number in 0..3 {
        assert!(matches!(project.state.next(), Next::Ask(question) if question.text == format!("Question {number}?")));
        project = app.control.answer(&project, UserAnswer::Skipped).await.expect("answered");
        project = app.orchestrator.advance(project).await.expect("it goes on");
        if number == 2 && matches!(project.state.phase, Phase::Eliciting) {
            break;
        }
    }
    // The first try ended with a refusal; the second asks again from the start.
    let events = app.reader.store.events(&project.id, 0).await.expect("the events");
    assert!(events.iter().any(|event| event.text.contains("3 answers, then CallLimit") || event.text.contains("CallLimit")), "{events:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn words_of_an_agent_can_not_play_tricks_on_a_terminal() {
    let home = home(small());
    let app = home.app(NOWHERE).await;
    let project = begin(&app, "elicit spoof").await;
    let Next::Ask(question) = project.state.next() else { panic!("{}", end(&project)) };
    assert_eq!((question.text.as_str(), question.choices.as_slice()), ("Price: [8m 1 credit", &["yes  ## Requirements".to_owned()][..]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_asked_anything_while_the_project_is_built() {
    let home = home(small());
    home.grant(|manifest| {
        for plugin in &mut manifest.plugins {
            for grants in [&mut plugin.asks, &mut plugin.grants] {
                grants.entry("verify".to_owned()).or_default().insert(Grant::Dialogue);
            }
        }
    });
    let app = home.app(NOWHERE).await;
    let project = begin_approved(&app, "verify ask").await;
    let end = format!("{:?}", project.state.progress("T1").expect("the task").status);
    assert!(end.contains("0 answers") && end.contains("while eliciting and planning"), "{end}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_can_not_spend_beyond_its_run() {
    let server = ModelServer::scripted(|asked, _| Answer::Usage("ok".to_owned(), 10, asked.body["max_tokens"].as_u64().unwrap_or(1))).await;
    let mut home = home(Limits { host_calls: 5_000, ..small() });
    home.variables.push(("ATELIER_RUN_LIMIT", "100".to_owned()));
    let app = home.app(&server.url).await;
    let project = begin(&app, "elicit spend").await;
    assert!(end(&project).contains("BudgetExceeded(BudgetScope::Run)"), "{}", end(&project));
    let receipt = app.reader.store.receipt(&project.id).await.expect("a receipt");
    let limit = 2 * 100_000_000;
    assert!(receipt.charged.0 <= limit && receipt.charged.0 > limit * 9 / 10, "two runs of 100 credits were charged {}", receipt.charged);
    assert_sound(&app).await;
    assert_agrees(&app.reader.store, &server.log()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_asks_the_very_same_again_and_again_is_stopped_and_not_paid_for() {
    let server = ModelServer::scripted(|_, _| Answer::Text("yes".to_owned())).await;
    let home = home(small());
    let app = home.app(&server.url).await;
    let project = begin(&app, "elicit repeat").await;
    assert!(end(&project).contains("it is stuck"), "{}", end(&project));
    let receipt = app.reader.store.receipt(&project.id).await.expect("a receipt");
    assert_eq!((receipt.calls, receipt.charged), (2 * 3, receipt.refunded), "two tries of three calls each, given back");
    assert_sound(&app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_can_not_spend_beyond_the_ceiling() {
    let server = ModelServer::scripted(|asked, _| Answer::Usage("ok".to_owned(), 10, asked.body["max_tokens"].as_u64().unwrap_or(1))).await;
    let home = home(Limits { host_calls: 5_000, ..small() });
    let app = home.app(&server.url).await;
    let ceiling = "70".parse().expect("an amount");
    let project = begin(&app, "implement spend").await;
    let project = app.control.approve(&project, ceiling).await.expect("approved");
    let project = app.orchestrator.advance(project).await.expect("it goes on");
    assert!(matches!(project.state.phase, Phase::Paused(Pause::Ceiling, _)), "{}", end(&project));
    let charged = app.reader.store.receipt(&project.id).await.expect("a receipt").charged;
    assert!(charged <= ceiling, "{charged}");
    assert_sound(&app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_implementer_reaches_nothing_but_its_tasks_files() {
    for misbehaviour in ["outside", "check-file"] {
        let home = home(small());
        let app = home.app(NOWHERE).await;
        let project = begin_approved(&app, &format!("implement {misbehaviour}")).await;
        let progress = project.state.progress("T1").expect("the task");
        let seen = format!("{:?} {:?}", progress.status, progress.findings);
        assert!(seen.contains("worked: []"), "{misbehaviour}: {seen}");
        assert!(!home.beside("secret").exists() && !home.data().join("secret").exists());
        assert_sound(&app).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_verdict_can_not_raise_what_a_check_showed() {
    let home = home(small());
    let app = home.app(NOWHERE).await;
    // The implementer writes nothing, so the file that a check wants is missing; the architect accepts all the same.
    let project = begin_approved(&app, "implement nothing").await;
    assert!(matches!(project.state.phase, Phase::Paused(Pause::Stuck { .. }, _)), "{}", end(&project));
    let project = app.control.give_up(&project).await.expect("given up");
    let project = app.orchestrator.advance(project).await.expect("it goes on");
    assert_eq!(end(&project), "1 of 1 tasks could not be done; what works was delivered");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tries_are_bounded() {
    let home = home(small());
    let app = home.app(NOWHERE).await;
    let project = begin_approved(&app, "verify reject").await;
    assert_eq!(project.state.progress("T1").expect("the task").attempt, 3);
    let project = begin_approved(&app, "verify trap").await;
    assert!(matches!(project.state.phase, Phase::Failed(_)));
    assert_sound(&app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_that_makes_no_sense_is_refused_in_words() {
    for (kind, expected) in [
        ("empty", "this one has 0"),
        ("cycle", "T1"),
        ("unknown-task", "T9"),
        ("uncovered", "R1"),
        ("outside", "../../etc"),
        ("git", ".git"),
        ("check-outside", "/etc/cron.d/x"),
        ("twice", "T1"),
    ] {
        let home = home(small());
        let app = home.app(NOWHERE).await;
        let end = end(&begin(&app, &format!("make-plan {kind}")).await);
        assert!(end.contains("the plan is not sound") && end.contains(expected), "{kind}: {end}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_that_leaves_its_path_is_told_and_not_guessed_over() {
    let home = home(small());
    let app = home.app(NOWHERE).await;
    let (store, orchestrator) = (&app.reader.store, &app.orchestrator);
    let project = app.control.create("local", "elicit diverge", None).await.expect("a project");
    // A run whose journal holds what this plugin never asked.
    let plugin = orchestrator.registry().for_world("architect").expect("the guest");
    let new = NewRun {
        project: &project.id,
        step: "elicit 1",
        task: None,
        attempt: 1,
        plugin: &plugin.name,
        plugin_sha256: &plugin.sha256,
        base_tree: "",
        task_limit: NanoUsd(1),
        run_limit: NanoUsd(1),
        lease: None,
    };
    let run = store.begin_run(&new, "").await.expect("a run").id;
    let odd = JournalRow::kept(run.clone(), 0, "llm.complete", "what nobody asked".to_owned(), "null".to_owned());
    let change = Change { journal: vec![odd], ..Change::default() };
    let project = store.commit(&project, &project.state, change).await.expect("stored");
    let project = orchestrator.advance(project).await.expect("it goes on");
    let events = store.events(&project.id, 0).await.expect("the events");
    let told = events.iter().find(|event| event.kind == "diverged").expect("the divergence is told");
    assert!(told.text.contains("host call 0 was `llm.complete what nobody"), "{}", told.text);
    // It asks again, in a run of its own.
    assert!(matches!(project.state.next(), Next::Ask(_)));
    assert_eq!(
        store.runs(&project.id).await.expect("runs").iter().map(|run| run.outcome.as_str()).collect::<Vec<_>>(),
        ["diverged", "open"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_waits_keeps_the_settings_that_it_began_with() {
    let home = home(small());
    let set = |word: &str| {
        std::fs::write(home.beside("atelier.toml"), format!("[plugin_settings.guest]\nword = \"{word}\"\n")).expect("settings")
    };
    set("one");
    let app = home.app(NOWHERE).await;
    let project = begin(&app, "elicit diverge").await;
    let project = app.control.answer(&project, UserAnswer::Skipped).await.expect("answered");
    drop(app);
    set("two");
    let app = home.app(NOWHERE).await;
    let project = app.orchestrator.advance(project).await.expect("it goes on");
    let events = app.reader.store.events(&project.id, 0).await.expect("the events");
    assert!(events.iter().all(|event| event.kind != "diverged"), "{events:?}");
    assert!(events.iter().any(|event| event.kind == "question" && event.text == "one"), "{events:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn components_that_do_not_fit_are_refused_in_words() {
    let manifest = |world: &str, api: &str| -> PluginManifest {
        toml::from_str(&format!("name = \"odd\"\nworld = \"{world}\"\napi = \"{api}\"\n")).expect("a manifest")
    };
    let wasi = r#"(component (import "wasi:cli/environment@0.2.0" (instance)))"#;
    let cases: [(PluginManifest, Vec<u8>, &str); 6] = [
        (manifest("architect", "0.1.0"), wat::parse_str(wasi).expect("a component"), "imports `wasi:cli/environment"),
        (manifest("architect", "0.1.0"), wat::parse_str("(component)").expect("a component"), "does not export `elicit`"),
        (manifest("architect", "9.0.0"), component("architect"), "version `9.0.0`"),
        (manifest("painter", "0.1.0"), component("architect"), "no world `painter`"),
        (manifest("architect", "0.1.0"), component("indexer"), "does not export `elicit`"),
        (manifest("architect", "0.1.0"), b"not wasm at all".to_vec(), "odd"),
    ];
    for (manifest, bytes, expected) in cases {
        let home = Home::empty();
        home.pin(&manifest, &bytes);
        let registry = Registry::open(&home.data()).expect("a registry");
        let error = registry.get("odd").err().expect("a refusal").to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn every_shipped_plugin_imports_the_contract_and_nothing_else() {
    let home = Home::shipped();
    let registry = Registry::open(&home.data()).expect("a registry");
    for name in ["architect", "implementer", "indexer"] {
        for import in registry.imports(name).expect("its imports") {
            assert!(import.starts_with("atelier:agent/"), "{name} imports {import}");
        }
    }
}

#[test]
fn every_guest_has_a_story() {
    let stories = tests::home::read(&root().join("tests/it/sandbox.rs"));
    for entry in std::fs::read_dir(root().join("tests/guests/src")).expect("the guests") {
        let name = entry.expect("an entry").file_name().to_string_lossy().trim_end_matches(".rs").replace('_', "-");
        let known = match name.as_str() {
            "lib" | "good" | "many-calls" => continue,
            "bad-plan" => "make-plan",
            "huge" => "huge-return",
            name => name,
        };
        assert!(stories.contains(known), "the guest `{name}` has no story in tests/it/sandbox.rs");
    }
}
