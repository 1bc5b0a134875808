//! Takes updates in. They are stored before Telegram is told that they were heard, each under its number, so none is lost and none
//! counts twice.

use super::Bot;
use super::api::Trouble;
use crate::store::chats::Received;
use anyhow::{Result, bail};
use serde_json::Value;
use std::time::Duration;
use teloxide_core::payloads::{GetUpdates, GetUpdatesSetters, SetMyCommands};
use teloxide_core::types::{AllowedUpdate, BotCommand};

/// How long Telegram holds a poll that brings nothing.
const POLL: Duration = Duration::from_secs(25);
/// After a poll that failed.
const AGAIN: Duration = Duration::from_secs(1);
/// Telegram's code for a second poller.
const CONFLICT: u16 = 409;
/// What the menu of the chat shows.
const COMMANDS: &[(&str, &str)] = &[
    ("new", "begin a project"),
    ("status", "where it stands"),
    ("plan", "plan and price"),
    ("change", "ask for something different"),
    ("pause", "let it wait"),
    ("resume", "let it go on"),
    ("cancel", "stop it"),
    ("retry", "try again what failed"),
    ("budget", "set another ceiling"),
    ("history", "all your projects"),
    ("credits", "what you have"),
    ("help", "what I can do"),
];

impl Bot {
    /// Shows the commands in the chat's menu. It is no matter if that fails.
    pub(super) async fn introduce(&self) {
        let commands = COMMANDS.iter().map(|(name, text)| BotCommand::new(*name, *text));
        if let Err(why) = self.api.call::<_, Value>(&SetMyCommands::new(commands), Duration::ZERO).await {
            tracing::warn!("the menu of commands can't be shown: {why}");
        }
    }

    /// Takes updates in, for ever.
    pub(super) async fn poll(&self) -> Result<()> {
        loop {
            let offset = i32::try_from(self.store.next_update().await?).unwrap_or(i32::MAX);
            let request = GetUpdates::new()
                .offset(offset)
                .timeout(u32::try_from(POLL.as_secs()).unwrap_or(u32::MAX))
                .allowed_updates([AllowedUpdate::Message, AllowedUpdate::CallbackQuery]);
            match self.api.call::<_, Vec<Value>>(&request, POLL).await {
                Ok(updates) => {
                    let received: Vec<Received> = updates.iter().filter_map(received).collect();
                    self.store.receive(&received).await?;
                }
                Err(Trouble::Refused { code: CONFLICT, why, .. }) => {
                    bail!("another process polls for this bot ({why}); stop it, or give this one another token")
                }
                Err(Trouble::Refused { code: 401, .. }) => {
                    bail!("Telegram does not know this bot; ATELIER_TELEGRAM_TOKEN is what @BotFather gave")
                }
                Err(Trouble::Again(wait)) => tokio::time::sleep(wait).await,
                Err(why) => {
                    tracing::warn!("no updates: {why}");
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }
}

/// An update with the chat that it belongs to, so that what is said in one chat is heard in its order.
fn received(update: &Value) -> Option<Received> {
    let chat = ["/message/chat/id", "/edited_message/chat/id", "/callback_query/message/chat/id", "/callback_query/from/id"]
        .iter()
        .find_map(|place| update.pointer(place)?.as_i64());
    Some(Received { update: update["update_id"].as_i64()?, chat: chat.unwrap_or_default(), body: update.to_string() })
}
