//! The double's own log of calls, in the order in which they were decided. A test holds what a bot believes against it.

use crate::call::Call;
use crate::refusal::Refusal;
use crate::state::State;
use serde_json::{Map, Value};
use std::time::SystemTime;

/// How many calls are remembered; a soak test of a day stays below it.
const CALLS_MAX: usize = 200_000;

/// One call of a method.
#[derive(Clone, Debug)]
pub struct LoggedCall {
    /// When it was decided.
    pub at: SystemTime,
    /// The method, as Telegram spells it.
    pub method: String,
    /// The chat it was about.
    pub chat: Option<i64>,
    /// The message that it made or changed.
    pub message: Option<i64>,
    /// Its parameters, as they came. Files are not among them.
    pub fields: Map<String, Value>,
    /// Why it was refused, when it was.
    pub error: Option<Refusal>,
    /// Whether the bot got to know how it ended.
    pub answered: bool,
}

impl LoggedCall {
    /// Whether it was done.
    pub fn accepted(&self) -> bool {
        self.error.is_none()
    }
}

impl State {
    /// Remembers how a call ended.
    pub(crate) fn note(&mut self, call: &Call, outcome: &Result<Value, Refusal>, answered: bool) {
        let made = outcome.as_ref().ok().and_then(|result| result["message_id"].as_i64());
        if self.log.len() >= CALLS_MAX {
            self.log.pop_front();
        }
        self.log.push_back(LoggedCall {
            at: SystemTime::now(),
            method: call.method.clone(),
            chat: call.integer("chat_id").ok().flatten(),
            message: made.or_else(|| call.integer("message_id").ok().flatten()),
            fields: call.fields.clone(),
            error: outcome.as_ref().err().cloned(),
            answered,
        });
    }
}
