//! A bot as plain as can be: it sends what a test says and gives what came back. It knows nothing of Telegram.

use reqwest::{Client, Response};
use serde_json::{Value, json};
use std::ops::Deref;
use std::time::Duration;
use telegram_double::{FloodLimits, Options, TelegramServer};

/// Longer than any answer takes here, so that a fault of the double is a failed test and no endless one.
const PATIENCE: Duration = Duration::from_secs(60);

/// A bot, and the server that it talks to.
pub(crate) struct Bot {
    pub(crate) server: TelegramServer,
    pub(crate) client: Client,
}

impl Deref for Bot {
    type Target = TelegramServer;

    fn deref(&self) -> &TelegramServer {
        &self.server
    }
}

/// A file of a multipart body: its field, its name and its bytes.
pub(crate) type File<'a> = (&'a str, &'a str, &'a [u8]);

impl Bot {
    pub(crate) async fn with(options: Options) -> Bot {
        let client = Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client");
        Bot { server: TelegramServer::start(options).await, client }
    }

    /// Without flood control, which would be in the way.
    pub(crate) async fn new() -> Bot {
        Bot::with(Options { flood: None, ..Options::default() }).await
    }

    /// With flood control as Telegram has it.
    pub(crate) async fn flooded() -> Bot {
        Bot::with(Options { flood: Some(FloodLimits::default()), ..Options::default() }).await
    }

    /// Somebody, and their private chat.
    pub(crate) fn ann(&self) -> i64 {
        let ann = self.server.user("Ann");
        self.server.private_chat(ann)
    }

    pub(crate) fn address(&self, method: &str) -> String {
        format!("{}/bot{}/{method}", self.server.url, self.server.token)
    }

    pub(crate) async fn try_call(&self, method: &str, fields: Value) -> reqwest::Result<Response> {
        self.client.post(self.address(method)).json(&fields).send().await
    }

    /// The status and the document of an answer.
    pub(crate) async fn call(&self, method: &str, fields: Value) -> (u16, Value) {
        answer(self.try_call(method, fields).await.expect("an answer")).await
    }

    /// The result of a call that has to be done.
    pub(crate) async fn ok(&self, method: &str, fields: Value) -> Value {
        let (status, body) = self.call(method, fields).await;
        assert_eq!((status, &body["ok"]), (200, &json!(true)), "{method}: {body}");
        body["result"].clone()
    }

    /// The words of a call that has to be refused; its status is the same twice.
    pub(crate) async fn refused(&self, method: &str, fields: Value) -> String {
        let (status, body) = self.call(method, fields).await;
        assert_eq!(body["ok"], false, "{method}: {body}");
        assert_eq!(body["error_code"], status, "{method}: {body}");
        body["description"].as_str().expect("a description").to_owned()
    }

    /// Sends a text and gives its message id.
    pub(crate) async fn sends(&self, chat: i64, text: &str) -> i64 {
        self.ok("sendMessage", json!({ "chat_id": chat, "text": text })).await["message_id"].as_i64().expect("a message id")
    }

    /// Sends a text with one button, which sends this data, and gives its message id.
    pub(crate) async fn offers(&self, chat: i64, button: &str, data: &str) -> i64 {
        let keyboard = json!({ "inline_keyboard": [[{ "text": button, "callback_data": data }]] });
        let message = self.ok("sendMessage", json!({ "chat_id": chat, "text": "Choose", "reply_markup": keyboard })).await;
        message["message_id"].as_i64().expect("a message id")
    }

    /// What waits, without waiting for it.
    pub(crate) async fn updates(&self, offset: i64) -> Vec<Value> {
        self.ok("getUpdates", json!({ "offset": offset })).await.as_array().expect("a list").clone()
    }

    /// A multipart body with these fields and files.
    pub(crate) async fn multipart(&self, method: &str, fields: &[(&str, &str)], files: &[File<'_>]) -> (u16, Value) {
        let mut body = Vec::new();
        for (name, value) in fields {
            body.extend(format!("--line\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").bytes());
        }
        for (field, name, bytes) in files {
            let head = format!("--line\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"{name}\"\r\n");
            body.extend(format!("{head}Content-Type: application/octet-stream\r\n\r\n").bytes());
            body.extend_from_slice(bytes);
            body.extend(b"\r\n");
        }
        body.extend(b"--line--\r\n");
        let request = self.client.post(self.address(method)).header("Content-Type", "multipart/form-data; boundary=line").body(body);
        answer(request.send().await.expect("an answer")).await
    }
}

pub(crate) async fn answer(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    (status, response.json().await.expect("a JSON document"))
}

/// The ids of updates.
pub(crate) fn ids(updates: &[Value]) -> Vec<i64> {
    updates.iter().map(|update| update["update_id"].as_i64().expect("an id")).collect()
}
