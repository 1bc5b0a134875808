//! What the methods give when nothing is wrong.

use crate::bot::{Bot, answer};
use serde_json::json;
use telegram_double::TOKEN;

#[tokio::test]
async fn get_me_has_what_clients_insist_on() {
    let bot = Bot::new().await;
    let me = bot.ok("getMe", json!({})).await;
    assert_eq!(me["id"].as_i64().map(|id| id.to_string()).as_deref(), TOKEN.split(':').next());
    assert_eq!(me["is_bot"], true);
    assert!(me["has_main_web_app"].is_boolean() && me["can_connect_to_business"].is_boolean());
}

#[tokio::test]
async fn a_method_is_found_in_any_case_and_its_fields_in_any_form() {
    let bot = Bot::new().await;
    let chat = bot.ann();
    let get = bot.client.get(format!("{}?chat_id={chat}&text=a+b%26%C3%A9", bot.address("SENDMESSAGE")));
    assert_eq!(answer(get.send().await.expect("an answer")).await.0, 200);
    let form = bot.client.post(bot.address("sendmessage")).header("Content-Type", "application/x-www-form-urlencoded");
    let form = form.body(format!(
        "chat_id={chat}&text=c&reply_markup=%7B%22inline_keyboard%22%3A%5B%5B%7B%22text%22%3A%22x%22%2C%22callback_data%22%3A%22y%22%7D%5D%5D%7D"
    ));
    assert_eq!(answer(form.send().await.expect("an answer")).await.0, 200);
    let (status, _) = bot.multipart("SendMessage", &[("chat_id", &chat.to_string()), ("text", "d")], &[]).await;
    assert_eq!(status, 200);
    let shown = bot.chat(chat);
    assert_eq!(shown.iter().map(|shown| shown.text.as_str()).collect::<Vec<_>>(), ["a b&é", "c", "d"]);
    assert_eq!(shown[1].data_of("x"), Some("y"));
    assert!(bot.outbox_log().iter().all(|call| call.method == "sendMessage" && call.chat == Some(chat)));
}

#[tokio::test]
async fn a_message_comes_back_as_telegram_tells_it() {
    let bot = Bot::new().await;
    let chat = bot.ann();
    bot.says(chat, chat, "hello");
    let asked = bot.chat(chat)[0].message_id;
    let fields = json!({
        "chat_id": chat, "text": " 🦀 <b>Hello</b> <a href=\"https://a.b\">there</a>\n", "parse_mode": "HTML",
        "reply_parameters": { "message_id": asked },
        "reply_markup": { "inline_keyboard": [[{ "text": "Go", "callback_data": "go" }], [{ "text": "Read", "url": "https://a.b" }]] },
    });
    let message = bot.ok("sendMessage", fields).await;
    assert_eq!(message["text"], "🦀 Hello there");
    assert_eq!(
        message["entities"],
        json!([
            { "type": "bold", "offset": 3, "length": 5 },
            { "type": "text_link", "offset": 9, "length": 5, "url": "https://a.b" },
        ])
    );
    assert_eq!(message["chat"]["type"], "private");
    assert_eq!(message["from"]["is_bot"], true);
    assert_eq!(message["reply_to_message"]["message_id"], asked);
    assert_eq!(message["reply_markup"]["inline_keyboard"][0][0], json!({ "text": "Go", "callback_data": "go" }));
    let shown = bot.last_of_bot(chat).expect("a message");
    assert_eq!((shown.text.as_str(), shown.button_texts(), shown.reply_to), ("🦀 Hello there", vec!["Go", "Read"], Some(asked)));
    assert!(shown.html.contains("<b>Hello</b>"));
}

#[tokio::test]
async fn an_edit_without_a_keyboard_takes_the_buttons_away() {
    let bot = Bot::new().await;
    let chat = bot.ann();
    let id = bot.offers(chat, "Go", "go").await;
    let edited = bot.ok("editMessageText", json!({ "chat_id": chat, "message_id": id, "text": "Gone" })).await;
    assert!(edited["edit_date"].is_u64() && edited["reply_markup"].is_null());
    let shown = &bot.chat(chat)[0];
    assert_eq!((shown.text.as_str(), shown.edit_count, shown.earlier.as_slice()), ("Gone", 1, &["Choose".to_owned()][..]));
    assert!(shown.buttons.is_empty() && shown.edited_at.is_some());
}

#[tokio::test]
async fn buttons_change_without_the_text() {
    let bot = Bot::new().await;
    let chat = bot.ann();
    let id = bot.offers(chat, "Go", "go").await;
    let keyboard = json!({ "inline_keyboard": [[{ "text": "Stop", "callback_data": "stop" }]] });
    bot.ok("editMessageReplyMarkup", json!({ "chat_id": chat, "message_id": id, "reply_markup": keyboard })).await;
    assert_eq!(bot.chat(chat)[0].button_texts(), ["Stop"]);
    bot.ok("editMessageReplyMarkup", json!({ "chat_id": chat, "message_id": id })).await;
    assert!(bot.chat(chat)[0].buttons.is_empty());
}

#[tokio::test]
async fn a_bot_deletes_what_it_wrote_and_in_private_what_it_got() {
    let bot = Bot::new().await;
    let ann = bot.ann();
    let group = bot.group("Friends", &[ann]);
    for (chat, own) in [(ann, true), (group, false)] {
        bot.says(chat, ann, "hers");
        let hers = bot.chat(chat)[0].message_id;
        let its = bot.sends(chat, "its").await;
        bot.ok("deleteMessage", json!({ "chat_id": chat, "message_id": its })).await;
        let (status, body) = bot.call("deleteMessage", json!({ "chat_id": chat, "message_id": hers })).await;
        match own {
            true => assert_eq!(status, 200),
            false => assert_eq!(body["description"], "Bad Request: message can't be deleted"),
        }
        assert!(bot.chat(chat)[1].deleted_at.is_some());
    }
}

#[tokio::test]
async fn a_bot_reacts_once_and_with_what_there_is() {
    let bot = Bot::new().await;
    let chat = bot.ann();
    bot.says(chat, chat, "hello");
    let id = bot.chat(chat)[0].message_id;
    let react = |emoji: &str| json!({ "chat_id": chat, "message_id": id, "reaction": [{ "type": "emoji", "emoji": emoji }] });
    bot.ok("setMessageReaction", react("👀")).await;
    assert_eq!(bot.chat(chat)[0].reactions, ["👀"]);
    assert_eq!(bot.refused("setMessageReaction", react("🦀")).await, "Bad Request: REACTION_INVALID");
    bot.ok("setMessageReaction", json!({ "chat_id": chat, "message_id": id, "reaction": [] })).await;
    assert!(bot.chat(chat)[0].reactions.is_empty());
}

#[tokio::test]
async fn commands_are_kept_for_each_scope_and_language() {
    let bot = Bot::new().await;
    let commands = json!([{ "command": "start", "description": "Begin" }]);
    bot.ok("setMyCommands", json!({ "commands": commands })).await;
    let german = json!([{ "command": "start", "description": "Anfangen" }]);
    bot.ok("setMyCommands", json!({ "commands": german, "language_code": "de", "scope": { "type": "all_private_chats" } })).await;
    assert_eq!(bot.ok("getMyCommands", json!({})).await, commands);
    assert_eq!(bot.commands()["all_private_chats/de"], [("start".to_owned(), "Anfangen".to_owned())]);
    let upper = json!([{ "command": "Start", "description": "Begin" }]);
    assert_eq!(bot.refused("setMyCommands", json!({ "commands": upper })).await, "Bad Request: BOT_COMMAND_INVALID");
}

#[tokio::test]
async fn chats_and_their_members_are_told() {
    let bot = Bot::new().await;
    let ann = bot.ann();
    let bob = bot.user("Bob");
    let group = bot.supergroup("Friends", &[ann]);
    assert_eq!(bot.ok("getChat", json!({ "chat_id": ann })).await["first_name"], "Ann");
    let chat = bot.ok("getChat", json!({ "chat_id": group })).await;
    assert_eq!((chat["type"].as_str(), chat["title"].as_str()), (Some("supergroup"), Some("Friends")));
    assert!(chat["max_reaction_count"].is_u64() && chat["accent_color_id"].is_u64());
    let status = async |user: i64| bot.ok("getChatMember", json!({ "chat_id": group, "user_id": user })).await["status"].clone();
    assert_eq!((status(ann).await, status(bob).await), (json!("member"), json!("left")));
    let stranger = bot.refused("getChatMember", json!({ "chat_id": group, "user_id": 1 })).await;
    assert_eq!(stranger, "Bad Request: user not found");
    bot.ok("leaveChat", json!({ "chat_id": group })).await;
    let words = bot.refused("sendMessage", json!({ "chat_id": group, "text": "x" })).await;
    assert_eq!(words, "Forbidden: bot is not a member of the supergroup chat");
}

#[tokio::test]
async fn what_the_bot_does_is_seen() {
    let bot = Bot::new().await;
    let chat = bot.ann();
    bot.ok("sendChatAction", json!({ "chat_id": chat, "action": "typing" })).await;
    assert_eq!(bot.chat_actions(), [(chat, "typing".to_owned())]);
    bot.sends(chat, "x").await;
    bot.refused("sendMessage", json!({ "chat_id": chat, "text": "" })).await;
    let log = bot.outbox_log();
    let methods: Vec<(&str, bool)> = log.iter().map(|call| (call.method.as_str(), call.accepted())).collect();
    assert_eq!(methods, [("sendChatAction", true), ("sendMessage", true), ("sendMessage", false)]);
    assert_eq!(log[1].message, Some(bot.chat(chat)[0].message_id));
    assert_eq!(bot.refused_calls()[0].1.description, "Bad Request: message text is empty");
}
