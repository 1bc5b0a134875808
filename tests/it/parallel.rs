//! Tasks of one project at one time: what does not wait for each other does not, what does, does, and the result is the same as in turn.

use atelier_host::delivery::Delivery;
use atelier_host::project::Phase;
use std::time::Duration;
use tests::home::{Home, assert_agrees, assert_sound, begin_approved};
use tests::workshop::{Tasks, Workshop};

/// Longer than a task's own work takes, so that answers overlap where nothing keeps them apart.
const THINKING: Duration = Duration::from_millis(150);

struct Built {
    tree: Vec<(String, String)>,
    calls: u64,
    at_one_time: usize,
    events: Vec<(String, String)>,
    commits: usize,
}

async fn build(count: usize, tasks: Tasks, parallel: usize) -> Built {
    let workshop = Workshop::new(count, tasks, || THINKING).await;
    let mut home = Home::shipped();
    home.variables.push(("ATELIER_PARALLEL_TASKS", parallel.to_string()));
    let app = home.app(&workshop.server.url).await;
    let project = begin_approved(&app, "parts").await;
    assert_eq!(project.state.phase, Phase::Delivered, "{:?}", project.state.tasks);
    let store = &app.reader.store;
    let delivery = Delivery::of(store, &project).await.expect("a delivery");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let built = Built {
        tree: delivery.files.iter().map(|(path, file)| (path.to_string(), text(&file.bytes))).collect(),
        calls: store.receipt(&project.id).await.expect("a receipt").calls,
        at_one_time: workshop.at_one_time_max(),
        events: store.events(&project.id, 0).await.expect("events").into_iter().map(|event| (event.kind, event.text)).collect(),
        commits: delivery.commits.len(),
    };
    workshop.server.asked();
    assert_agrees(store, &workshop.server.log()).await;
    assert_sound(&app).await;
    built
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_that_need_nothing_of_each_other_are_worked_on_at_one_time_and_come_out_as_in_turn() {
    let (together, in_turn) = (build(6, Tasks::Apart, 4).await, build(6, Tasks::Apart, 1).await);
    assert!((2..=4).contains(&together.at_one_time), "{} answers at one time", together.at_one_time);
    assert_eq!(in_turn.at_one_time, 1);
    assert_eq!(together.tree, in_turn.tree);
    assert_eq!((together.calls, together.commits), (in_turn.calls, 6), "nothing is asked twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_waits_for_those_it_needs() {
    let chained = build(3, Tasks::Chained, 4).await;
    assert_eq!((chained.at_one_time, chained.commits), (1, 3));
    let diamond = build(5, Tasks::Diamond, 4).await;
    assert!((2..=3).contains(&diamond.at_one_time), "only the three in the middle can be worked on at one time: {}", diamond.at_one_time);
    let accepted = diamond.events.iter().filter(|(kind, _)| kind == "accepted").count();
    assert_eq!((accepted, diamond.commits), (5, 5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_whose_files_another_changed_is_written_again_on_the_new_ones() {
    let together = build(3, Tasks::OneFile, 3).await;
    let in_turn = build(3, Tasks::OneFile, 1).await;
    assert_eq!(together.tree, in_turn.tree, "nobody's work is lost");
    let conflicts: Vec<_> = together.events.iter().filter(|(kind, _)| kind == "conflict").collect();
    assert!(!conflicts.is_empty(), "{:?}", together.events);
    assert!(conflicts.iter().all(|(_, text)| text == "another task changed parts.py meanwhile"), "{conflicts:?}");
    assert!(in_turn.events.iter().all(|(kind, _)| kind != "conflict"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_that_is_cancelled_stops_all_of_its_tasks_and_leaves_nothing_held() {
    let workshop = Workshop::new(6, Tasks::Apart, || Duration::from_secs(2)).await;
    let home = Home::shipped();
    let app = home.app(&workshop.server.url).await;
    let (store, orchestrator) = (app.reader.store.clone(), app.orchestrator.clone());
    let project = tests::home::begin(&app, "parts").await;
    let ceiling = orchestrator.quote(&project).await.expect("a quote").ceiling;
    let project = app.control.approve(&project, ceiling).await.expect("approved");
    let id = project.id.clone();
    let work = tokio::spawn(async move { orchestrator.advance(project).await });
    while workshop.server.asked().len() < 2 + 4 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let began = std::time::Instant::now();
    store.wish(&id, atelier_host::store::projects::Wish::Cancel).await.expect("asked to stop");
    let project = work.await.expect("no panic").expect("it ended");
    assert_eq!(project.state.phase, Phase::Cancelled);
    assert!(began.elapsed() < Duration::from_millis(1_500), "the answers were not waited for: {:?}", began.elapsed());
    assert_eq!(workshop.server.asked().len(), 2 + 4, "nothing more is asked");
    assert_eq!(store.balance("local").await.expect("a balance").held.0, 0);
    assert!(store.runs(&id).await.expect("runs").iter().all(|run| run.outcome != "open"));
    assert_sound(&app).await;
}
