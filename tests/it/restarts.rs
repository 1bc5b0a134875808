//! `kill -9`, and what comes after: the project goes on from its journal and every call is paid once.

use atelier_host::app::Reader;
use std::time::Duration;
use tests::conversation::Conversation;
use tests::home::{Home, assert_agrees, assert_audit};
use tests::model_server::{Answer, ModelServer};
use tests::program::{atelier_beside, start};
use tests::torture::{Work, torture};
use tests::{home::read, root};

fn conversation() -> Vec<String> {
    let text = read(&root().join("tests/conversations/03-a-rejected-try-is-mended.md"));
    Conversation::read(&text).expect("a conversation").texts("model")
}

/// Answers by what is asked, not by number: a call may come twice.
fn answer(asked: &str, replies: &[String], seen: &mut Vec<String>) -> Answer {
    let number = seen.iter().position(|known| known == asked).unwrap_or_else(|| {
        seen.push(asked.to_owned());
        seen.len() - 1
    });
    replies.get(number).map_or(Answer::Status(500), |reply| Answer::Text(reply.clone()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_killed_during_any_model_call_goes_on_and_charges_each_call_once() {
    let replies = conversation();
    let undisturbed = undisturbed_cost(&replies).await;
    for killed_at in 0..replies.len() {
        let script = replies.clone();
        let (began, mut begins) = tokio::sync::mpsc::unbounded_channel();
        let mut seen = Vec::new();
        let server = ModelServer::scripted(move |asked, number| {
            let answer = answer(&asked.text(), &script, &mut seen);
            let _ = began.send(number);
            match number == killed_at {
                true => Answer::Silence,
                false => answer,
            }
        })
        .await;
        let home = Home::shipped();
        let out = home.beside("out");
        let mut child = start(&home, &server.url, &["run", "add two numbers", "--yes", "--out", &out.display().to_string()]);
        while begins.recv().await.expect("the server lives") != killed_at {}
        tokio::time::sleep(Duration::from_millis(30)).await;
        child.kill().expect("kill -9");
        child.wait().expect("it is dead");

        let reader = Reader::open(home.settings(&server.url)).await.expect("the store");
        let project = reader.store.history(1).await.expect("a listing").remove(0).id;
        let ended = atelier_beside(&home, &server.url, &["resume", &project, "--yes", "--out", &out.display().to_string()]).await;
        assert_eq!(ended.code, Some(0), "killed at call {killed_at}: {}", ended.err);
        assert!(ended.err.contains("1 model calls of a process that died were released"), "{}", ended.err);
        assert!(out.join("repository").exists() && out.join("project.zip").exists());
        let receipt = reader.store.receipt(&project).await.expect("a receipt");
        assert_eq!((receipt.calls, receipt.lost_calls), (replies.len() as u64, 1), "killed at call {killed_at}");
        assert_eq!(receipt.charged, undisturbed, "killed at call {killed_at}: charged other than an undisturbed run");
        assert_audit(&reader.store, &[]).await;
        let comparison = assert_agrees(&reader.store, &server.log()).await;
        assert_eq!(comparison.served, replies.len() + 1);
    }
}

async fn undisturbed_cost(replies: &[String]) -> atelier_host::ledger::NanoUsd {
    let server = ModelServer::answering(replies.iter().cloned().map(Answer::Text)).await;
    let home = Home::shipped();
    let out = home.beside("out").display().to_string();
    let ended = atelier_beside(&home, &server.url, &["run", "add two numbers", "--yes", "--out", &out]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let reader = Reader::open(home.settings(&server.url)).await.expect("the store");
    let project = reader.store.history(1).await.expect("a listing").remove(0).id;
    reader.store.receipt(&project).await.expect("a receipt").charged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_survives_the_process_that_asked_it() {
    let text = read(&root().join("tests/conversations/02-two-answers-say-different-things.md"));
    let replies = Conversation::read(&text).expect("a conversation").texts("model");
    let server = ModelServer::answering(replies.into_iter().map(Answer::Text)).await;
    let home = Home::shipped();
    let out = home.beside("out").display().to_string();
    let ended = atelier_beside(&home, &server.url, &["run", "a tool for my notes", "--out", &out]).await;
    assert_eq!(ended.code, Some(3), "{}", ended.err);
    assert!(ended.err.contains("What should the tool do") && ended.err.contains("--answers FILE"), "{}", ended.err);
    let project = ended.err.split_whitespace().find(|word| word.starts_with('p') && word.len() == 12).expect("an id").trim_end_matches('.');
    std::fs::write(home.beside("answers"), "count words\n-\n").expect("the answers");
    let answers = home.beside("answers").display().to_string();
    let ended = atelier_beside(&home, &server.url, &["resume", project, "--answers", &answers, "--yes", "--out", &out]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert_eq!(server.asked().len(), 5, "a replay makes no model call twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ctrl_c_waits_for_the_call_under_way_and_the_project_goes_on_later() {
    let replies = conversation();
    let undisturbed = undisturbed_cost(&replies).await;
    for twice in [false, true] {
        let script = replies.clone();
        let mut seen = Vec::new();
        let server = ModelServer::scripted(move |asked, number| {
            let answer = answer(&asked.text(), &script, &mut seen);
            match (number, twice) {
                // It has begun to answer.
                (1, true) => Answer::Stall("design: a beginning".to_owned()),
                (1, false) => Answer::Slow(Duration::from_millis(1_500), Box::new(answer)),
                _ => answer,
            }
        })
        .await;
        let home = Home::shipped();
        let out = home.beside("out").display().to_string();
        let mut child = start(&home, &server.url, &["run", "add two numbers", "--yes", "--out", &out]);
        while server.asked().len() < 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        for _ in 0..=usize::from(twice) {
            let sent = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs");
            assert!(sent.success());
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        let status = tokio::task::spawn_blocking(move || child.wait()).await.expect("a thread").expect("it ends");
        assert_eq!(status.code(), Some(3), "the project waits");
        let reader = Reader::open(home.settings(&server.url)).await.expect("the store");
        let project = reader.store.history(1).await.expect("a listing").remove(0).id;
        let ended = atelier_beside(&home, &server.url, &["resume", &project, "--yes", "--out", &out]).await;
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        let receipt = reader.store.receipt(&project).await.expect("a receipt");
        assert_eq!((receipt.charged, receipt.lost_calls), (undisturbed, u64::from(twice)));
        assert_audit(&reader.store, &[]).await;
        assert_agrees(&reader.store, &server.log()).await;
    }
}

/// A place on the path of a call, the answers before the ordinary one, and what a process that ends there leaves behind.
struct Place {
    name: &'static str,
    first: &'static [Answer],
    /// The open hold's state after the crash.
    open: Option<&'static str>,
    /// Whether the house pays for a call that is made again.
    lost: u64,
    /// Requests that reached the provider beyond those of an undisturbed run.
    more_requests: usize,
}

/// Every arrow of the path, each with its outcome.
const PLACES: &[Place] = &[
    Place { name: "before hold", first: &[], open: None, lost: 0, more_requests: 0 },
    Place { name: "held", first: &[], open: Some("dispatched"), lost: 1, more_requests: 0 },
    Place { name: "answered", first: &[], open: Some("dispatched"), lost: 1, more_requests: 1 },
    Place { name: "before settle", first: &[], open: Some("dispatched"), lost: 1, more_requests: 1 },
    Place { name: "settled", first: &[], open: None, lost: 0, more_requests: 0 },
    Place { name: "not accepted", first: &[Answer::Status(503)], open: Some("reserved"), lost: 0, more_requests: 1 },
    Place { name: "before void", first: &[Answer::Status(500)], open: Some("reserved"), lost: 0, more_requests: 1 },
    Place { name: "before lose", first: &[Answer::Garbage], open: Some("dispatched"), lost: 1, more_requests: 1 },
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_ends_at_any_place_of_a_call_leaves_what_the_table_says() {
    let replies = conversation();
    let undisturbed = undisturbed_cost(&replies).await;
    for place in PLACES {
        let (script, mut seen) = (replies.clone(), Vec::new());
        let mut first = place.first.iter();
        let server = ModelServer::scripted(move |asked, _| match first.next() {
            Some(bad) => bad.clone(),
            None => answer(&asked.text(), &script, &mut seen),
        })
        .await;
        let mut home = Home::shipped();
        let out = home.beside("out").display().to_string();
        home.variables.push(("ATELIER_FAILPOINT", place.name.to_owned()));
        let ended = atelier_beside(&home, &server.url, &["run", "add two numbers", "--yes", "--out", &out]).await;
        assert_eq!(ended.code, None, "{}: the process did not end there: {}", place.name, ended.err);
        home.variables.clear();

        let reader = Reader::open(home.settings(&server.url)).await.expect("the store");
        let counts = reader.store.call_counts().await.expect("counts");
        let open = counts.iter().find(|count| matches!(count.state.as_str(), "reserved" | "dispatched")).map(|count| count.state.as_str());
        assert_eq!(open, place.open, "{}", place.name);
        let project = reader.store.history(1).await.expect("a listing").remove(0).id;
        let ended = atelier_beside(&home, &server.url, &["resume", &project, "--yes", "--out", &out]).await;
        assert_eq!(ended.code, Some(0), "{}: {}", place.name, ended.err);
        let receipt = reader.store.receipt(&project).await.expect("a receipt");
        assert_eq!((receipt.charged, receipt.lost_calls), (undisturbed, place.lost), "{}", place.name);
        assert_eq!(server.asked().len(), replies.len() + place.more_requests, "{}", place.name);
        assert_audit(&reader.store, &[]).await;
        assert_agrees(&reader.store, &server.log()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_few_kills_at_random_instants_lose_double_and_overshoot_nothing() {
    for (work, kills) in [(Work::OneTask, 8), (Work::ManyTasks, 6)] {
        let figures = torture(work, kills, 7, |_| {}).await.expect("every project comes out");
        assert_eq!((figures.lost, figures.doubled, figures.overshoot), (0, 0, 0), "{work:?}: {figures:?}");
        assert!(figures.kills == kills && figures.projects > 0, "{work:?}: {figures:?}");
    }
}
