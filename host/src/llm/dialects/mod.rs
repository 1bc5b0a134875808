//! How the providers want to be spoken to. Each dialect turns a [`Wire`] into one HTTP request and its stream into an
//! [`Answer`], with the raw usage that billing needs and without any retry of its own.

pub mod openai;

use super::{Finish, Message};
use crate::ledger::Usage;
use secrecy::SecretString;
use std::time::Duration;

/// Where a model is.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The base URL, without a slash at its end.
    pub url: String,
    /// The key, if it wants one.
    pub key: Option<SecretString>,
    /// The header that carries it.
    pub key_header: String,
    /// How long the first byte may take.
    pub first_byte_timeout: Duration,
    /// How long a stream may be silent.
    pub idle_timeout: Duration,
}

/// One request, as it is sent.
#[derive(Clone, Debug)]
pub struct Wire<'a> {
    /// The provider's name of the model.
    pub model: &'a str,
    /// The conversation.
    pub messages: &'a [Message],
    /// The output limit, fitted to the budget.
    pub max_output_tokens: u64,
    /// Where to stop.
    pub stop: &'a [String],
    /// Ours, for the provider's log.
    pub request_id: &'a str,
}

/// A whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The text.
    pub text: String,
    /// Why it ended.
    pub finish: Finish,
    /// As the provider counted, if it did.
    pub usage: Option<Usage>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failed {
    /// The provider did not take the request: it may be sent again.
    NotAccepted {
        /// What happened, without the provider's words.
        why: String,
        /// When it wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// The provider refused this request, and would again.
    Rejected(Rejection),
    /// The server reported a fault of its own before any answer: nothing was made, and asking again at once would not help.
    Faulty(u16),
    /// The request left and nothing usable came back; nobody knows what the provider did.
    Unknown {
        /// What happened.
        why: String,
    },
    /// It began and did not end well.
    Broken {
        /// What was seen; never empty.
        text: String,
        /// What happened.
        why: String,
        /// Whether it was silence that ended it.
        idle: bool,
    },
}

/// A refusal that another try would meet again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// The prompt is too long.
    ContextTooLong,
    /// The key is wrong or missing.
    Key,
    /// There is no such model or path.
    NotFound,
    /// Another status.
    Status(u16),
}
