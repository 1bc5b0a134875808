//! Steps and the workers that take them: each is done once, by whoever has it; whoever slept through its turn changes nothing any more;
//! no user waits for all of another's work.

use crate::ledger::World;
use atelier_host::app::{App, Reader};
use atelier_host::ledger::NanoUsd;
use atelier_host::orchestrator::Orchestrator;
use atelier_host::plugins::manifest::PluginManifest;
use atelier_host::project::{Pause, Phase, State};
use atelier_host::store::projects::Change;
use atelier_host::store::runs::NewRun;
use atelier_host::store::steps::{Lease, Standing};
use atelier_host::store::{Policy, Store, StoreError};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use tests::database::{Cluster, cluster, store};
use tests::home::{Home, assert_agrees, assert_audit, assert_sound, begin_working, component};
use tests::program::{Worker, atelier_beside};
use tests::root;
use tests::workshop::{Tasks, Workshop};

/// A store with a lease of a tenth of a second, in which two workers are known.
async fn impatient(directory: &std::path::Path) -> Store {
    let store = store(directory).await.under(Policy { lease_ms: 100, parallel_tasks: 1, ..Policy::default() });
    store.open_wallet("local", NanoUsd(1_000)).await.expect("a wallet");
    for boot in ["one", "two"] {
        store.register_boot(boot).await.expect("a boot");
    }
    store
}

async fn project_of(store: &Store, wallet: &str, id: &str) {
    store.open_wallet(wallet, NanoUsd(1_000)).await.expect("a wallet");
    store.create_project(id, wallet, &State::new("an idea"), NanoUsd(1_000)).await.expect("a project");
}

async fn claim(store: &Store, boot: &str) -> Option<Lease> {
    store.claim(boot, None, 1).await.expect("asked").pop()
}

fn run_of(lease: &Lease) -> NewRun<'_> {
    NewRun {
        project: &lease.project,
        step: &lease.step,
        task: None,
        attempt: 1,
        plugin: "a plugin",
        plugin_sha256: "0",
        base_tree: "",
        task_limit: NanoUsd(1),
        run_limit: NanoUsd(1),
        lease: Some(lease),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_is_one_workers_until_its_lease_ends_and_signs_of_life_keep_it() {
    let directory = tempfile::tempdir().expect("a folder");
    let store = impatient(directory.path()).await;
    project_of(&store, "local", "p1").await;
    let first = claim(&store, "one").await.expect("there is a step");
    assert_eq!((first.project.as_str(), first.step.as_str()), ("p1", "elicit 1"));
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(60)).await;
        store.renew(&[&first]).await.expect("a sign of life");
        assert_eq!(claim(&store, "two").await, None, "it is taken");
    }
    tokio::time::sleep(Duration::from_millis(150)).await;
    let second = claim(&store, "two").await.expect("the lease ended");
    assert_eq!(store.standing(&first).await.expect("looked"), Standing::Taken);
    store.renew(&[&first]).await.expect("a sign of life");
    assert_eq!(store.standing(&second).await.expect("looked"), Standing::Held, "who lost it can't keep it alive");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_slept_through_its_lease_changes_nothing_any_more() {
    let directory = tempfile::tempdir().expect("a folder");
    let mut world = World::new(directory.path()).await;
    world.store = world.store.clone().under(Policy { lease_ms: 100, ..Policy::default() });
    let store = world.store.clone();
    store.register_boot("two").await.expect("a boot");
    let sleeper = claim(&store, "boot0").await.expect("there is a step");
    let run = store.begin_run(&NewRun { run_limit: NanoUsd(1_000_000), ..run_of(&sleeper) }, "").await.expect("a run");
    let ask = world.ask(&run.id, 10, 10);
    assert!(matches!(store.reserve("boot0", Some(&sleeper), &ask).await.expect("asked"), atelier_host::ledger::Reserved::Held { .. }));
    tokio::time::sleep(Duration::from_millis(150)).await;
    let successor = claim(&store, "two").await.expect("the lease ended");

    let lost = |error: StoreError| assert!(matches!(error, StoreError::LeaseLost(_)), "{error}");
    lost(store.reserve("boot0", Some(&sleeper), &ask).await.expect_err("no call begins"));
    lost(store.begin_run(&run_of(&sleeper), "").await.expect_err("no run begins"));
    lost(store.resume_run(&sleeper, |_| true).await.expect_err("none goes on"));
    let project = store.project(&sleeper.project).await.expect("a project");
    let (version, state) = (project.version, State { idea: "of the sleeper".to_owned(), ..project.state.clone() });
    let change = Change { lease: Some(sleeper.clone()), event: Some(("brief", "of the sleeper".to_owned())), ..Change::default() };
    lost(store.commit(&project, &state, change).await.expect_err("nothing is stored"));
    store.hand_back(&sleeper, false).await.expect("it is not the sleeper's to give");
    let now = store.project(&sleeper.project).await.expect("a project");
    assert_eq!((now.version, now.state.idea.as_str()), (version, project.state.idea.as_str()));
    assert_eq!(store.standing(&successor).await.expect("looked"), Standing::Held);

    // The call that the sleeper left open is the house's, and its answer, should it still come, is refused.
    let (again, journal) = store.resume_run(&successor, |_| true).await.expect("it goes on").expect("there is a run");
    assert_eq!((again.id.as_str(), again.incarnations, journal.len()), (run.id.as_str(), 2, 0));
    let counts = store.call_counts().await.expect("counts");
    assert!(counts.iter().any(|count| count.state == "lost") && counts.iter().all(|count| count.state != "dispatched"), "{counts:?}");
    assert_audit(&store, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_one_project_does_not_wait_for_all_of_another_users() {
    let directory = tempfile::tempdir().expect("a folder");
    let store = impatient(directory.path()).await.under(Policy::default());
    for number in 0..40 {
        project_of(&store, "many", &format!("m{number}")).await;
    }
    let served: Vec<Lease> = store.claim("one", None, 4).await.expect("steps");
    assert!(served.iter().all(|lease| lease.project.starts_with('m')));
    for (wallet, project) in [("single", "s"), ("other", "o")] {
        project_of(&store, wallet, project).await;
    }
    let next: BTreeSet<String> = store.claim("two", None, 3).await.expect("steps").into_iter().map(|lease| lease.project).collect();
    assert!(next.contains("s") && next.contains("o"), "each waits for one step of the other, not for forty: {next:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_that_meets_a_fault_is_tried_again_later_and_others_go_on() {
    let directory = tempfile::tempdir().expect("a folder");
    let store = impatient(directory.path()).await;
    project_of(&store, "local", "p1").await;
    let lease = claim(&store, "one").await.expect("a step");
    store.hand_back(&lease, true).await.expect("given back");
    project_of(&store, "local", "p2").await;
    assert_eq!(claim(&store, "one").await.expect("the other step").project, "p2");
    assert_eq!(claim(&store, "one").await, None, "not yet");
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let again: Vec<Lease> = store.claim("one", None, 2).await.expect("steps");
    let lease = again.iter().find(|lease| lease.project == "p1").expect("after a second");
    assert_eq!(lease.faults, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_that_waits_has_no_step_and_one_that_goes_on_has_it_again() {
    let directory = tempfile::tempdir().expect("a folder");
    let store = impatient(directory.path()).await;
    project_of(&store, "local", "p1").await;
    let project = store.project("p1").await.expect("a project");
    let paused = State { phase: Phase::Paused(Pause::User, Box::new(Phase::Eliciting)), ..project.state.clone() };
    let project = store.commit(&project, &paused, Change::default()).await.expect("stored");
    assert_eq!((claim(&store, "one").await, store.queue().await.expect("looked").waiting), (None, 0));
    let project = store.commit(&project, &State::new("an idea"), Change::default()).await.expect("stored");
    let lease = claim(&store, "one").await.expect("it is there again");
    // One that is paused while a step is under way keeps that step's result.
    let project = store.commit(&project, &paused, Change::default()).await.expect("stored");
    assert_eq!(store.standing(&lease).await.expect("looked"), Standing::Held);
    // One that ends has no use for it.
    let over = State { phase: Phase::Cancelled, ..paused };
    store.commit(&project, &over, Change::default()).await.expect("stored");
    assert_eq!(store.standing(&lease).await.expect("looked"), Standing::Gone);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_is_told_how_long_it_is_and_nothing_is_begun() {
    let mut home = Home::shipped();
    home.variables.push(("ATELIER_QUEUE_MAX", "2".to_owned()));
    let app = home.app("http://127.0.0.1:9/v1").await;
    for _ in 0..2 {
        app.control.create("local", "an idea", None).await.expect("there is room");
    }
    let error = app.control.create("local", "one too many", None).await.expect_err("there is none").to_string();
    assert!(error.contains("2 steps wait for a worker") && error.contains("Try again later"), "{error}");
    assert_eq!(app.reader.store.history(10).await.expect("a listing").len(), 2);
}

/// Approves a plan as soon as it is there, and waits until the project is over.
async fn see_it_through(reader: &Reader, orchestrator: &Orchestrator, project: &str) -> Phase {
    let began = Instant::now();
    loop {
        let project = reader.store.project(project).await.expect("a project");
        if project.state.phase == Phase::Quoted {
            let ceiling = orchestrator.quote(&project).await.expect("a quote").ceiling;
            orchestrator.control.approve(&project, ceiling).await.expect("approved");
        } else if project.state.is_over() {
            return project.state.phase;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "nothing moves: {:?}", project.state);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_serving_process_builds_what_others_begin_and_a_person_can_look_on() {
    let workshop = Workshop::new(3, Tasks::Apart, || Duration::from_millis(20)).await;
    let home = Home::shipped();
    home.environment(&workshop.server.url);
    let worker = Worker::start(&home, &workshop.server.url);
    let reader = Reader::open(home.settings(&workshop.server.url)).await.expect("the store");
    tests::until(async || !reader.store.workers().await.expect("looked").is_empty()).await;
    let out = home.beside("out").display().to_string();
    let ended = atelier_beside(&home, &workshop.server.url, &["run", "parts", "--yes", "--out", &out]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let shown = atelier_beside(&home, &workshop.server.url, &["workers"]).await;
    assert!(shown.out.contains("0 steps wait") && shown.out.contains("of 32 slots"), "{}", shown.out);
    assert_eq!(worker.stop().await, Some(0), "it stops as asked");
    assert!(reader.store.workers().await.expect("looked").is_empty());
    assert_audit(&reader.store, &[]).await;
    workshop.server.asked();
    assert_agrees(&reader.store, &workshop.server.log()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_told_to_stop_hands_over_and_no_call_is_made_twice() {
    let workshop = Workshop::new(4, Tasks::Apart, || Duration::from_millis(300)).await;
    let home = Home::shipped();
    home.environment(&workshop.server.url);
    let first = Worker::start(&home, &workshop.server.url);
    let reader = Reader::open(home.settings(&workshop.server.url)).await.expect("the store");
    let orchestrator = reader.orchestrator("a person", None).await.expect("the pieces");
    let project = orchestrator.control.create("local", "parts", None).await.expect("a project").id;
    let watching = see_it_through(&reader, &orchestrator, &project);
    let upgrading = async {
        // In the middle of the tasks' first calls.
        tests::until(async || workshop.server.asked().len() >= 4).await;
        assert_eq!(first.stop().await, Some(0));
        assert!(!reader.store.project(&project).await.expect("a project").state.is_over(), "there is something left to do");
        Worker::start(&home, &workshop.server.url)
    };
    let (phase, second) = tokio::join!(watching, upgrading);
    assert_eq!(second.stop().await, Some(0));
    assert_eq!(phase, Phase::Delivered);
    let receipt = reader.store.receipt(&project).await.expect("a receipt");
    assert_eq!((receipt.calls, receipt.lost_calls), (2 + 4 * 2, 0), "each call is made once");
    assert_audit(&reader.store, &[]).await;
    assert_agrees(&reader.store, &workshop.server.log()).await;
}

/// What only several processes of one database can show is shown on a server, whatever the other stories run on.
fn on_a_server() -> (Home, (&'static str, String)) {
    let mut home = Home::shipped();
    let url = ("ATELIER_DATABASE_URL", cluster().create());
    home.variables.push(url.clone());
    (home, url)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_hangs_loses_its_steps_and_what_it_does_when_it_wakes_counts_for_nothing() {
    let workshop = Workshop::new(2, Tasks::Apart, || Duration::from_millis(400)).await;
    let (mut home, _) = on_a_server();
    home.variables.push(("ATELIER_LEASE_S", "2".to_owned()));
    let sleeper = Worker::start(&home, &workshop.server.url);
    let reader = Reader::open(home.settings(&workshop.server.url)).await.expect("the store");
    let orchestrator = reader.orchestrator("a person", None).await.expect("the pieces");
    let project = orchestrator.control.create("local", "parts", None).await.expect("a project").id;
    tests::until(async || !workshop.server.asked().is_empty()).await;
    sleeper.signal("-STOP");
    let other = Worker::start(&home, &workshop.server.url);
    let phase = see_it_through(&reader, &orchestrator, &project).await;
    assert_eq!(phase, Phase::Delivered);
    let before = reader.store.project(&project).await.expect("a project");
    sleeper.signal("-CONT");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let after = reader.store.project(&project).await.expect("a project");
    assert_eq!((after.version, after.state), (before.version, before.state));
    drop((sleeper, other));
    let receipt = reader.store.receipt(&project).await.expect("a receipt");
    assert_eq!((receipt.calls, receipt.lost_calls), (2 + 2 * 2, 1), "the call that nobody waited for is the house's");
    assert_audit(&reader.store, &[]).await;
    assert_agrees(&reader.store, &workshop.server.log()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_whose_session_was_cut_is_seen_as_living_again_and_goes_on() {
    // A cluster of its own: every lock in it is this story's.
    let cluster = Cluster::start(false);
    let workshop = Workshop::new(2, Tasks::Apart, || Duration::from_millis(1_500)).await;
    let mut home = Home::shipped();
    home.variables.push(("ATELIER_DATABASE_URL", cluster.create()));
    let worker = Worker::start(&home, &workshop.server.url);
    let reader = Reader::open(home.settings(&workshop.server.url)).await.expect("the store");
    let orchestrator = reader.orchestrator("a person", None).await.expect("the pieces");
    let project = orchestrator.control.create("local", "parts", None).await.expect("a project").id;
    tests::until(async || !workshop.server.asked().is_empty()).await;
    assert_eq!(cluster.cut_locks(), 1);
    // Longer calls than a look takes: a worker that held itself for dead would never finish one.
    assert_eq!(see_it_through(&reader, &orchestrator, &project).await, Phase::Delivered);
    let receipt = reader.store.receipt(&project).await.expect("a receipt");
    assert!(receipt.calls == 2 + 2 * 2 && receipt.lost_calls <= 1, "{} calls, {} lost", receipt.calls, receipt.lost_calls);
    assert_eq!(worker.stop().await, Some(0));
    assert_audit(&reader.store, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_are_not_what_their_digest_says_are_not_kept() {
    let home = Home::shipped();
    let pins = atelier_host::plugins::lock::Pins::read(&home.data()).expect("the pins");
    let digest = atelier_host::workspace::sha256(b"what was begun with");
    let error = pins.keep("implementer", &digest, b"something else").expect_err("refused").to_string();
    assert!(error.contains("implementer") && error.contains(&digest[..12]), "{error}");
    assert!(pins.bytes("implementer", &digest).is_err(), "nothing is there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_goes_on_with_its_plugin_version_on_a_machine_that_has_another() {
    let workshop = Workshop::new(1, Tasks::Apart, || Duration::from_millis(300)).await;
    let ((home, url), mut elsewhere) = (on_a_server(), Home::shipped());
    elsewhere.variables.push(url);
    let manifest = PluginManifest::read(&root().join("plugins/implementer/plugin.toml")).expect("a manifest");
    elsewhere.pin(&manifest, &crate::replay::changed_implementer());
    let old = atelier_host::workspace::sha256(&component("implementer"));

    let app = home.app(&workshop.server.url).await;
    let (id, work) = begin_working(&app, "parts").await;
    tests::until(async || workshop.server.asked().len() >= 3).await;
    work.abort();
    let _ = work.await;
    app.orchestrator.drain(Duration::from_secs(5)).await;
    drop(app);

    let app: App = elsewhere.app(&workshop.server.url).await;
    let project = app.reader.store.project(&id).await.expect("the same project");
    let project = app.orchestrator.advance(project).await.expect("it goes on");
    assert_eq!(project.state.phase, Phase::Delivered);
    let runs = app.reader.store.runs(&id).await.expect("runs");
    let written: Vec<_> = runs.iter().filter(|run| run.step.starts_with("implement")).collect();
    assert_eq!((written.len(), written[0].plugin_sha256.as_str(), written[0].incarnations), (1, old.as_str(), 2));
    assert_sound(&app).await;
}
