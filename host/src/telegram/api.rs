//! Telegram's Bot API over HTTP. Requests and their fields are teloxide's; sending is ours, because what became of a request must be known
//! exactly: whether it was refused, never arrived, or may have been carried out without our hearing of it. The token is part of every
//! address, so no address is ever logged.

use reqwest::{Client, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::time::Duration;
use teloxide_core::requests::Payload;

/// How long to wait for the server, and for an answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
const FETCH_TIMEOUT: Duration = Duration::from_secs(120);
/// Answers larger than this are none of Telegram's: updates come a hundred at a time.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Why a request brought nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// Not now: there were too many. Nothing was done.
    #[error("too many requests; again in {} s", .0.as_secs())]
    Again(Duration),
    /// Telegram does not do it, and would not the next time.
    #[error("refused ({code}): {why}")]
    Refused {
        /// Telegram's code.
        code: u16,
        /// Its words.
        why: String,
    },
    /// The group has another number now.
    #[error("the group is chat {0} now")]
    Moved(i64),
    /// It did not get there, or the server failed before it did anything.
    #[error("not delivered: {0}")]
    Undelivered(String),
    /// It may have been done.
    #[error("nobody knows whether it was done: {0}")]
    Uncertain(String),
}

/// A bot's connection to its server.
pub struct Api {
    client: Client,
    base: String,
    token: SecretString,
}

#[derive(serde::Deserialize)]
struct Answer {
    ok: bool,
    #[serde(default)]
    result: Value,
    #[serde(default)]
    error_code: u16,
    #[serde(default)]
    description: String,
    #[serde(default)]
    parameters: Parameters,
}

#[derive(Default, serde::Deserialize)]
struct Parameters {
    retry_after: Option<u64>,
    migrate_to_chat_id: Option<i64>,
}

impl Api {
    /// To the server at this address, such as `https://api.telegram.org`, as the bot of this token.
    pub fn new(base: &str, token: SecretString) -> reqwest::Result<Api> {
        let client = Client::builder().connect_timeout(CONNECT_TIMEOUT).redirect(reqwest::redirect::Policy::none()).no_proxy().build()?;
        Ok(Api { client, base: base.trim_end_matches('/').to_owned(), token })
    }

    pub(super) fn token(&self) -> &SecretString {
        &self.token
    }

    /// Makes a request; waits so much longer for an answer than usual.
    pub async fn call<P, T>(&self, payload: &P, longer: Duration) -> Result<T, Trouble>
    where
        P: Payload + Serialize,
        T: DeserializeOwned,
    {
        let request = self.client.post(self.address(P::NAME)).json(payload).timeout(ANSWER_TIMEOUT + longer);
        self.answer(request).await
    }

    /// Makes a request that has no type of teloxide's, or needs less than its type asks for.
    pub async fn raw(&self, method: &str, body: &Value) -> Result<Value, Trouble> {
        self.answer(self.client.post(self.address(method)).json(body).timeout(ANSWER_TIMEOUT)).await
    }

    /// Fetches a file that somebody sent, of at most so many bytes.
    pub async fn fetch(&self, file: &str, bytes_max: usize) -> Result<Vec<u8>, Trouble> {
        let found = self.raw("getFile", &serde_json::json!({ "file_id": file })).await?;
        let path = found["file_path"].as_str().unwrap_or_default();
        let address = format!("{}/file/bot{}/{path}", self.base, self.token.expose_secret());
        let undelivered = |error| Trouble::Undelivered(kind(error));
        let mut response = self.client.get(address).timeout(FETCH_TIMEOUT).send().await.map_err(undelivered)?;
        if !response.status().is_success() {
            return Err(Trouble::Refused { code: response.status().as_u16(), why: "the file is not there".to_owned() });
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(undelivered)? {
            if bytes.len() + chunk.len() > bytes_max {
                return Err(Trouble::Refused { code: 413, why: "the file is larger than was said".to_owned() });
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    /// Sends a file.
    pub async fn send_document(&self, chat: i64, name: &str, bytes: Vec<u8>) -> Result<Value, Trouble> {
        let boundary = format!("atelier-{}", uuid::Uuid::new_v4().simple());
        let name: String = name.chars().filter(|letter| !matches!(letter, '"' | '\r' | '\n')).collect();
        let mut body = format!(
            "--{boundary}\r\ncontent-disposition: form-data; name=\"chat_id\"\r\n\r\n{chat}\r\n--{boundary}\r\ncontent-disposition: form-data; name=\"document\"; filename=\"{name}\"\r\ncontent-type: application/octet-stream\r\n\r\n"
        )
        .into_bytes();
        body.extend(bytes);
        body.extend(format!("\r\n--{boundary}--\r\n").into_bytes());
        let request = self
            .client
            .post(self.address("SendDocument"))
            .header("content-type", format!("multipart/form-data; boundary={boundary}"))
            .body(body)
            .timeout(ANSWER_TIMEOUT * 4);
        self.answer(request).await
    }

    fn address(&self, method: &str) -> String {
        format!("{}/bot{}/{method}", self.base, self.token.expose_secret())
    }

    async fn answer<T: DeserializeOwned>(&self, request: reqwest::RequestBuilder) -> Result<T, Trouble> {
        let mut response = request.send().await.map_err(|error| {
            let (arrived, why) = (!error.is_connect(), kind(error));
            if arrived { Trouble::Uncertain(why) } else { Trouble::Undelivered(why) }
        })?;
        let status = response.status();
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() <= ANSWER_BYTES_MAX => body.extend_from_slice(&chunk),
                Ok(Some(_)) => return Err(Trouble::Uncertain("the answer is too large".to_owned())),
                Ok(None) => break,
                Err(error) => return Err(Trouble::Uncertain(kind(error))),
            }
        }
        let answer: Answer = match serde_json::from_slice(&body) {
            Ok(answer) => answer,
            // A page of a server in between.
            Err(_) if status.is_server_error() => return Err(Trouble::Undelivered(format!("status {status}"))),
            Err(_) => return Err(Trouble::Uncertain(format!("status {status} and no answer of Telegram's"))),
        };
        match (answer.ok, status) {
            (true, _) => serde_json::from_value(answer.result).map_err(|error| Trouble::Uncertain(error.to_string())),
            (false, StatusCode::TOO_MANY_REQUESTS) => {
                Err(Trouble::Again(Duration::from_secs(answer.parameters.retry_after.unwrap_or(1).max(1))))
            }
            (false, status) if status.is_server_error() => Err(Trouble::Undelivered(answer.description)),
            (false, _) if answer.parameters.migrate_to_chat_id.is_some() => {
                Err(Trouble::Moved(answer.parameters.migrate_to_chat_id.unwrap_or_default()))
            }
            (false, _) => Err(Trouble::Refused { code: answer.error_code, why: answer.description }),
        }
    }
}

/// What kind of error it is, without the address that it was about.
fn kind(error: reqwest::Error) -> String {
    error.without_url().to_string()
}
