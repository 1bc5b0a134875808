//! `setWebhook`, and the one who brings updates to it: in order, one at a time, again and again until they are taken. It goes to plain
//! HTTP on loopback and nowhere else, where Telegram goes to HTTPS and nowhere else.

use crate::call::Call;
use crate::polling::allowed_updates;
use crate::refusal::Refusal;
use crate::state::State;
use crate::wire::Server;
use crate::world::unix_seconds;
use serde_json::{Value, json};
use std::io;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// More of an answer than this is not read; only its first line matters.
const ANSWER_MAX_BYTES: u64 = 64 * 1024;

/// Where updates go.
#[derive(Clone)]
pub(crate) struct Webhook {
    pub(crate) url: String,
    pub(crate) secret: Option<String>,
    last_error: Option<(SystemTime, String)>,
}

/// `setWebhook`.
pub(crate) fn set(state: &mut State, call: &Call) -> Result<Value, Refusal> {
    let Some(url) = call.text("url")? else { return delete(state, call) };
    place(url).ok_or_else(|| Refusal::bad_request("bad webhook: the double goes to http://127.0.0.1 or http://localhost only"))?;
    let secret = call.text("secret_token")?.map(str::to_owned);
    if let Some(secret) = &secret {
        if secret.len() > 256 {
            return Err(Refusal::bad_request("secret token is too long"));
        }
        if !secret.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')) {
            return Err(Refusal::bad_request("secret token contains unallowed characters"));
        }
    }
    state.updates.allow(allowed_updates(call)?);
    if call.flag("drop_pending_updates")? {
        state.updates.clear();
    }
    state.webhook = Some(Webhook { url: url.to_owned(), secret, last_error: None });
    Ok(json!(true))
}

/// `deleteWebhook`.
pub(crate) fn delete(state: &mut State, call: &Call) -> Result<Value, Refusal> {
    if call.flag("drop_pending_updates")? {
        state.updates.clear();
    }
    state.webhook = None;
    Ok(json!(true))
}

/// `getWebhookInfo`.
pub(crate) fn info(state: &State) -> Value {
    let url = state.webhook.as_ref().map_or("", |webhook| &webhook.url);
    let mut info = json!({ "url": url, "has_custom_certificate": false, "pending_update_count": state.updates.pending() });
    if let Some((at, words)) = state.webhook.as_ref().and_then(|webhook| webhook.last_error.as_ref()) {
        info["last_error_date"] = json!(unix_seconds(*at));
        info["last_error_message"] = json!(words);
    }
    if let Some(allowed) = state.updates.allowed() {
        info["allowed_updates"] = json!(allowed);
    }
    info
}

/// Brings updates to the webhook for as long as the server lives.
pub(crate) async fn deliver(server: Arc<Server>) {
    let mut changes = server.changes.subscribe();
    loop {
        let next = {
            let state = server.look();
            let limits = (state.options.webhook_timeout, state.options.webhook_retry_delay);
            state.webhook.clone().zip(state.updates.head().cloned()).map(|(webhook, update)| (webhook, update, limits))
        };
        let Some((webhook, update, (timeout, retry_delay))) = next else {
            if changes.changed().await.is_err() {
                return;
            }
            continue;
        };
        let taken = match tokio::time::timeout(timeout, post(&webhook, &update)).await {
            Ok(Ok(status)) if status.split(' ').next().is_some_and(|code| code.starts_with('2')) => Ok(()),
            Ok(Ok(status)) => Err(format!("Wrong response from the webhook: {status}")),
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => Err("Connection refused".to_owned()),
            Ok(Err(error)) => Err(format!("Connection failed: {error}")),
            Err(_) => Err("Read timeout expired".to_owned()),
        };
        let failed = taken.is_err();
        server.change(|state| match (taken, &mut state.webhook) {
            (Ok(()), _) => state.updates.drop_head(&update["update_id"]),
            (Err(words), Some(webhook)) => webhook.last_error = Some((SystemTime::now(), words)),
            (Err(_), None) => {}
        });
        if failed {
            tokio::time::sleep(retry_delay).await;
        }
    }
}

/// The address and the path of a URL on loopback.
fn place(url: &str) -> Option<(String, String)> {
    let rest = url.strip_prefix("http://")?;
    let (address, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (host, port) = address.split_once(':').unwrap_or((address, "80"));
    let port: u16 = port.parse().ok()?;
    ["127.0.0.1", "localhost"].contains(&host).then(|| (format!("{host}:{port}"), format!("/{path}")))
}

/// Posts an update and gives the status that came back, as `200 OK`.
async fn post(webhook: &Webhook, update: &Value) -> io::Result<String> {
    let (address, path) = place(&webhook.url).ok_or(io::ErrorKind::InvalidInput)?;
    let mut stream = TcpStream::connect(&address).await?;
    let secret = webhook.secret.as_ref().map(|secret| format!("X-Telegram-Bot-Api-Secret-Token: {secret}\r\n")).unwrap_or_default();
    let body = update.to_string();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n{secret}Content-Length: {}\r\n\
         Accept-Encoding: gzip, deflate\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(ANSWER_MAX_BYTES).read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.lines().next().and_then(|line| line.strip_prefix("HTTP/1.")).and_then(|line| line.split_once(' '));
    status.map(|(_, status)| status.to_owned()).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}
