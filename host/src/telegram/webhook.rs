//! Telegram brings updates here, over HTTPS that a proxy before this port ends. Every process of the bot takes them in, also one that does
//! not speak: an update that is stored is heard by the one that does. A request counts only with the secret that Telegram was given, and
//! is answered only when its update is stored.

use super::api::Trouble;
use super::poll::{HEARD, received};
use super::{AGAIN, Bot, Heard};
use anyhow::{Context, Result, bail};
use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// Where Telegram says the secret.
const SECRET: &str = "x-telegram-bot-api-secret-token";
/// No update is nearly as large.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// An update's body is here by then.
const BODY_LIMIT: Duration = Duration::from_secs(10);
/// Requests at one time, and connections of Telegram's at one time, which it is told.
const REQUESTS_MAX: usize = 64;
const CONNECTIONS_MAX: u32 = 16;
/// How often to look whether Telegram still comes here.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);

/// Where Telegram is to come.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// The address that Telegram is given.
    pub url: String,
    /// The port that the proxy before it comes to.
    pub listen: SocketAddr,
}

/// What requests come to.
struct Door {
    bot: Arc<Bot>,
    secret: SecretString,
    room: Semaphore,
}

impl Bot {
    /// Takes in what Telegram brings, for ever.
    pub(super) async fn listen(self: &Arc<Self>, webhook: &Webhook) -> Result<std::convert::Infallible> {
        let listener = TcpListener::bind(webhook.listen).await.with_context(|| {
            format!("listen on {} for the webhook; choose another with ATELIER_TELEGRAM_WEBHOOK_LISTEN", webhook.listen)
        })?;
        let door = Arc::new(Door { bot: self.clone(), secret: self.secret(), room: Semaphore::new(REQUESTS_MAX) });
        let router = Router::new().route(&path(&webhook.url), post(take)).with_state(door);
        axum::serve(listener, router).await.context("the webhook's port")?;
        bail!("the webhook's port was closed")
    }

    /// Has Telegram come here, until it goes elsewhere.
    pub(super) async fn keep_webhook(&self, webhook: &Webhook) -> Heard {
        let wanted = json!({
            "url": webhook.url, "secret_token": self.secret().expose_secret(), "allowed_updates": HEARD,
            "max_connections": CONNECTIONS_MAX, "drop_pending_updates": false,
        });
        loop {
            match self.api.raw("setWebhook", &wanted).await {
                Ok(_) => break,
                Err(Trouble::Refused { code: 401, .. }) => return Heard::Unknown,
                Err(Trouble::Refused { why, .. }) => return Heard::Refused(why),
                Err(why) => {
                    tracing::warn!("the webhook can't be set yet: {why}");
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
        let mut last_error = Value::Null;
        loop {
            tokio::time::sleep(LOOK_INTERVAL).await;
            let Ok(info) = self.api.raw("getWebhookInfo", &json!({})).await else { continue };
            if info["url"] != webhook.url.as_str() {
                return Heard::Elsewhere("its webhook is another one now".to_owned());
            }
            if info["last_error_date"] != last_error {
                last_error = info["last_error_date"].clone();
                tracing::warn!("Telegram can't bring updates: {}; {} wait", info["last_error_message"], info["pending_update_count"]);
            }
        }
    }

    /// What Telegram says with each update. It follows from the token, so every process of the bot knows it, and says nothing about it.
    fn secret(&self) -> SecretString {
        let digest = Sha256::new().chain_update("atelier webhook of ").chain_update(self.api.token().expose_secret()).finalize();
        SecretString::from(digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    }
}

/// The path of an address; the proxy leaves it as it is.
fn path(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    format!("/{}", rest.split_once('/').map_or("", |(_, path)| path))
}

async fn take(State(door): State<Arc<Door>>, request: Request) -> StatusCode {
    if !door.lets_in(request.headers()) {
        return StatusCode::UNAUTHORIZED;
    }
    let Ok(_room) = door.room.try_acquire() else { return StatusCode::SERVICE_UNAVAILABLE };
    let body = match tokio::time::timeout(BODY_LIMIT, to_bytes(request.into_body(), BODY_BYTES_MAX)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return StatusCode::PAYLOAD_TOO_LARGE,
        Err(_) => return StatusCode::REQUEST_TIMEOUT,
    };
    let Some(update) = serde_json::from_slice(&body).ok().filter(|update| received(update).is_some()) else {
        return StatusCode::BAD_REQUEST;
    };
    match door.bot.take_in(&[update]).await {
        Ok(()) => StatusCode::OK,
        // Telegram brings it again.
        Err(error) => {
            tracing::warn!("an update can't be stored yet: {error}");
            StatusCode::SERVICE_UNAVAILABLE
        }
    }
}

impl Door {
    /// Compares digests, so that the time it takes tells nothing about the secret.
    fn lets_in(&self, headers: &HeaderMap) -> bool {
        let said = headers.get(SECRET).map(|value| value.as_bytes()).unwrap_or_default();
        Sha256::digest(said) == Sha256::digest(self.secret.expose_secret())
    }
}
