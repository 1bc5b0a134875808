//! How the bot learns of things: long polling, its offsets and limits, and one poll at a time.

use crate::bot::{Bot, ids};
use serde_json::json;
use std::time::{Duration, Instant};
use telegram_double::Order;

const CONFLICT: &str = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running";

#[tokio::test]
async fn a_poll_waits_for_an_update() {
    let bot = Bot::new().await;
    let chat = bot.ann();
    let began = Instant::now();
    let (got, sent) = tokio::join!(bot.ok("getUpdates", json!({ "timeout": 10 })), async {
        tokio::time::sleep(Duration::from_millis(150)).await;
        bot.says(chat, chat, "hello")
    });
    assert!(began.elapsed() >= Duration::from_millis(150) && began.elapsed() < Duration::from_secs(5));
    assert_eq!((got[0]["update_id"].as_i64(), got[0]["message"]["text"].as_str()), (Some(sent), Some("hello")));
}

#[tokio::test]
async fn a_poll_without_news_ends_empty_when_its_time_is_over() {
    let bot = Bot::new().await;
    let began = Instant::now();
    assert_eq!(bot.ok("getUpdates", json!({ "timeout": 1 })).await, json!([]));
    assert!(began.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn updates_come_again_until_they_are_confirmed() {
    let bot = Bot::new().await;
    let chat = bot.ann();
    let sent: Vec<i64> = (0..3).map(|number| bot.says(chat, chat, &number.to_string())).collect();
    assert_eq!(ids(&bot.updates(0).await), sent);
    assert_eq!(ids(&bot.updates(0).await), sent);
    assert_eq!(ids(&bot.updates(sent[1]).await), sent[1..]);
    assert_eq!(ids(&bot.updates(0).await), sent[1..], "what is below an offset is gone for good");
    assert_eq!(bot.updates(sent[2] + 1).await.len(), 0);
    assert_eq!(bot.pending_updates(), 0);
}

#[tokio::test]
async fn a_limit_is_kept_and_a_negative_offset_keeps_the_last() {
    let bot = Bot::new().await;
    let chat = bot.ann();
    let sent: Vec<i64> = (0..120).map(|number| bot.says(chat, chat, &number.to_string())).collect();
    assert_eq!(bot.ok("getUpdates", json!({ "limit": 2 })).await.as_array().map(Vec::len), Some(2));
    assert_eq!(bot.ok("getUpdates", json!({ "limit": 1000 })).await.as_array().map(Vec::len), Some(100));
    assert_eq!(ids(&bot.updates(-2).await), sent[118..]);
}

#[tokio::test]
async fn a_second_poll_ends_the_first_with_a_409() {
    let bot = Bot::new().await;
    let chat = bot.ann();
    let (first, second) = tokio::join!(bot.call("getUpdates", json!({ "timeout": 10 })), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let second = bot.call("getUpdates", json!({ "timeout": 10 }));
        let (second, _) = tokio::join!(second, async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            bot.says(chat, chat, "hello")
        });
        second
    });
    assert_eq!((first.0, first.1["description"].as_str()), (409, Some(CONFLICT)));
    assert_eq!(second.0, 200);
    assert_eq!(second.1["result"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_bot_that_lost_its_poll_can_ask_again() {
    let bot = Bot::new().await;
    let chat = bot.ann();
    let lost = tokio::time::timeout(Duration::from_millis(100), bot.call("getUpdates", json!({ "timeout": 30 }))).await;
    assert!(lost.is_err());
    bot.says(chat, chat, "hello");
    assert_eq!(bot.updates(0).await.len(), 1);
}

#[tokio::test]
async fn only_what_is_allowed_comes_and_that_is_remembered() {
    let bot = Bot::new().await;
    let chat = bot.ann();
    bot.ok("getUpdates", json!({ "allowed_updates": ["callback_query"] })).await;
    bot.says(chat, chat, "unheard");
    let pressed = bot.presses_data(chat, chat, 1, "old");
    assert_eq!(ids(&bot.updates(0).await), [pressed]);
    bot.ok("getUpdates", json!({ "offset": pressed + 1, "allowed_updates": [] })).await;
    let heard = bot.says(chat, chat, "heard");
    assert_eq!(ids(&bot.updates(0).await), [heard]);
}

#[tokio::test]
async fn a_duplicate_has_the_same_id() {
    let bot = Bot::new().await;
    let chat = bot.ann();
    bot.duplicates_next_updates(1);
    let twice = bot.says(chat, chat, "twice");
    let once = bot.says(chat, chat, "once");
    assert_eq!(ids(&bot.updates(0).await), [twice, twice, once]);
    assert_eq!(ids(&bot.updates(once).await), [once]);
    bot.delivers_again(twice);
    assert_eq!(ids(&bot.updates(once + 1).await), [twice], "it comes although it was confirmed");
    assert_eq!(bot.updates(once + 1).await.len(), 0, "and only once");
}

#[tokio::test]
async fn held_updates_come_in_the_order_that_was_chosen() {
    for (order, places) in [(Order::Straight, [0, 1, 2]), (Order::Reversed, [2, 1, 0])] {
        let bot = Bot::new().await;
        let chat = bot.ann();
        bot.holds_updates();
        let sent: Vec<i64> = (0..3).map(|number| bot.says(chat, chat, &number.to_string())).collect();
        assert_eq!(bot.updates(0).await.len(), 0);
        bot.releases_updates(order);
        assert_eq!(ids(&bot.updates(0).await), places.map(|place| sent[place]));
    }
    let mixed = async |seed: u64| {
        let bot = Bot::new().await;
        let chat = bot.ann();
        bot.holds_updates();
        for number in 0..20 {
            bot.says(chat, chat, &number.to_string());
        }
        bot.releases_updates(Order::Shuffled(seed));
        ids(&bot.updates(0).await)
    };
    assert_eq!(mixed(7).await, mixed(7).await);
    assert!(!mixed(7).await.is_sorted());
}
