//! How the providers want to be spoken to. A [`Dialect`] turns a [`Wire`] into one HTTP request and its stream into an
//! [`Answer`], with the raw usage that billing needs. It never sends twice, follows no redirect, and repeats no word of a provider.
//!
//! Each dialect is a [`Grammar`]: pure functions that build a request and read what comes back, one file a provider. What all of
//! them share is written once: `transport` sends and reads under its bounds, `frames` cuts bytes into events, and `reading`
//! gathers the text, the reason of the end and the tokens.

mod anthropic;
mod frames;
mod gemini;
mod ollama;
mod openai;
mod reading;
mod transport;

use super::unknown::Outcome;
use super::{Finish, Message, Role};
use crate::ledger::Usage;
use frames::Framing;
use reading::Reading;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fmt;
use std::time::Duration;

/// How long a connection may take to be made; a server that takes longer is down.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The format that a provider speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// OpenAI's chat completions, and the many servers that speak them.
    #[default]
    OpenAi,
    /// Anthropic's messages.
    Anthropic,
    /// Google's Gemini.
    Gemini,
    /// Ollama's own chat.
    Ollama,
}

impl Dialect {
    /// Each of them.
    pub const ALL: [Dialect; 4] = [Dialect::OpenAi, Dialect::Anthropic, Dialect::Gemini, Dialect::Ollama];

    /// As it is written in settings and stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Dialect::OpenAi => "openai",
            Dialect::Anthropic => "anthropic",
            Dialect::Gemini => "gemini",
            Dialect::Ollama => "ollama",
        }
    }

    /// The base URL of the provider itself; it shows how much of the path belongs to an [`Endpoint`].
    pub fn usual_url(self) -> &'static str {
        match self {
            Dialect::OpenAi => "https://api.openai.com/v1",
            Dialect::Anthropic => "https://api.anthropic.com/v1",
            Dialect::Gemini => "https://generativelanguage.googleapis.com/v1beta",
            Dialect::Ollama => "http://127.0.0.1:11434",
        }
    }

    /// Sends one request and reads its answer to the end. After each event `seen` hears the text so far, and the usage that the
    /// provider has reported so far.
    pub async fn send(
        self,
        client: &reqwest::Client,
        endpoint: &Endpoint,
        wire: &Wire<'_>,
        seen: impl FnMut(&str, Option<&Usage>) + Send,
    ) -> Result<Answer, Failed> {
        transport::send(self.grammar(), client, endpoint, wire, seen).await
    }

    /// Asks for the list of models, which costs nothing, to see whether the provider takes the key.
    pub async fn check(self, client: &reqwest::Client, endpoint: &Endpoint) -> Result<(), Failed> {
        let path = if self == Dialect::Ollama { "/api/tags" } else { "/models" };
        transport::check(self.grammar(), client, endpoint, path).await
    }

    fn grammar(self) -> &'static Grammar {
        match self {
            Dialect::OpenAi => &openai::GRAMMAR,
            Dialect::Anthropic => &anthropic::GRAMMAR,
            Dialect::Gemini => &gemini::GRAMMAR,
            Dialect::Ollama => &ollama::GRAMMAR,
        }
    }
}

/// A client as the dialects need it: no redirect, which could carry the key elsewhere, no proxy from the environment, and none of
/// the HTTP library's own retries, which would send a request twice that is billed twice.
pub fn client() -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
        .build()
}

/// Where a model is.
#[derive(Clone)]
pub struct Endpoint {
    /// The base URL, without a slash at its end; see [`Dialect::usual_url`].
    pub url: String,
    /// The key, if it wants one.
    pub key: Option<SecretString>,
    /// The header that carries it, if it is not the dialect's own: `authorization` (as a bearer) for OpenAI and Ollama,
    /// `x-api-key` for Anthropic, `x-goog-api-key` for Gemini.
    pub key_header: Option<String>,
    /// How long the first byte may take.
    pub first_byte_timeout: Duration,
    /// How long a stream may be silent.
    pub idle_timeout: Duration,
}

impl fmt::Debug for Endpoint {
    /// The URL is left out: some hide a password in it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Endpoint")
            .field("has_key", &self.key.is_some())
            .field("key_header", &self.key_header)
            .field("first_byte_timeout", &self.first_byte_timeout)
            .field("idle_timeout", &self.idle_timeout)
            .finish_non_exhaustive()
    }
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

impl Wire<'_> {
    /// The rules, which some providers want apart from the conversation. A message of blanks says nothing and is refused by
    /// some of them, so it is left out.
    fn rules(&self) -> impl Iterator<Item = &Message> {
        self.messages.iter().filter(|message| message.role == Role::System && !message.text.trim().is_empty())
    }

    /// The conversation without the rules, as turns: providers that demand that the speakers alternate get neighbours of one
    /// speaker as parts of one turn.
    fn turns(&self) -> Vec<(Role, Vec<&Message>)> {
        let mut turns: Vec<(Role, Vec<&Message>)> = Vec::new();
        for message in self.messages.iter().filter(|message| message.role != Role::System && !message.text.trim().is_empty()) {
            match turns.last_mut() {
                Some((role, parts)) if *role == message.role => parts.push(message),
                _ => turns.push((message.role, vec![message])),
            }
        }
        turns
    }
}

/// A whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The text.
    pub text: String,
    /// Why it ended.
    pub finish: Finish,
    /// As the provider counted, if it counted both sides in a way that adds up.
    pub usage: Option<Usage>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failed {
    /// The provider did not take the request: it may be sent again.
    NotAccepted {
        /// What happened, without the provider's words.
        why: String,
        /// What it says about the provider.
        cause: NotAcceptedCause,
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
        /// The line of the policy on who pays.
        outcome: Outcome,
    },
    /// It began and did not end well.
    Broken {
        /// What was seen; never empty.
        text: String,
        /// What happened.
        why: String,
        /// Whether it was silence that ended it.
        idle: bool,
        /// What the provider had reported by then. Its input is whole; its output may be a first count, smaller than the text.
        usage: Option<Usage>,
    },
}

/// Why a request was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAcceptedCause {
    /// There was no connection.
    Connect,
    /// This key has asked for too much.
    RateLimited,
    /// The provider has too much to do, whoever asks.
    Overloaded,
}

/// A refusal that another try with the same key would meet again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// The prompt is too long.
    ContextTooLong,
    /// The key is wrong or missing, or may not do this.
    Key,
    /// The key's account has nothing left to spend.
    Quota,
    /// There is no such model or path.
    NotFound,
    /// A filter stopped the prompt before anything was generated.
    Filtered,
    /// Another status.
    Status(u16),
}

/// One provider's format, as pure functions.
struct Grammar {
    /// The header that carries the key, if the endpoint names no other.
    key_header: &'static str,
    /// Headers beside the key.
    headers: &'static [(&'static str, &'static str)],
    /// How its stream is cut into events.
    framing: Framing,
    /// What to send.
    request: fn(&Endpoint, &Wire<'_>) -> Result<Ask, Rejection>,
    /// What an event of the stream, or a whole document, adds to the answer. Events that are not known add nothing.
    read: fn(&Value, &mut Reading) -> Next,
    /// What an error's status and body mean, where they say more than the status says by itself.
    refusal: fn(u16, &Value) -> Option<Failed>,
}

/// A request, apart from what every dialect sends.
struct Ask {
    /// What follows the base URL.
    path: String,
    /// The body.
    body: Value,
}

/// The conversation as it is, for the providers that want it so.
fn plain_messages(wire: &Wire<'_>) -> Vec<Value> {
    let role = |role| match role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    wire.messages.iter().map(|message| json!({ "role": role(message.role), "content": message.text })).collect()
}

/// How reading goes on after an event.
enum Next {
    /// There may be more.
    More,
    /// That was the last one.
    End,
    /// The provider reports an error.
    Fault,
}
