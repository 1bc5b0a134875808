//! What Telegram refuses, the double refuses, in the same words.

use crate::bot::{Bot, answer};
use serde_json::{Value, json};
use telegram_double::Options;

const NOT_MODIFIED: &str = "Bad Request: message is not modified: specified new message content and reply markup are exactly the same as \
     a current content and reply markup of the message";

#[tokio::test]
async fn a_wrong_token_is_unauthorized() {
    let bot = Bot::new().await;
    let response = bot.client.get(format!("{}/bot1:nonsense/getMe", bot.url)).send().await.expect("an answer");
    let (status, body) = answer(response).await;
    assert_eq!((status, body), (401, json!({ "ok": false, "error_code": 401, "description": "Unauthorized" })));
}

#[tokio::test]
async fn an_unknown_method_is_not_found() {
    let bot = Bot::new().await;
    assert_eq!(bot.call("sendTelepathy", json!({})).await.0, 404);
    assert_eq!(bot.refused("sendTelepathy", json!({})).await, "Not Found");
}

#[tokio::test]
async fn missing_and_ill_typed_fields_are_named() {
    let bot = Bot::new().await;
    let chat = bot.ann();
    for (method, fields, words) in [
        ("sendMessage", json!({ "text": "x" }), "chat_id is empty"),
        ("sendMessage", json!({ "chat_id": [], "text": "x" }), "field \"chat_id\" must be of type Number"),
        ("sendMessage", json!({ "chat_id": chat, "text": 7 }), "field \"text\" must be of type String"),
        ("sendMessage", json!({ "chat_id": chat, "text": "x", "reply_markup": "{" }), "can't parse reply_markup JSON object"),
        ("editMessageText", json!({ "chat_id": chat, "text": "x" }), "message identifier is not specified"),
        ("answerCallbackQuery", json!({}), "parameter \"callback_query_id\" is required"),
        ("getUpdates", json!({ "timeout": "soon" }), "field \"timeout\" must be of type Number"),
        ("sendDocument", json!({ "chat_id": chat }), "there is no document in the request"),
        ("sendChatAction", json!({ "chat_id": chat }), "parameter \"action\" is required"),
        ("sendChatAction", json!({ "chat_id": chat, "action": "sleeping" }), "wrong parameter action in request"),
        ("setMyCommands", json!({}), "parameter \"commands\" is required"),
    ] {
        assert_eq!(bot.refused(method, fields).await, format!("Bad Request: {words}"), "{method}");
    }
}

#[tokio::test]
async fn a_body_that_is_no_json_is_refused() {
    let bot = Bot::new().await;
    let request = bot.client.post(bot.address("sendMessage")).header("Content-Type", "application/json").body("{");
    let (status, body) = answer(request.send().await.expect("an answer")).await;
    assert_eq!(status, 400);
    assert!(body["description"].as_str().is_some_and(|words| words.starts_with("Bad Request: can't parse JSON object")), "{body}");
}

#[tokio::test]
async fn an_empty_text_is_refused() {
    let bot = Bot::new().await;
    let chat = bot.ann();
    let says = async |text: &str| bot.refused("sendMessage", json!({ "chat_id": chat, "text": text, "parse_mode": "HTML" })).await;
    assert_eq!(says("").await, "Bad Request: message text is empty");
    assert_eq!(says(" \n ").await, "Bad Request: text must be non-empty");
    assert_eq!(says("<b> </b>").await, "Bad Request: text must be non-empty");
    assert_eq!(bot.chat(chat).len(), 0);
}

#[tokio::test]
async fn a_text_has_4096_utf_16_code_units_after_its_tags_are_read() {
    let bot = Bot::new().await;
    let chat = bot.ann();
    let send = async |text: String| bot.call("sendMessage", json!({ "chat_id": chat, "text": text, "parse_mode": "HTML" })).await;
    assert_eq!(send(format!("<b>{}</b>&lt;", "x".repeat(4095))).await.0, 200);
    assert_eq!(send("🦀".repeat(2048)).await.0, 200);
    for long in ["x".repeat(4097), format!("{}x", "🦀".repeat(2048))] {
        let (status, body) = send(long).await;
        assert_eq!((status, body["description"].as_str()), (400, Some("Bad Request: message is too long")));
    }
    let (_, body) = send("x".repeat(40_000)).await;
    assert_eq!(body["description"], "Bad Request: text is too long");
}

#[tokio::test]
async fn an_edit_that_is_too_long_is_told_in_other_words() {
    let bot = Bot::new().await;
    let chat = bot.ann();
    let id = bot.sends(chat, "x").await;
    let words = bot.refused("editMessageText", json!({ "chat_id": chat, "message_id": id, "text": "x".repeat(4097) })).await;
    assert_eq!(words, "Bad Request: MESSAGE_TOO_LONG");
}

#[tokio::test]
async fn html_that_telegram_does_not_know_is_refused() {
    let bot = Bot::new().await;
    let chat = bot.ann();
    let says = async |text: &str| bot.refused("sendMessage", json!({ "chat_id": chat, "text": text, "parse_mode": "html" })).await;
    assert_eq!(says("<h1>x</h1>").await, "Bad Request: can't parse entities: Unsupported start tag \"h1\" at byte offset 0");
    assert_eq!(says("<b>x").await, "Bad Request: can't parse entities: Can't find end tag corresponding to start tag \"b\"");
    assert_eq!(
        says("<b><i>x</b></i>").await,
        "Bad Request: can't parse entities: Unmatched end tag at byte offset 7, expected \"</i>\", found \"</b>\""
    );
    assert!(says("fish & chips").await.starts_with("Bad Request: can't parse entities:"));
    assert!(says("&nbsp;").await.starts_with("Bad Request: can't parse entities:"));
}

#[tokio::test]
async fn without_a_parse_mode_nothing_is_parsed() {
    let bot = Bot::new().await;
    let chat = bot.ann();
    bot.sends(chat, "<b>x</b> & <h1>").await;
    assert_eq!(bot.chat(chat)[0].text, "<b>x</b> & <h1>");
}

#[tokio::test]
async fn other_parse_modes_are_refused() {
    let bot = Bot::new().await;
    let chat = bot.ann();
    let mode = async |mode: &str| bot.refused("sendMessage", json!({ "chat_id": chat, "text": "x", "parse_mode": mode })).await;
    assert_eq!(mode("MarkdownV2").await, "Bad Request: parse_mode \"markdownv2\" is not supported by the double");
    assert_eq!(mode("RTF").await, "Bad Request: unsupported parse_mode");
}

#[tokio::test]
async fn what_is_not_escaped_passes_when_the_double_is_as_lenient_as_telegram() {
    let bot = Bot::with(Options { refuse_unescaped: false, flood: None, ..Options::default() }).await;
    let chat = bot.ann();
    bot.ok("sendMessage", json!({ "chat_id": chat, "text": "fish & chips > peas", "parse_mode": "HTML" })).await;
    assert_eq!(bot.chat(chat)[0].text, "fish & chips > peas");
}

async fn keyboard_refused(rows: Value) -> String {
    let bot = Bot::new().await;
    let chat = bot.ann();
    let markup = json!({ "inline_keyboard": rows });
    bot.refused("sendMessage", json!({ "chat_id": chat, "text": "x", "reply_markup": markup })).await
}

#[tokio::test]
async fn a_button_sends_1_to_64_bytes() {
    for data in [String::new(), "x".repeat(65), "🦀".repeat(17)] {
        let words = keyboard_refused(json!([[{ "text": "x", "callback_data": data }]])).await;
        assert_eq!(words, "Bad Request: BUTTON_DATA_INVALID", "{data}");
    }
    let bot = Bot::new().await;
    bot.offers(bot.ann(), "x", &"🦀".repeat(16)).await;
}

#[tokio::test]
async fn a_button_does_exactly_one_thing_and_says_what() {
    assert_eq!(
        keyboard_refused(json!([[{ "text": "x" }]])).await,
        "Bad Request: can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard"
    );
    let both = keyboard_refused(json!([[{ "text": "x", "callback_data": "x", "url": "https://a.b" }]])).await;
    assert_eq!(both, "Bad Request: can't parse inline keyboard button: exactly one action must be specified");
    let empty = keyboard_refused(json!([[{ "text": "", "callback_data": "x" }]])).await;
    assert_eq!(empty, "Bad Request: inline keyboard button text must be non-empty");
    let nameless = keyboard_refused(json!([[{ "callback_data": "x" }]])).await;
    assert_eq!(nameless, "Bad Request: can't parse inline keyboard button: can't find field \"text\"");
    let address = keyboard_refused(json!([[{ "text": "x", "url": "localhost" }]])).await;
    assert_eq!(address, "Bad Request: inline keyboard button URL 'localhost' is invalid: Wrong HTTP URL");
    assert_eq!(keyboard_refused(json!([[{ "text": "x", "pay": true }]])).await, "Bad Request: BUTTON_TYPE_INVALID");
}

#[tokio::test]
async fn a_keyboard_has_100_buttons_and_8_in_a_row() {
    let row =
        |buttons: usize| -> Value { (0..buttons).map(|number| json!({ "text": "x", "callback_data": number.to_string() })).collect() };
    assert_eq!(keyboard_refused(json!([row(9)])).await, "Bad Request: reply markup is too long");
    let rows: Vec<Value> = (0..13).map(|_| row(8)).collect();
    assert_eq!(keyboard_refused(json!(rows)).await, "Bad Request: reply markup is too long");
    let bot = Bot::new().await;
    let mut rows: Vec<Value> = (0..12).map(|_| row(8)).collect();
    rows.push(row(4));
    bot.ok("sendMessage", json!({ "chat_id": bot.ann(), "text": "x", "reply_markup": { "inline_keyboard": rows } })).await;
}

#[tokio::test]
async fn an_edit_that_changes_nothing_is_refused() {
    let bot = Bot::new().await;
    let chat = bot.ann();
    let id = bot.offers(chat, "Go", "go").await;
    let keyboard = json!({ "inline_keyboard": [[{ "text": "Go", "callback_data": "go" }]] });
    let same = json!({ "chat_id": chat, "message_id": id, "text": "Choose", "reply_markup": keyboard });
    assert_eq!(bot.refused("editMessageText", same).await, NOT_MODIFIED);
    let markup = json!({ "chat_id": chat, "message_id": id, "reply_markup": keyboard });
    assert_eq!(bot.refused("editMessageReplyMarkup", markup).await, NOT_MODIFIED);
    assert_eq!(bot.chat(chat)[0].edit_count, 0);
    // The same words in bold are another content.
    let bold = json!({ "chat_id": chat, "message_id": id, "text": "<b>Choose</b>", "parse_mode": "HTML", "reply_markup": keyboard });
    bot.ok("editMessageText", bold.clone()).await;
    assert_eq!(bot.refused("editMessageText", bold).await, NOT_MODIFIED);
}

#[tokio::test]
async fn what_is_not_there_or_not_the_bots_can_not_be_edited() {
    let bot = Bot::new().await;
    let chat = bot.ann();
    let edit = |id: i64| json!({ "chat_id": chat, "message_id": id, "text": "x" });
    assert_eq!(bot.refused("editMessageText", edit(999)).await, "Bad Request: message to edit not found");
    bot.says(chat, chat, "mine");
    let own = bot.chat(chat)[0].message_id;
    assert_eq!(bot.refused("editMessageText", edit(own)).await, "Bad Request: message can't be edited");
    let gone = bot.sends(chat, "soon gone").await;
    bot.deletes(chat, chat, gone);
    assert_eq!(bot.refused("editMessageText", edit(gone)).await, "Bad Request: message to edit not found");
    let delete = json!({ "chat_id": chat, "message_id": gone });
    assert_eq!(bot.refused("deleteMessage", delete).await, "Bad Request: message to delete not found");
}

#[tokio::test]
async fn a_chat_that_nobody_opened_is_not_found() {
    let bot = Bot::new().await;
    let stranger = bot.user("Bob");
    for chat in [json!(stranger), json!(12), json!("@somewhere")] {
        assert_eq!(bot.refused("sendMessage", json!({ "chat_id": chat, "text": "x" })).await, "Bad Request: chat not found");
    }
}

#[tokio::test]
async fn a_reply_to_nothing_is_refused() {
    let bot = Bot::new().await;
    let chat = bot.ann();
    let modern = json!({ "chat_id": chat, "text": "x", "reply_parameters": { "message_id": 999 } });
    assert_eq!(bot.refused("sendMessage", modern).await, "Bad Request: message to be replied not found");
    let old = json!({ "chat_id": chat, "text": "x", "reply_to_message_id": 999 });
    assert_eq!(bot.refused("sendMessage", old).await, "Bad Request: message to be replied not found");
    let lenient = json!({ "message_id": 999, "allow_sending_without_reply": true });
    bot.ok("sendMessage", json!({ "chat_id": chat, "text": "x", "reply_parameters": lenient })).await;
    assert_eq!(bot.chat(chat)[0].reply_to, None);
}

#[tokio::test]
async fn a_press_is_answered_once_and_in_time() {
    let too_old = "Bad Request: query is too old and response timeout expired or query ID is invalid";
    let timeout = std::time::Duration::from_millis(80);
    let bot = Bot::with(Options { callback_timeout: timeout, flood: None, ..Options::default() }).await;
    let chat = bot.ann();
    let id = bot.offers(chat, "Go", "go").await;
    bot.presses(chat, chat, id, "Go");
    let query = bot.updates(0).await[0]["callback_query"]["id"].clone();
    let answer = json!({ "callback_query_id": query, "text": "Going", "show_alert": true });
    bot.ok("answerCallbackQuery", answer.clone()).await;
    assert_eq!(bot.refused("answerCallbackQuery", answer).await, too_old);
    assert_eq!(bot.refused("answerCallbackQuery", json!({ "callback_query_id": "1" })).await, too_old);
    let update = bot.presses(chat, chat, id, "Go");
    tokio::time::sleep(timeout * 2).await;
    let late = bot.updates(update).await[0]["callback_query"]["id"].clone();
    assert_eq!(bot.refused("answerCallbackQuery", json!({ "callback_query_id": late })).await, too_old);
    let answered = bot.answered_callbacks();
    assert_eq!(answered.len(), 1);
    assert_eq!((answered[0].data.as_str(), answered[0].text.as_deref(), answered[0].show_alert), ("go", Some("Going"), true));
    assert_eq!(bot.unanswered_callbacks(), 1);
}

#[tokio::test]
async fn what_the_double_has_not_it_says() {
    let bot = Bot::new().await;
    let chat = bot.ann();
    let markup = json!({ "keyboard": [[{ "text": "x" }]] });
    let words = bot.refused("sendMessage", json!({ "chat_id": chat, "text": "x", "reply_markup": markup })).await;
    assert_eq!(words, "Bad Request: reply markup \"keyboard\" is not supported by the double");
    let entities = json!([{ "type": "bold", "offset": 0, "length": 1 }]);
    let words = bot.refused("sendMessage", json!({ "chat_id": chat, "text": "x", "entities": entities })).await;
    assert_eq!(words, "Bad Request: parameter \"entities\" is not supported by the double");
}
