//! Of all processes of a store one speaks with people; when it ends, however it ends, another one does.

use crate::telegram::{PATIENCE, said, telegram};
use atelier_host::app::Reader;
use serde_json::json;
use std::time::Duration;
use telegram_double::{Shown, TelegramServer};
use tests::database::{Cluster, cluster};
use tests::home::{Home, assert_audit};
use tests::people::with_button;
use tests::program::{Worker, atelier_beside};
use tests::workshop::{Tasks, Workshop};

/// On a server's database, whatever the other stories are on: a file has one process anyway.
async fn shared(cluster: &Cluster) -> (TelegramServer, Home) {
    let (telegram, mut home) = telegram().await;
    home.variables.push(("ATELIER_DATABASE_URL", cluster.create()));
    (telegram, home)
}

/// Everything of the bot's that is there twice. The status changes, so it is one message anyway.
fn said_twice(shown: &[Shown]) -> Vec<&str> {
    let texts: Vec<&str> =
        shown.iter().filter(|message| message.from_bot && message.document.is_none()).map(|one| one.text.as_str()).collect();
    texts.iter().enumerate().filter(|(at, text)| texts[..*at].contains(text)).map(|(_, text)| *text).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_speaks_need_not_work_and_who_works_need_not_speak() {
    let workshop = Workshop::new(2, Tasks::Apart, || Duration::ZERO).await;
    let (telegram, home) = shared(cluster()).await;
    let ada = telegram.user("Ada");
    let chat = telegram.private_chat(ada);
    telegram.says(chat, ada, "parts");
    let bot = Worker::start_as(&home, &workshop.server.url, "bot");
    telegram.wait_for(chat, |shown| said(shown, "I am thinking about it") == 1, PATIENCE).await;
    let reader = Reader::open(home.settings(&workshop.server.url)).await.expect("the store");
    assert!(reader.store.workers().await.expect("a listing").is_empty(), "it does not count as one that works");
    assert!(workshop.server.asked().is_empty());
    let worker = Worker::start(&home, &workshop.server.url);
    let shown = telegram.wait_for(chat, |shown| with_button(shown, "Approve").is_some(), PATIENCE).await;
    let (plan, approve) = with_button(&shown, "Approve").expect("it is there");
    telegram.presses(chat, ada, plan.message_id, &approve);
    let shown = telegram.wait_for(chat, |shown| said(shown, "is done") == 1, PATIENCE).await;
    assert_eq!((bot.stop().await, worker.stop().await), (Some(0), Some(0)));
    assert_eq!(said_twice(&shown), Vec::<&str>::new());
    assert_audit(&reader.store, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_one_that_speaks_is_killed_the_next_one_goes_on_and_nothing_is_asked_twice() {
    let workshop = Workshop::new(2, Tasks::Apart, || Duration::from_millis(100)).await;
    let (telegram, home) = shared(cluster()).await;
    let ada = telegram.user("Ada");
    let chat = telegram.private_chat(ada);
    let first = Worker::start_with_bot(&home, &workshop.server.url);
    telegram.says(chat, ada, "/start");
    telegram.wait_for(chat, |shown| said(shown, "Tell me your idea") == 1, PATIENCE).await;
    let second = Worker::start_with_bot(&home, &workshop.server.url);
    let third = Worker::start_with_bot(&home, &workshop.server.url);
    telegram.says(chat, ada, "parts");
    let shown = telegram.wait_for(chat, |shown| with_button(shown, "Approve").is_some(), PATIENCE).await;
    // Killed between a send and the note of it, it would be said once more, to be sure.
    let reader = Reader::open(home.settings(&workshop.server.url)).await.expect("the store");
    let is_noted = async || {
        reader.store.posted(chat).await.is_ok_and(|posted| posted.iter().all(|one| !["sending", "waiting"].contains(&one.state.as_str())))
    };
    tests::until(is_noted).await;
    drop(first);
    let (plan, approve) = with_button(&shown, "Approve").expect("it is there");
    telegram.presses(chat, ada, plan.message_id, &approve);
    let shown = telegram.wait_for(chat, |shown| said(shown, "is done") == 1, PATIENCE).await;
    assert_eq!(said_twice(&shown), Vec::<&str>::new());
    assert!(telegram.refused_calls().is_empty(), "nobody polled beside another: {:?}", telegram.refused_calls());
    assert_eq!((second.stop().await, third.stop().await), (Some(0), Some(0)));
    assert_eq!(reader.store.history(10).await.expect("a listing").len(), 1);
    assert_audit(&reader.store, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_loses_the_session_that_the_others_knew_it_by_waits_for_its_turn() {
    let workshop = Workshop::new(1, Tasks::Apart, || Duration::ZERO).await;
    let cluster = Cluster::start(false);
    let (telegram, home) = shared(&cluster).await;
    let ada = telegram.user("Ada");
    let chat = telegram.private_chat(ada);
    let workers = [Worker::start_with_bot(&home, &workshop.server.url), Worker::start_with_bot(&home, &workshop.server.url)];
    for round in 0..3 {
        telegram.says(chat, ada, "/help");
        let shown = telegram.wait_for(chat, |shown| said(shown, "What I can do") == round + 1, PATIENCE).await;
        assert_eq!(shown.len(), 2 * (round + 1));
        assert!(cluster.cut_locks() > 0, "somebody held one");
    }
    for worker in workers {
        assert_eq!(worker.stop().await, Some(0), "it goes on");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poller_of_another_store_is_not_fought_with() {
    let workshop = Workshop::new(1, Tasks::Apart, || Duration::ZERO).await;
    let (telegram, home) = telegram().await;
    let ends = atelier_beside(&home, &workshop.server.url, &["serve", "--role", "worker,bot"]);
    let other = async {
        tests::until(async || !telegram.commands().is_empty()).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let address = format!("{}/bot{}/getUpdates", telegram.url, telegram.token);
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        client.post(address).json(&json!({ "timeout": 0 })).send().await.expect("an answer");
    };
    let (ended, ()) = tokio::join!(ends, other);
    assert!(ended.code != Some(0) && ended.err.contains("somebody else takes this bot's updates"), "{ended:?}");
    assert!(!ended.err.contains(&telegram.token), "{}", ended.err);
}
