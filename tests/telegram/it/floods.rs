//! Flood control at the wire; its sums are tested beside it.

use crate::bot::Bot;
use serde_json::json;
use std::time::Duration;
use telegram_double::FloodLimits;

#[tokio::test]
async fn sends_and_edits_together_are_limited_in_a_private_chat() {
    let bot = Bot::flooded().await;
    let chat = bot.ann();
    let id = bot.sends(chat, "one").await;
    bot.ok("editMessageText", json!({ "chat_id": chat, "message_id": id, "text": "two" })).await;
    bot.sends(chat, "three").await;
    let (status, body) = bot.call("sendMessage", json!({ "chat_id": chat, "text": "four" })).await;
    assert_eq!(status, 429);
    assert_eq!(
        body,
        json!({ "ok": false, "error_code": 429, "description": "Too Many Requests: retry after 1", "parameters": { "retry_after": 1 } })
    );
    assert_eq!((bot.chat(chat).len(), bot.flood_refusals()), (2, 1));
    tokio::time::sleep(Duration::from_millis(1050)).await;
    bot.sends(chat, "four").await;
}

#[tokio::test]
async fn a_group_takes_twenty_a_minute() {
    let bot = Bot::flooded().await;
    let group = bot.group("Friends", &[bot.ann()]);
    for number in 0..20 {
        bot.sends(group, &number.to_string()).await;
    }
    let (status, body) = bot.call("sendMessage", json!({ "chat_id": group, "text": "x" })).await;
    assert_eq!(status, 429);
    assert!(body["parameters"]["retry_after"].as_u64().is_some_and(|seconds| (50..=60).contains(&seconds)), "{body}");
}

#[tokio::test]
async fn the_rates_can_be_set_and_taken_away() {
    let bot = Bot::flooded().await;
    let chat = bot.ann();
    bot.set_flood(Some(FloodLimits { overall_per_second: 1, ..FloodLimits::default() }));
    bot.sends(chat, "one").await;
    assert_eq!(bot.call("sendMessage", json!({ "chat_id": chat, "text": "two" })).await.0, 429);
    bot.set_flood(None);
    for number in 0..40 {
        bot.sends(chat, &number.to_string()).await;
    }
}

#[tokio::test]
async fn what_is_not_sent_is_not_counted() {
    let bot = Bot::flooded().await;
    let chat = bot.ann();
    for _ in 0..10 {
        bot.refused("sendMessage", json!({ "chat_id": chat, "text": "" })).await;
        bot.ok("sendChatAction", json!({ "chat_id": chat, "action": "typing" })).await;
    }
    bot.sends(chat, "x").await;
    assert_eq!(bot.flood_refusals(), 0);
}
