//! Model calls: the only code that opens a connection to a model provider.
//!
//! [`gateway`] takes a call through reserve → dispatch → settle, [`dialects`] speak the providers' formats, [`keys`] keep the
//! providers' keys. Nothing that a provider says about an error reaches a guest, and no key reaches a log.

pub mod dialects;
pub mod gateway;
pub mod keys;
pub mod providers;
pub mod unknown;

use crate::ledger::{NanoUsd, Usage};
use crate::project::{Pause, Refusal};
use serde::{Deserialize, Serialize};

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The rules.
    System,
    /// We.
    User,
    /// The model.
    Assistant,
}

/// One turn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub text: String,
    /// Whether a provider may cache up to here.
    pub cache_prefix: bool,
}

/// One call, as a guest asks for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Mapped to a model by the operator.
    pub class: String,
    /// At least one.
    pub messages: Vec<Message>,
    /// The longest useful answer.
    pub max_output_tokens: u32,
    /// Where to stop.
    pub stop: Vec<String>,
}

/// Why the model stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Finish {
    /// Done.
    Complete,
    /// Too long.
    Length,
    /// At a stop text.
    Stopped,
    /// By a filter.
    Filtered,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// The whole answer.
    pub text: String,
    /// Why it ended.
    pub finish: Finish,
    /// What it took.
    pub usage: Usage,
    /// What the user paid.
    pub charged: NanoUsd,
}

/// What became of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Completion {
    /// This is the answer to the guest; it is in the journal already.
    Stored(Result<Reply, Refusal>),
    /// This is the answer to the guest; nothing was sent, so it goes into the journal with the next effect.
    Unsent(Refusal),
    /// The run has to wait. It is replayed to this point when it goes on.
    Suspended(Pause),
}
