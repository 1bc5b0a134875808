//! Takes updates in. They are stored before Telegram is told that they were heard, each under its number, so none is lost and none
//! counts twice. Either they are asked for here, or Telegram brings them ([`super::webhook`]).

use super::api::Trouble;
use super::{AGAIN, Bot, Heard};
use crate::store::chats::Received;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use teloxide_core::payloads::{GetUpdates, GetUpdatesSetters};
use teloxide_core::types::AllowedUpdate;

/// How long Telegram holds a poll that brings nothing.
const POLL: Duration = Duration::from_secs(25);
/// Telegram's code for a second poller, and for a poller beside a webhook.
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
    /// Asks for updates until somebody else does.
    pub(super) async fn poll(self: &Arc<Self>) -> Heard {
        self.end_webhook().await;
        // What was confirmed is Telegram's to know: it begins with the first that was not. The numbers begin anew after a quiet week, so
        // the largest that is stored says nothing.
        let mut offset = 0;
        loop {
            let request =
                GetUpdates::new().offset(offset).timeout(u32::try_from(POLL.as_secs()).unwrap_or(u32::MAX)).allowed_updates(HEARD);
            match self.api.call::<_, Vec<Value>>(&request, POLL).await {
                Ok(updates) => match self.take_in(&updates).await {
                    Ok(()) => offset = after(&updates).unwrap_or(offset),
                    // They come again: they were not confirmed.
                    Err(error) => {
                        tracing::warn!("updates can't be stored yet: {error}");
                        tokio::time::sleep(AGAIN).await;
                    }
                },
                Err(Trouble::Refused { code: CONFLICT, why, .. }) => return Heard::Elsewhere(why),
                Err(Trouble::Refused { code: 401, .. }) => return Heard::Unknown,
                Err(Trouble::Again(wait)) => tokio::time::sleep(wait).await,
                Err(why) => {
                    tracing::warn!("no updates: {why}");
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }

    /// From a webhook of another time nothing comes here. What waits for it stays.
    async fn end_webhook(&self) {
        while let Err(why) = self.api.raw("deleteWebhook", &json!({ "drop_pending_updates": false })).await {
            tracing::warn!("the webhook of another time can't be ended: {why}");
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Stores updates, after which they may be confirmed.
    pub(super) async fn take_in(self: &Arc<Self>, updates: &[Value]) -> crate::store::Result<()> {
        self.answer_checkouts(updates);
        let received: Vec<Received> = updates.iter().filter_map(received).collect();
        self.store.receive(&received).await
    }
}

/// The number after the last of these. Telegram gives them in their order, of which nothing here makes use.
fn after(updates: &[Value]) -> Option<i32> {
    let last = updates.iter().filter_map(|update| update["update_id"].as_i64()).max()?;
    i32::try_from(last + 1).ok()
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
