//! What goes wrong on purpose does so, and nothing else does.

use crate::bot::{Bot, answer};
use serde_json::json;
use std::time::{Duration, Instant};
use telegram_double::{Down, Failure};

#[tokio::test]
async fn answers_are_late_when_they_are_delayed() {
    let bot = Bot::new().await;
    bot.delay_answers(Duration::from_millis(200));
    let began = Instant::now();
    bot.ok("getMe", json!({})).await;
    assert!(began.elapsed() >= Duration::from_millis(200));
    bot.clear_faults();
    let began = Instant::now();
    bot.ok("getMe", json!({})).await;
    assert!(began.elapsed() < Duration::from_millis(200));
}

#[tokio::test]
async fn so_many_calls_of_one_method_fail_and_then_no_more() {
    let bot = Bot::new().await;
    let chat = bot.ann();
    bot.fail_next("sendmessage", 2, Failure::ServerError);
    bot.ok("getMe", json!({})).await;
    for _ in 0..2 {
        assert_eq!(bot.call("sendMessage", json!({ "chat_id": chat, "text": "x" })).await.0, 500);
    }
    assert_eq!((bot.failures_left(), bot.chat(chat).len()), (0, 0));
    bot.sends(chat, "x").await;
}

#[tokio::test]
async fn a_bad_gateway_answers_with_a_page() {
    let bot = Bot::new().await;
    bot.fail_next("*", 1, Failure::BadGateway);
    let response = bot.try_call("getMe", json!({})).await.expect("an answer");
    assert_eq!(response.status(), 502);
    assert!(response.text().await.expect("a body").starts_with("<html>"));
}

#[tokio::test]
async fn a_planned_429_and_a_planned_refusal_look_like_real_ones() {
    let bot = Bot::new().await;
    bot.fail_next("getMe", 1, Failure::RetryAfter(7));
    bot.fail_next("getMe", 1, Failure::Refused(403, "Forbidden: user is deactivated".to_owned()));
    let (status, body) = bot.call("getMe", json!({})).await;
    assert_eq!((status, &body["parameters"]["retry_after"]), (429, &json!(7)));
    assert_eq!(bot.refused("getMe", json!({})).await, "Forbidden: user is deactivated");
}

#[tokio::test]
async fn an_ambiguous_send_is_shown_and_not_answered() {
    let bot = Bot::new().await;
    let chat = bot.ann();
    bot.fail_next("sendMessage", 1, Failure::DoneThenClosed);
    let error = bot.try_call("sendMessage", json!({ "chat_id": chat, "text": "perhaps" })).await.expect_err("no answer");
    assert!(!error.is_connect(), "{error:?}");
    assert_eq!(bot.chat(chat)[0].text, "perhaps");
    let log = bot.outbox_log();
    assert!(log[0].accepted() && !log[0].answered);
    bot.sends(chat, "surely").await;
}

#[tokio::test]
async fn a_connection_that_closes_before_the_call_is_done_shows_nothing() {
    let bot = Bot::new().await;
    let chat = bot.ann();
    bot.fail_next("sendMessage", 1, Failure::ClosedBeforeDone);
    bot.try_call("sendMessage", json!({ "chat_id": chat, "text": "no" })).await.expect_err("no answer");
    assert_eq!(bot.chat(chat).len(), 0);
    assert!(!bot.outbox_log()[0].accepted());
}

#[tokio::test]
async fn not_a_byte_is_written_before_the_connection_closes() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let bot = Bot::new().await;
    let chat = bot.ann();
    bot.fail_next("sendMessage", 1, Failure::DoneThenClosed);
    let mut stream = tokio::net::TcpStream::connect(bot.url.trim_start_matches("http://")).await.expect("a connection");
    let path = format!("/bot{}/sendMessage?chat_id={chat}&text=x", bot.token);
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.expect("it is sent");
    let mut bytes = Vec::new();
    // Whether it ends or is reset is the system's choice.
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut bytes)).await;
    assert!(read.is_ok(), "the connection stays open");
    assert_eq!((bytes.len(), bot.chat(chat).len()), (0, 1));
}

#[tokio::test]
async fn while_it_is_down_connections_are_refused_or_reset_and_then_taken_again() {
    for how in [Down::Refused, Down::Reset] {
        let bot = Bot::new().await;
        let chat = bot.ann();
        bot.sends(chat, "before").await;
        let (waiting, ()) = tokio::join!(bot.try_call("getUpdates", json!({ "timeout": 20 })), async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            bot.goes_down(how);
        });
        waiting.expect_err("a poll that was waiting is cut");
        tokio::time::sleep(Duration::from_millis(50)).await;
        let error = bot.try_call("getMe", json!({})).await.expect_err("nobody is there");
        assert_eq!(error.is_connect(), how == Down::Refused, "{error:?}");
        bot.says(chat, chat, "are you there?");
        bot.comes_back();
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(bot.updates(0).await.len(), 1, "what was said meanwhile is not lost");
        assert_eq!(bot.chat(chat).len(), 2);
    }
}

#[tokio::test]
async fn it_comes_back_by_itself() {
    let bot = Bot::new().await;
    tokio::join!(bot.is_down_for(Down::Refused, Duration::from_millis(200)), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        bot.try_call("getMe", json!({})).await.expect_err("nobody is there");
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    bot.ok("getMe", json!({})).await;
}

#[tokio::test]
async fn a_fault_meets_a_download_neither_early_nor_twice() {
    let bot = Bot::new().await;
    let chat = bot.ann();
    bot.sends_file(chat, chat, "a.txt", b"hello", "");
    let file_id = bot.chat(chat)[0].document.clone().expect("a document").file_id;
    bot.fail_next("getFile", 1, Failure::ServerError);
    assert_eq!(bot.call("getFile", json!({ "file_id": file_id })).await.0, 500);
    let path = bot.ok("getFile", json!({ "file_id": file_id })).await["file_path"].clone();
    let address = format!("{}/file/bot{}/{}", bot.url, bot.token, path.as_str().expect("a path"));
    let response = bot.client.get(address).send().await.expect("an answer");
    assert_eq!(response.bytes().await.expect("bytes").as_ref(), b"hello");
    let missing = format!("{}/file/bot{}/documents/none.txt", bot.url, bot.token);
    assert_eq!(answer(bot.client.get(missing).send().await.expect("an answer")).await.0, 404);
}
