//! The documents of a delivered project: a price first, then they are written, checked with the whole and delivered with it; and whatever
//! goes wrong leaves the project as it was delivered. The plain cases are conversations (19 and 20).

use atelier_host::app::App;
use atelier_host::delivery::Delivery;
use atelier_host::orchestrator::replay::Finding;
use atelier_host::project::{Pause, Phase};
use atelier_host::store::projects::Project;
use std::collections::BTreeMap;
use std::time::Duration;
use tests::home::{Home, approve, assert_agrees, assert_sound, begin_approved};
use tests::model_server::{Answer, Asked, ModelServer};
use tests::program::atelier_beside;
use tests::workshop::{Tasks, answer};

const DOCUMENTS: [&str; 4] = ["docs/design.md", "docs/requirements.md", "docs/test_plan.md", "docs/user_manual.md"];

/// Two documents of the parts, with whatever diagram.
fn prose() -> String {
    let words = "Each part is a function of its own. ".repeat(10);
    let diagram = "```mermaid\nflowchart LR\n  A[\"part_1.py\"] --> B[\"a number\"]\n```";
    format!("design.md\n````markdown\n# Design\n\n{words}\n\n{diagram}\n````\n\nuser_manual.md\n````markdown\n# Manual\n\n{words}\n````\n")
}

fn said(asked: &Asked) -> Option<String> {
    if asked.text().contains("You are a technical writer") { Some(prose()) } else { answer(asked, 2, Tasks::Apart) }
}

/// A model that builds two parts and writes about them; each answer takes so long.
async fn writer(thinking: Duration) -> ModelServer {
    ModelServer::scripted(move |asked, _| {
        let answer = said(asked).map_or(Answer::Status(500), Answer::Text);
        if thinking.is_zero() { answer } else { Answer::Slow(thinking, Box::new(answer)) }
    })
    .await
}

/// A model that builds two parts, and writes nothing about them that is a document.
async fn poet() -> ModelServer {
    ModelServer::scripted(|asked, _| match asked.text().contains("You are a technical writer") {
        true => Answer::Text("I would rather write a poem.".to_owned()),
        false => said(asked).map_or(Answer::Status(500), Answer::Text),
    })
    .await
}

/// Has them written under the ceiling that is proposed, as far as it goes.
async fn document(app: &App, project: &Project) -> Project {
    let quote = app.orchestrator.quote_documents(project).await.expect("a quote").expect("there is a documenter");
    assert!(quote.expected.0 > 0 && quote.low <= quote.expected && quote.expected <= quote.high && quote.high.0 > 0, "{quote:?}");
    assert!(quote.ceiling >= project.state.ceiling.expect("a ceiling"), "what was accepted before is not taken back");
    let project = app.control.document(project, quote.ceiling).await.expect("begun");
    app.orchestrator.advance(project).await.expect("it goes on")
}

async fn paths(app: &App, project: &Project) -> Vec<String> {
    let files = Delivery::of(&app.reader.store, project).await.expect("a delivery").files;
    files.keys().map(|path| path.as_ref().to_owned()).filter(|path| path.starts_with("docs/")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documents_are_delivered_as_a_commit_of_their_own_and_their_run_replays_the_same() {
    let (model, home) = (writer(Duration::ZERO).await, Home::shipped());
    let app = home.app(&model.url).await;
    let delivered = begin_approved(&app, "parts").await;
    let before = Delivery::of(&app.reader.store, &delivered).await.expect("a delivery");
    let project = document(&app, &delivered).await;
    assert_eq!(project.state.phase, Phase::Delivered);
    let after = Delivery::of(&app.reader.store, &project).await.expect("a delivery");
    assert_eq!(paths(&app, &project).await, DOCUMENTS);
    assert_eq!(after.commits.len(), before.commits.len() + 1);
    assert_eq!(after.commits.last().map(|commit| commit.subject.as_str()), Some("Write the documents"));
    assert!(before.files.iter().all(|(path, file)| after.files.get(path) == Some(file)), "nothing else is touched");
    assert!(after.report.plugins.contains_key("documenter"), "the report names who wrote them");
    let runs = app.orchestrator.replay(&project, &BTreeMap::new()).await.expect("a replay");
    assert!(runs.iter().any(|run| run.plugin == "documenter") && runs.iter().all(|run| run.finding == Finding::Same), "{runs:?}");
    // Once more: its own documents are written anew, in the same place.
    let again = document(&app, &project).await;
    assert_eq!(paths(&app, &again).await, DOCUMENTS);
    assert_sound(&app).await;
    assert_agrees(&app.reader.store, &model.log()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documents_that_come_to_nothing_are_given_back_and_said() {
    let (model, home) = (poet().await, Home::shipped());
    let app = home.app(&model.url).await;
    let delivered = begin_approved(&app, "parts").await;
    let spent = app.reader.store.project_budget(&delivered.id).await.expect("a budget").spent;
    let project = document(&app, &delivered).await;
    assert_eq!(project.state.phase, Phase::Delivered);
    assert!(project.state.documents.failed.as_ref().is_some_and(|why| why.contains("design.md")), "{:?}", project.state.documents);
    assert!(paths(&app, &project).await.is_empty());
    let receipt = app.reader.store.receipt(&project.id).await.expect("a receipt");
    assert!(receipt.charged > spent && receipt.charged - receipt.refunded == spent, "what they cost is given back: {receipt:?}");
    assert_sound(&app).await;
    assert_agrees(&app.reader.store, &model.log()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documents_that_failed_once_are_no_word_on_the_next_delivery() {
    let (model, home) = (poet().await, Home::shipped());
    let app = home.app(&model.url).await;
    let project = document(&app, &begin_approved(&app, "parts").await).await;
    assert!(project.state.documents.failed.is_some());
    let project = app.control.change(&project, "part_2() is two.", Some("R2")).await.expect("a change");
    let project = app.orchestrator.advance(project).await.expect("it goes on");
    let project = app.orchestrator.advance(approve(&app, &project).await).await.expect("it goes on");
    assert_eq!((&project.state.phase, &project.state.documents.failed), (&Phase::Delivered, &None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asked_for_documents_that_come_to_nothing_is_told_once() {
    let model = poet().await;
    let (home, url) = (Home::shipped(), model.url.clone());
    let id = {
        let app = home.app(&url).await;
        begin_approved(&app, "parts").await.id
    };
    let ended = atelier_beside(&home, &url, &["document", &id, "--yes"]).await;
    assert_eq!(ended.code, Some(4), "{}{}", ended.out, ended.err);
    assert!(ended.err.contains("The documents could not be written") && ended.err.contains("given back"), "{}", ended.err);
    let out = home.beside("out").display().to_string();
    let ended = atelier_beside(&home, &url, &["resume", &id, "--out", &out]).await;
    assert_eq!(ended.code, Some(0), "the project is delivered as before: {}{}", ended.out, ended.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn going_back_to_before_the_documents_leaves_them_out() {
    let (model, home) = (writer(Duration::ZERO).await, Home::shipped());
    let app = home.app(&model.url).await;
    let project = document(&app, &begin_approved(&app, "parts").await).await;
    let asked = model.asked().len();
    // Two tasks at one time are accepted in either order.
    let snapshots = app.reader.store.snapshots(&project.id).await.expect("snapshots");
    let last = snapshots.iter().rfind(|snapshot| snapshot.task.starts_with('T')).expect("a task").task.clone();
    let project = app.control.roll_back(&project, &last).await.expect("gone back");
    let project = app.control.resume(project, None).await.expect("resumed");
    let project = app.orchestrator.advance(project).await.expect("it goes on");
    assert_eq!((&project.state.phase, paths(&app, &project).await.len()), (&Phase::Delivered, 0));
    assert!(project.state.documents.paths.is_empty(), "nobody is told that there are any");
    assert_eq!(model.asked().len(), asked, "nothing is done again");
    let events = app.reader.store.events(&project.id, 0).await.expect("events");
    assert!(events.iter().any(|event| event.text == format!("back to the files of task {last}, without the documents")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ceiling_that_does_not_cover_them_is_kept_and_can_be_raised() {
    let (model, home) = (writer(Duration::ZERO).await, Home::shipped());
    let app = home.app(&model.url).await;
    let delivered = begin_approved(&app, "parts").await;
    let spent = app.reader.store.project_budget(&delivered.id).await.expect("a budget").spent;
    let project = app.control.document(&delivered, spent).await.expect("begun");
    let project = app.orchestrator.advance(project).await.expect("it goes on");
    assert_eq!(project.state.phase, Phase::Paused(Pause::Ceiling, Box::new(Phase::Documenting)));
    assert!(app.reader.store.project_budget(&project.id).await.expect("a budget").spent <= spent);
    let quote = app.orchestrator.quote_documents(&delivered).await.expect("a quote").expect("a documenter");
    let project = app.control.resume(project, Some(quote.ceiling)).await.expect("resumed");
    let project = app.orchestrator.advance(project).await.expect("it goes on");
    assert_eq!((&project.state.phase, paths(&app, &project).await.len()), (&Phase::Delivered, 4));
    assert_sound(&app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_cancels_the_documents_keeps_the_project() {
    let (model, home) = (writer(Duration::from_millis(400)).await, Home::shipped());
    let app = home.app(&model.url).await;
    let delivered = begin_approved(&app, "parts").await;
    let asked = model.asked().len();
    let project = app.control.document(&delivered, "100".parse().expect("an amount")).await.expect("begun");
    let (orchestrator, id) = (app.orchestrator.clone(), project.id.clone());
    let work = tokio::spawn(async move { orchestrator.advance(project).await });
    while model.asked().len() == asked {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let now = app.reader.store.project(&id).await.expect("the project");
    app.control.cancel(&now).await.expect("asked");
    let project = work.await.expect("no panic").expect("it ended");
    assert_eq!((&project.state.phase, project.cancel_requested), (&Phase::Delivered, false));
    assert!(paths(&app, &project).await.is_empty());
    assert!(app.reader.store.runs(&id).await.expect("runs").iter().all(|run| run.outcome != "open"));
    assert_sound(&app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_price_comes_first_and_nobody_is_charged_for_asking() {
    let (model, home) = (writer(Duration::ZERO).await, Home::shipped());
    let id = {
        let app = home.app(&model.url).await;
        begin_approved(&app, "parts").await.id
    };
    let (asked, url) = (model.asked().len(), model.url.clone());
    let ended = atelier_beside(&home, &url, &["document", &id]).await;
    assert_eq!(ended.code, Some(3), "{}{}", ended.out, ended.err);
    assert!(ended.err.contains("Price of the documents: about") && ended.err.contains("Nothing was begun"), "{}", ended.err);
    assert_eq!(model.asked().len(), asked);
    let out = home.beside("out").display().to_string();
    let ended = atelier_beside(&home, &url, &["document", &id, "--yes", "--out", &out]).await;
    assert_eq!(ended.code, Some(0), "{}{}", ended.out, ended.err);
    assert!(home.beside("out").join("repository").exists());
    let ended = atelier_beside(&home, &url, &["status", &id]).await;
    assert!(ended.out.contains("delivered"), "{}", ended.out);
    home.grant(|manifest| manifest.plugins.retain(|plugin| plugin.world != "documenter"));
    let ended = atelier_beside(&home, &url, &["document", &id]).await;
    assert!(ended.code == Some(2) && ended.err.contains("no plugin is pinned that writes documents"), "{}", ended.err);
}
