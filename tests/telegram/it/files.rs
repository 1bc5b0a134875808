//! Documents, there and back.

use crate::bot::Bot;
use serde_json::json;
use telegram_double::Options;

#[tokio::test]
async fn a_document_comes_as_multipart_and_is_shown_byte_for_byte() {
    let bot = Bot::new().await;
    let chat = bot.ann();
    let bytes: Vec<u8> = (0..100_000_u32).map(|number| (number % 251) as u8).collect();
    let fields = [("chat_id", chat.to_string()), ("caption", "<b>Yours</b>".to_owned()), ("parse_mode", "HTML".to_owned())];
    let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
    let (status, body) = bot.multipart("sendDocument", &fields, &[("document", "project.zip", &bytes)]).await;
    assert_eq!(status, 200, "{body}");
    let document = &body["result"]["document"];
    assert_eq!((document["file_name"].as_str(), document["mime_type"].as_str()), (Some("project.zip"), Some("application/zip")));
    assert_eq!(body["result"]["caption_entities"], json!([{ "type": "bold", "offset": 0, "length": 5 }]));
    let shown = bot.chat(chat)[0].document.clone().expect("a document");
    assert_eq!((shown.name.as_str(), shown.caption.as_str()), ("project.zip", "Yours"));
    assert!(shown.bytes == bytes);
}

#[tokio::test]
async fn a_document_can_be_attached_under_another_name() {
    let bot = Bot::new().await;
    let chat = bot.ann();
    let fields = [("chat_id", chat.to_string()), ("document", "attach://f1a2".to_owned())];
    let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
    let (status, body) = bot.multipart("sendDocument", &fields, &[("f1a2", "a.txt", b"hello")]).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(bot.chat(chat)[0].document.clone().expect("a document").bytes, b"hello");
}

#[tokio::test]
async fn a_known_document_is_sent_by_its_id() {
    let bot = Bot::new().await;
    let chat = bot.ann();
    bot.sends_file(chat, chat, "a.txt", b"hello", "look");
    let file_id = bot.updates(0).await[0]["message"]["document"]["file_id"].clone();
    bot.ok("sendDocument", json!({ "chat_id": chat, "document": file_id })).await;
    assert_eq!(bot.chat(chat)[1].document.clone().expect("a document").bytes, b"hello");
    for unknown in ["BQACnothing", "https://example.com/a.zip"] {
        let words = bot.refused("sendDocument", json!({ "chat_id": chat, "document": unknown })).await;
        assert_eq!(words, "Bad Request: wrong file identifier/HTTP URL specified");
    }
}

#[tokio::test]
async fn an_empty_or_a_huge_document_is_refused() {
    let bot = Bot::with(Options { upload_limit_bytes: 1000, flood: None, ..Options::default() }).await;
    let chat = bot.ann().to_string();
    let send = async |bytes: &[u8]| bot.multipart("sendDocument", &[("chat_id", &chat)], &[("document", "a", bytes)]).await;
    assert_eq!(send(b"").await.1["description"], "Bad Request: file must be non-empty");
    assert_eq!(send(&[7; 1000]).await.0, 200);
    let (status, body) = send(&[7; 1001]).await;
    assert_eq!((status, body["description"].as_str()), (413, Some("Request Entity Too Large")));
}

#[tokio::test]
async fn a_caption_has_1024_utf_16_code_units() {
    let bot = Bot::new().await;
    let chat = bot.ann().to_string();
    for (letters, wanted) in [(1024, 200), (1025, 400)] {
        let caption = "x".repeat(letters);
        let fields = [("chat_id", chat.as_str()), ("caption", caption.as_str())];
        let (status, body) = bot.multipart("sendDocument", &fields, &[("document", "a", b"a")]).await;
        assert_eq!(status, wanted);
        assert!(wanted == 200 || body["description"] == "Bad Request: message caption is too long");
    }
}

#[tokio::test]
async fn a_file_that_is_too_big_is_not_given() {
    let bot = Bot::with(Options { download_limit_bytes: 10, ..Options::default() }).await;
    let chat = bot.ann();
    bot.sends_file(chat, chat, "a.txt", &[7; 11], "");
    let file_id = bot.chat(chat)[0].document.clone().expect("a document").file_id;
    assert_eq!(bot.refused("getFile", json!({ "file_id": file_id })).await, "Bad Request: file is too big");
    assert_eq!(bot.refused("getFile", json!({ "file_id": "none" })).await, "Bad Request: invalid file_id");
    assert_eq!(Options::default().download_limit_bytes, 20 * 1024 * 1024);
}

#[tokio::test]
async fn the_text_of_a_document_can_not_be_edited() {
    let bot = Bot::new().await;
    let chat = bot.ann();
    let (_, body) = bot.multipart("sendDocument", &[("chat_id", &chat.to_string())], &[("document", "a", b"a")]).await;
    let id = &body["result"]["message_id"];
    let words = bot.refused("editMessageText", json!({ "chat_id": chat, "message_id": id, "text": "x" })).await;
    assert_eq!(words, "Bad Request: there is no text in the message to edit");
}
