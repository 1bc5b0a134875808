//! `getUpdates`: waits for what waits for the bot. There is one poll at a time; a newer one ends the older with a 409, as Telegram
//! does, so that a bot that lost its connection can simply ask again.

use crate::call::Call;
use crate::refusal::Refusal;
use crate::state::State;
use crate::wire::Server;
use serde_json::Value;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Telegram waits no longer than this, whatever it is asked.
const TIMEOUT_MAX_SECONDS: i64 = 50;

/// Waits for updates, at most as long as the bot wants to.
pub(crate) async fn get_updates(server: &Server, call: &Call) -> Result<Value, Refusal> {
    let limit = call.integer("limit")?.unwrap_or(100).clamp(1, 100) as usize;
    let timeout = call.integer("timeout")?.unwrap_or(0).clamp(0, TIMEOUT_MAX_SECONDS).unsigned_abs();
    let offset = call.integer("offset")?.unwrap_or(0);
    let allowed = allowed_updates(call)?;
    let deadline = Instant::now() + Duration::from_secs(timeout);
    let mut changes = server.changes.subscribe();
    let own = server.change(|state| {
        no_webhook(state, "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first")?;
        state.updates.allow(allowed);
        if offset != 0 {
            state.updates.confirm(offset);
        }
        state.updates.poller += 1;
        Ok(state.updates.poller)
    })?;
    loop {
        {
            let mut state = server.look();
            no_webhook(&state, "terminated by setWebhook request")?;
            if state.updates.poller != own {
                let words = "terminated by other getUpdates request; make sure that only one bot instance is running";
                return Err(Refusal::conflict(words));
            }
            let batch = state.updates.first(limit);
            if !batch.is_empty() || Instant::now() >= deadline {
                return Ok(Value::Array(batch));
            }
        }
        // Either something changed or the time is over; the loop finds out which.
        timeout_at(deadline, changes.changed()).await.ok();
    }
}

/// The kinds of updates that a call names.
pub(crate) fn allowed_updates(call: &Call) -> Result<Option<Vec<String>>, Refusal> {
    let Some(list) = call.list("allowed_updates")? else { return Ok(None) };
    let kind = |kind: &Value| kind.as_str().map(str::to_owned).ok_or_else(|| Refusal::ill_typed("allowed_updates", "Array of String"));
    list.iter().map(kind).collect::<Result<_, _>>().map(Some)
}

fn no_webhook(state: &State, words: &str) -> Result<(), Refusal> {
    match state.webhook {
        Some(_) => Err(Refusal::conflict(words)),
        None => Ok(()),
    }
}
