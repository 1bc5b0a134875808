//! What people do reaches the bot as Telegram tells it.

use crate::bot::{Bot, ids};
use serde_json::{Value, json};
use std::time::Duration;
use telegram_double::Person;

/// The last update.
async fn last(bot: &Bot) -> Value {
    bot.updates(0).await.pop().expect("an update")
}

#[tokio::test]
async fn commands_mentions_and_links_are_marked() {
    let bot = Bot::new().await;
    let chat = bot.ann();
    bot.says(chat, chat, "🦀 /start@atelier_double_bot x @somebody https://a.b/c");
    let message = last(&bot).await["message"].clone();
    assert_eq!(
        message["entities"],
        json!([
            { "type": "bot_command", "offset": 3, "length": 25 },
            { "type": "mention", "offset": 31, "length": 9 },
            { "type": "url", "offset": 41, "length": 13 },
        ])
    );
    assert_eq!(message["from"], json!({ "id": chat, "is_bot": false, "first_name": "Ann", "username": "ann_double" }));
    assert_eq!(message["chat"]["id"], chat);
    assert!(message["date"].is_u64());
}

#[tokio::test]
async fn an_edit_and_a_reply_are_told_and_a_deletion_is_not() {
    let bot = Bot::new().await;
    let chat = bot.ann();
    bot.says(chat, chat, "helo");
    let id = bot.chat(chat)[0].message_id;
    bot.edits(chat, chat, id, "hello");
    let edited = last(&bot).await["edited_message"].clone();
    assert_eq!((edited["text"].as_str(), edited["message_id"].as_i64()), (Some("hello"), Some(id)));
    assert!(edited["edit_date"].is_u64());
    bot.replies(chat, chat, id, "and?");
    assert_eq!(last(&bot).await["message"]["reply_to_message"]["text"], "hello");
    let told = bot.updates(0).await.len();
    bot.deletes(chat, chat, id);
    assert_eq!(bot.updates(0).await.len(), told);
    assert!(bot.chat(chat)[0].deleted);
}

#[tokio::test]
async fn a_press_sends_the_data_of_its_button() {
    let bot = Bot::new().await;
    let chat = bot.ann();
    let id = bot.offers(chat, "Go", "go:7").await;
    let update = bot.presses(chat, chat, id, "Go");
    let query = last(&bot).await;
    assert_eq!(query["update_id"], update);
    let query = &query["callback_query"];
    assert_eq!((query["data"].as_str(), query["message"]["message_id"].as_i64()), (Some("go:7"), Some(id)));
    assert_eq!(query["from"]["id"], chat);
    assert!(query["id"].is_string() && query["chat_instance"].is_string());
}

#[tokio::test]
#[should_panic(expected = "there is no button «Stop» under message 101, only [\"Go\"]")]
async fn a_button_that_is_not_there_can_not_be_pressed() {
    let bot = Bot::new().await;
    let chat = bot.ann();
    let id = bot.offers(chat, "Go", "go").await;
    bot.presses(chat, chat, id, "Stop");
}

#[tokio::test]
async fn data_of_a_button_that_is_gone_comes_with_a_message_that_can_not_be_seen() {
    let bot = Bot::new().await;
    let chat = bot.ann();
    let id = bot.offers(chat, "Go", "go").await;
    bot.ok("deleteMessage", json!({ "chat_id": chat, "message_id": id })).await;
    bot.presses_data(chat, chat, id, "go");
    let query = last(&bot).await["callback_query"].clone();
    assert_eq!((&query["data"], &query["message"]["date"]), (&json!("go"), &json!(0)));
    assert!(query["message"]["text"].is_null());
}

#[tokio::test]
async fn files_and_media_come_as_telegram_describes_them() {
    let bot = Bot::new().await;
    let chat = bot.ann();
    bot.sends_file(chat, chat, "idea.md", b"# Idea", "my idea");
    let message = last(&bot).await["message"].clone();
    assert_eq!((message["caption"].as_str(), &message["document"]["file_size"]), (Some("my idea"), &json!(6)));
    bot.sends_sticker(chat, chat, "🦀");
    assert_eq!(last(&bot).await["message"]["sticker"]["emoji"], "🦀");
    bot.sends_voice(chat, chat, 3);
    let voice = last(&bot).await["message"]["voice"].clone();
    assert_eq!((&voice["duration"], &voice["mime_type"]), (&json!(3), &json!("audio/ogg")));
    bot.ok("getFile", json!({ "file_id": voice["file_id"] })).await;
    bot.sends_photo(chat, chat, "look");
    let photo = last(&bot).await["message"].clone();
    assert_eq!((photo["photo"].as_array().map(Vec::len), photo["caption"].as_str()), (Some(2), Some("look")));
    bot.sends_location(chat, chat, 48.2, 16.4);
    assert_eq!(last(&bot).await["message"]["location"], json!({ "latitude": 48.2, "longitude": 16.4 }));
}

#[tokio::test]
async fn who_blocked_the_bot_gets_nothing_until_they_unblock_it() {
    let bot = Bot::new().await;
    let chat = bot.ann();
    let blocked = bot.blocks(chat);
    let change = last(&bot).await["my_chat_member"].clone();
    assert_eq!((&change["old_chat_member"]["status"], &change["new_chat_member"]["status"]), (&json!("member"), &json!("kicked")));
    let (status, body) = bot.call("sendMessage", json!({ "chat_id": chat, "text": "x" })).await;
    assert_eq!((status, body["description"].as_str()), (403, Some("Forbidden: bot was blocked by the user")));
    assert_eq!(ids(&bot.updates(0).await), [blocked]);
    bot.unblocks(chat);
    bot.sends(chat, "x").await;
}

#[tokio::test]
#[should_panic(expected = "Ann blocked the bot and has to unblock it first")]
async fn who_blocked_the_bot_can_not_write_to_it() {
    let bot = Bot::new().await;
    let chat = bot.ann();
    bot.blocks(chat);
    bot.says(chat, chat, "hello?");
}

#[tokio::test]
async fn a_group_that_became_a_supergroup_names_its_new_id() {
    let bot = Bot::new().await;
    let ann = bot.ann();
    let group = bot.group("Friends", &[ann]);
    let migration = bot.migrates(group);
    let updates = bot.updates(0).await;
    assert_eq!(updates[0]["update_id"], migration.update_id);
    assert_eq!(updates[0]["message"]["migrate_to_chat_id"], migration.chat);
    assert_eq!(updates[1]["message"]["migrate_from_chat_id"], group);
    let (status, body) = bot.call("sendMessage", json!({ "chat_id": group, "text": "x" })).await;
    assert_eq!((status, body["description"].as_str()), (400, Some("Bad Request: group chat was upgraded to a supergroup chat")));
    assert_eq!(body["parameters"]["migrate_to_chat_id"], migration.chat);
    bot.sends(migration.chat, "x").await;
}

#[tokio::test]
async fn a_bot_that_was_thrown_out_is_told_and_hears_nothing() {
    let bot = Bot::new().await;
    let ann = bot.ann();
    let group = bot.group("Friends", &[ann]);
    bot.removes_bot(group, ann);
    bot.says(group, ann, "finally");
    assert_eq!(bot.updates(0).await.len(), 1);
    let words = bot.refused("sendMessage", json!({ "chat_id": group, "text": "x" })).await;
    assert_eq!(words, "Forbidden: bot was kicked from the group chat");
    bot.adds_bot(group, ann);
    bot.sends(group, "x").await;
}

#[tokio::test]
async fn people_have_the_names_and_languages_that_they_are_given() {
    let bot = Bot::new().await;
    let person = Person {
        first_name: "Zoë <3".to_owned(),
        language_code: Some("de".to_owned()),
        last_name: Some("M".to_owned()),
        ..Person::default()
    };
    let chat = bot.private_chat(bot.user_like(person));
    bot.says(chat, chat, "hi");
    let from = last(&bot).await["message"]["from"].clone();
    assert_eq!((&from["first_name"], &from["language_code"], &from["last_name"]), (&json!("Zoë <3"), &json!("de"), &json!("M")));
    assert!(from["username"].is_null());
}

#[tokio::test]
async fn any_update_can_be_sent() {
    let bot = Bot::new().await;
    let id = bot.raw_update(json!({ "poll": { "id": "1" } }));
    bot.raw_update(json!({ "update_id": id + 10, "unheard_of": true }));
    let next = bot.raw_update(json!({ "poll": { "id": "2" } }));
    assert_eq!(ids(&bot.updates(0).await), [id, id + 10, next]);
    assert_eq!(next, id + 11);
}

#[tokio::test]
async fn a_test_waits_until_the_chat_looks_as_it_should() {
    let bot = Bot::new().await;
    let chat = bot.ann();
    let (shown, _) = tokio::join!(bot.wait_for(chat, |shown| shown.len() == 1, Duration::from_secs(5)), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        bot.sends(chat, "here").await
    });
    assert_eq!(shown[0].text, "here");
}

#[tokio::test]
#[should_panic(expected = "Ann: hello")]
async fn a_test_that_waits_in_vain_is_shown_the_chat() {
    let bot = Bot::new().await;
    let chat = bot.ann();
    bot.says(chat, chat, "hello");
    bot.wait_for(chat, |shown| shown.len() == 2, Duration::from_millis(50)).await;
}
