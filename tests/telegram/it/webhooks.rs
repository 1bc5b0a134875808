//! Updates that are brought to the bot: with its secret, in order, until they are taken.

use crate::bot::Bot;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::{Json, Router, routing::post};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use telegram_double::Options;

/// What came to a webhook: the secret and the update.
type Got = Arc<Mutex<Vec<(String, Value)>>>;

/// A webhook that answers with these, and then with 200.
async fn hook(answers: Vec<u16>) -> (String, Got) {
    let got = Got::default();
    let answers = Arc::new(Mutex::new(answers));
    let take = move |State(got): State<Got>, headers: HeaderMap, Json(update): Json<Value>| async move {
        let secret = headers.get("X-Telegram-Bot-Api-Secret-Token").map(|secret| secret.to_str().expect("ASCII").to_owned());
        got.lock().expect("a lock").push((secret.unwrap_or_default(), update));
        let mut answers = answers.lock().expect("a lock");
        let status = if answers.is_empty() { 200 } else { answers.remove(0) };
        StatusCode::from_u16(status).expect("a status")
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
    let router = Router::new().route("/hook", post(take)).with_state(got.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, got)
}

async fn bot() -> Bot {
    Bot::with(Options { webhook_retry_delay: Duration::from_millis(20), flood: None, ..Options::default() }).await
}

async fn until(what: impl Fn() -> bool) {
    for _ in 0..500 {
        if what() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("that did not happen in 5 s");
}

#[tokio::test]
async fn updates_are_brought_with_the_secret_and_in_order() {
    let (url, got) = hook(Vec::new()).await;
    let bot = bot().await;
    let chat = bot.ann();
    bot.says(chat, chat, "before");
    bot.ok("setWebhook", json!({ "url": url, "secret_token": "s3cret_-" })).await;
    bot.says(chat, chat, "after");
    until(|| got.lock().expect("a lock").len() == 2 && bot.pending_updates() == 0).await;
    let got = got.lock().expect("a lock").clone();
    assert!(got.iter().all(|(secret, _)| secret == "s3cret_-"));
    let texts: Vec<&str> = got.iter().filter_map(|(_, update)| update["message"]["text"].as_str()).collect();
    assert_eq!(texts, ["before", "after"]);
}

#[tokio::test]
async fn an_update_is_brought_again_until_it_is_taken() {
    let (url, got) = hook(vec![500, 404]).await;
    let bot = bot().await;
    let chat = bot.ann();
    bot.ok("setWebhook", json!({ "url": url })).await;
    let sent = bot.says(chat, chat, "hello");
    until(|| bot.pending_updates() == 0).await;
    let ids: Vec<i64> = got.lock().expect("a lock").iter().filter_map(|(_, update)| update["update_id"].as_i64()).collect();
    assert_eq!(ids, [sent, sent, sent]);
    let info = bot.ok("getWebhookInfo", json!({})).await;
    assert_eq!((info["url"].as_str(), &info["pending_update_count"]), (Some(url.as_str()), &json!(0)));
    assert_eq!(info["last_error_message"], "Wrong response from the webhook: 404 Not Found");
}

#[tokio::test]
async fn with_a_webhook_nothing_can_be_polled() {
    let (url, _) = hook(Vec::new()).await;
    let bot = bot().await;
    let (waiting, ()) = tokio::join!(bot.call("getUpdates", json!({ "timeout": 10 })), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        bot.ok("setWebhook", json!({ "url": url })).await;
    });
    assert_eq!((waiting.0, waiting.1["description"].as_str()), (409, Some("Conflict: terminated by setWebhook request")));
    let words = "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first";
    assert_eq!(bot.refused("getUpdates", json!({})).await, words);
    bot.ok("deleteWebhook", json!({})).await;
    bot.updates(0).await;
}

#[tokio::test]
async fn pending_updates_are_dropped_when_that_is_asked() {
    let bot = bot().await;
    let chat = bot.ann();
    bot.says(chat, chat, "old");
    bot.ok("deleteWebhook", json!({ "drop_pending_updates": true })).await;
    assert_eq!(bot.updates(0).await.len(), 0);
}

#[tokio::test]
async fn a_webhook_elsewhere_or_with_an_odd_secret_is_refused() {
    let bot = bot().await;
    let away = bot.refused("setWebhook", json!({ "url": "https://example.com/hook" })).await;
    assert!(away.starts_with("Bad Request: bad webhook:"), "{away}");
    let odd = bot.refused("setWebhook", json!({ "url": "http://127.0.0.1:9/", "secret_token": "a b" })).await;
    assert_eq!(odd, "Bad Request: secret token contains unallowed characters");
}

#[tokio::test]
async fn a_webhook_that_is_not_there_is_told() {
    let bot = bot().await;
    let chat = bot.ann();
    // A port that was free a moment ago and that nobody listens on.
    let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address").port();
    bot.ok("setWebhook", json!({ "url": format!("http://127.0.0.1:{port}/") })).await;
    bot.says(chat, chat, "hello");
    tokio::time::sleep(Duration::from_millis(100)).await;
    let info = bot.ok("getWebhookInfo", json!({})).await;
    assert_eq!((info["last_error_message"].as_str(), &info["pending_update_count"]), (Some("Connection refused"), &json!(1)));
}
