//! Takes updates in. They are stored before Telegram is told that they were heard, each under its number, so none is lost and none
//! counts twice.

use super::api::Trouble;
use super::{AGAIN, Bot};
use crate::store::chats::Received;
use anyhow::{Result, bail};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use teloxide_core::payloads::{GetUpdates, GetUpdatesSetters};
use teloxide_core::types::AllowedUpdate;

/// How long Telegram holds a poll that brings nothing.
const POLL: Duration = Duration::from_secs(25);
/// Telegram's code for a second poller.
const CONFLICT: u16 = 409;
/// What is heard of.
pub(super) const HEARD: [AllowedUpdate; 5] = [
    AllowedUpdate::Message,
    AllowedUpdate::EditedMessage,
    AllowedUpdate::CallbackQuery,
    AllowedUpdate::MyChatMember,
    AllowedUpdate::PreCheckoutQuery,
];

impl Bot {
    /// Takes updates in, for ever.
    pub(super) async fn poll(self: &Arc<Self>) -> Result<()> {
        loop {
            let offset = match self.store.next_update().await {
                Ok(next) => i32::try_from(next).unwrap_or(i32::MAX),
                Err(error) => {
                    tracing::warn!("the inbox can't be read: {error}");
                    tokio::time::sleep(AGAIN).await;
                    continue;
                }
            };
            let request =
                GetUpdates::new().offset(offset).timeout(u32::try_from(POLL.as_secs()).unwrap_or(u32::MAX)).allowed_updates(HEARD);
            match self.api.call::<_, Vec<Value>>(&request, POLL).await {
                Ok(updates) => self.take_in(&updates).await,
                Err(Trouble::Refused { code: CONFLICT, why, .. }) => {
                    bail!("another process polls for this bot ({why}); stop it, or give this one another token")
                }
                Err(Trouble::Refused { code: 401, .. }) => {
                    bail!("Telegram does not know this bot any more; ATELIER_TELEGRAM_TOKEN is what @BotFather gave")
                }
                Err(Trouble::Again(wait)) => tokio::time::sleep(wait).await,
                Err(why) => {
                    tracing::warn!("no updates: {why}");
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }

    /// Stores updates. What can't be stored comes again: it was not confirmed.
    async fn take_in(self: &Arc<Self>, updates: &[Value]) {
        self.answer_checkouts(updates);
        let received: Vec<Received> = updates.iter().filter_map(received).collect();
        if let Err(error) = self.store.receive(&received).await {
            tracing::warn!("updates can't be stored yet: {error}");
            tokio::time::sleep(AGAIN).await;
        }
    }
}

/// An update with the chat that it belongs to, so that what is said in one chat is heard in its order.
pub(super) fn received(update: &Value) -> Option<Received> {
    let places = [
        "/message/chat/id",
        "/edited_message/chat/id",
        "/callback_query/message/chat/id",
        "/callback_query/from/id",
        "/pre_checkout_query/from/id",
        "/my_chat_member/chat/id",
    ];
    let chat = places.iter().find_map(|place| update.pointer(place)?.as_i64());
    Some(Received { update: update["update_id"].as_i64()?, chat: chat.unwrap_or_default(), body: update.to_string() })
}
