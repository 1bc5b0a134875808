//! Telegram brings updates to the bot: nobody else does, none is lost while the bot is away, and none counts twice.

use crate::telegram::{PATIENCE, said, telegram};
use atelier_host::app::Reader;
use serde_json::json;
use std::time::Duration;
use telegram_double::TelegramServer;
use tests::home::{Home, assert_audit};
use tests::people::with_button;
use tests::program::{Worker, atelier_beside};
use tests::workshop::{Tasks, Workshop};

/// In place of a status where there was none.
const CUT: u16 = 0;

/// A bot that is set up for a webhook, and the webhook's address.
async fn brought() -> (TelegramServer, Home, String) {
    let (telegram, mut home) = telegram().await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
    let url = format!("http://127.0.0.1:{port}/telegram");
    home.variables.push(("ATELIER_TELEGRAM_WEBHOOK_URL", url.clone()));
    home.variables.push(("ATELIER_TELEGRAM_WEBHOOK_LISTEN", format!("127.0.0.1:{port}")));
    (telegram, home, url)
}

/// The secret, once Telegram has it.
async fn secret(telegram: &TelegramServer) -> String {
    tests::until(async || telegram.webhook().is_some()).await;
    telegram.webhook().and_then(|(_, secret)| secret).expect("a secret")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idea_that_is_brought_becomes_a_zip_and_what_came_while_the_bot_was_away_is_heard() {
    let workshop = Workshop::new(2, Tasks::Apart, || Duration::ZERO).await;
    let (telegram, home, _) = brought().await;
    home.environment(&workshop.server.url);
    let ada = telegram.user("Ada");
    let chat = telegram.private_chat(ada);
    telegram.says(chat, ada, "parts");
    let worker = Worker::start_with_bot(&home, &workshop.server.url);
    telegram.wait_for(chat, |shown| with_button(shown, "Approve").is_some(), PATIENCE).await;
    assert_eq!(worker.stop().await, Some(0));
    assert!(telegram.webhook().is_some(), "Telegram keeps what comes meanwhile");
    let shown = telegram.chat(chat);
    let (plan, approve) = with_button(&shown, "Approve").expect("it is there");
    telegram.presses(chat, ada, plan.message_id, &approve);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(telegram.pending_updates(), 1);
    let worker = Worker::start_with_bot(&home, &workshop.server.url);
    telegram.wait_for(chat, |shown| said(shown, "is done") == 1, PATIENCE).await;
    assert_eq!(worker.stop().await, Some(0));
    assert_eq!(said(&telegram.chat(chat), "I am thinking about it"), 1);
    assert!(telegram.refused_calls().is_empty(), "{:?}", telegram.refused_calls());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_who_knows_the_secret_is_heard_and_only_updates_are() {
    let workshop = Workshop::new(1, Tasks::Apart, || Duration::ZERO).await;
    let (telegram, home, url) = brought().await;
    home.environment(&workshop.server.url);
    let worker = Worker::start_with_bot(&home, &workshop.server.url);
    let secret = secret(&telegram).await;
    assert!(!telegram.token.contains(&secret) && secret.len() >= 32, "it says nothing about the token");
    // A connection each: one whose body was not listened to is closed, and must not be taken for the next request.
    let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().expect("a client");
    let message = json!({ "message_id": 1, "date": 1, "chat": { "id": 7, "type": "private", "first_name": "Eve" },
        "from": { "id": 7, "is_bot": false, "first_name": "Eve" }, "text": "parts" });
    let update = json!({ "update_id": 900_000, "message": message }).to_string();
    let post = async |url: &str, secret: Option<&str>, body: String| {
        let mut request = client.post(url).body(body);
        if let Some(secret) = secret {
            request = request.header("X-Telegram-Bot-Api-Secret-Token", secret);
        }
        // Who sends much and is not listened to may find the connection closed before the answer is read.
        request.send().await.map_or(CUT, |answer| answer.status().as_u16())
    };
    let known = Some(secret.as_str());
    assert_eq!(post(&url, None, update.clone()).await, 401);
    assert_eq!(post(&url, Some(""), update.clone()).await, 401);
    assert_eq!(post(&url, Some(&secret[1..]), update.clone()).await, 401);
    assert_eq!(post(&url, Some(&telegram.token), update.clone()).await, 401);
    let large = || "x".repeat(4 * 1024 * 1024);
    assert!([401, CUT].contains(&post(&url, None, large()).await), "a stranger's body is not read");
    assert!([413, CUT].contains(&post(&url, known, large()).await));
    assert_eq!(post(&url, known, "no update".to_owned()).await, 400);
    assert_eq!(post(&url, known, json!({ "message": message }).to_string()).await, 400);
    assert_eq!(post(&url.replace("/telegram", "/"), known, update.clone()).await, 404);
    assert_eq!(client.get(&url).send().await.expect("an answer").status().as_u16(), 405);
    let reader = Reader::open(home.settings(&workshop.server.url)).await.expect("the store");
    assert_eq!(reader.store.inbox_count().await.expect("counted"), (0, 0), "nothing of that counts");

    // The same one, from everywhere at one time.
    let many = futures_util::future::join_all((0..20).map(|_| post(&url, known, update.clone()))).await;
    assert_eq!(many, [200; 20]);
    assert_eq!(reader.store.inbox_count().await.expect("counted").0, 1);
    tests::until(async || reader.store.history(10).await.is_ok_and(|projects| projects.len() == 1)).await;
    assert_eq!(worker.stop().await, Some(0));
    assert_eq!(reader.store.history(10).await.expect("a listing").len(), 1);
    assert_audit(&reader.store, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_asking_to_being_brought_and_back_nothing_is_lost() {
    let workshop = Workshop::new(1, Tasks::Apart, || Duration::ZERO).await;
    let (telegram, mut home, _) = brought().await;
    let brought = home.variables.clone();
    let asking: Vec<_> = brought.iter().filter(|(name, _)| !name.contains("WEBHOOK")).cloned().collect();
    let ada = telegram.user("Ada");
    let chat = telegram.private_chat(ada);
    for (turn, is_brought) in [false, true, false, true].into_iter().enumerate() {
        telegram.says(chat, ada, "/help");
        home.variables = if is_brought { brought.clone() } else { asking.clone() };
        let worker = Worker::start_with_bot(&home, &workshop.server.url);
        telegram.wait_for(chat, |shown| said(shown, "What I can do") == turn + 1, PATIENCE).await;
        // One that is told of, not only found.
        telegram.says(chat, ada, "/history");
        telegram.wait_for(chat, |shown| said(shown, "no project yet") == turn + 1, PATIENCE).await;
        assert_eq!(telegram.webhook().is_some(), is_brought);
        assert_eq!(worker.stop().await, Some(0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_that_is_taken_elsewhere_or_makes_no_sense_ends_the_bot_with_a_word() {
    let workshop = Workshop::new(1, Tasks::Apart, || Duration::ZERO).await;
    let (telegram, mut home, _) = brought().await;
    let ends = atelier_beside(&home, &workshop.server.url, &["serve", "--role", "worker,bot"]);
    let elsewhere = async {
        secret(&telegram).await;
        let address = format!("{}/bot{}/setWebhook", telegram.url, telegram.token);
        let other = json!({ "url": "http://127.0.0.1:9/other" });
        reqwest::Client::builder().no_proxy().build().expect("a client").post(address).json(&other).send().await.expect("an answer");
    };
    let (ended, ()) = tokio::join!(ends, elsewhere);
    assert!(ended.code != Some(0) && ended.err.contains("somebody else takes this bot's updates"), "{ended:?}");
    assert!(!ended.err.contains(&telegram.token), "{}", ended.err);

    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    home.variables.push(("ATELIER_TELEGRAM_WEBHOOK_LISTEN", taken.local_addr().expect("its address").to_string()));
    let ended = atelier_beside(&home, &workshop.server.url, &["serve", "--role", "worker,bot"]).await;
    assert!(ended.code != Some(0) && ended.err.contains("ATELIER_TELEGRAM_WEBHOOK_LISTEN"), "{ended:?}");

    home.variables.push(("ATELIER_TELEGRAM_WEBHOOK_URL", "http://bot.example.org/telegram".to_owned()));
    let ended = atelier_beside(&home, &workshop.server.url, &["serve", "--role", "bot"]).await;
    assert!(ended.code == Some(2) && ended.err.contains("https://"), "{ended:?}");
}
