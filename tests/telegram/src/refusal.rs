//! What Telegram says when it refuses, in its own words: bots branch on these texts, so they are kept here to the letter. Where the
//! double is stricter than Telegram, the words are its own and say so. See `methods` for who refuses what.

use serde_json::{Value, json};
use std::fmt::Display;

/// A call that was not done, and how that is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status, which is also `error_code`.
    pub code: u16,
    /// `description`.
    pub description: String,
    /// `parameters`, which tell a bot what to do next.
    pub parameters: Option<Value>,
}

impl Refusal {
    /// With this status and these words.
    pub(crate) fn new(code: u16, description: impl Into<String>) -> Refusal {
        Refusal { code, description: description.into(), parameters: None }
    }

    /// A 400, with Telegram's prefix before these words.
    pub(crate) fn bad_request(words: impl Display) -> Refusal {
        Refusal::new(400, format!("Bad Request: {words}"))
    }

    /// A 403, with Telegram's prefix before these words.
    pub(crate) fn forbidden(words: impl Display) -> Refusal {
        Refusal::new(403, format!("Forbidden: {words}"))
    }

    /// A 409, with Telegram's prefix before these words.
    pub(crate) fn conflict(words: impl Display) -> Refusal {
        Refusal::new(409, format!("Conflict: {words}"))
    }

    /// No bot has this token.
    pub(crate) fn unauthorized() -> Refusal {
        Refusal::new(401, "Unauthorized")
    }

    /// No such method, or no such file.
    pub(crate) fn not_found() -> Refusal {
        Refusal::new(404, "Not Found")
    }

    /// A body over the limit of uploads.
    pub(crate) fn too_large() -> Refusal {
        Refusal::new(413, "Request Entity Too Large")
    }

    /// Come back after so many seconds.
    pub(crate) fn retry_after(seconds: u64) -> Refusal {
        let parameters = Some(json!({ "retry_after": seconds }));
        Refusal { parameters, ..Refusal::new(429, format!("Too Many Requests: retry after {seconds}")) }
    }

    /// The group has another id now.
    pub(crate) fn migrated(to: i64) -> Refusal {
        let parameters = Some(json!({ "migrate_to_chat_id": to }));
        Refusal { parameters, ..Refusal::bad_request("group chat was upgraded to a supergroup chat") }
    }

    /// A query that nobody waits for any more.
    pub(crate) fn query_too_old() -> Refusal {
        Refusal::bad_request("query is too old and response timeout expired or query ID is invalid")
    }

    /// An edit that would change nothing.
    pub(crate) fn not_modified() -> Refusal {
        Refusal::bad_request(
            "message is not modified: specified new message content and reply markup are exactly the same as a current content and \
             reply markup of the message",
        )
    }

    /// A parameter that has to be there.
    pub(crate) fn required(field: &str) -> Refusal {
        Refusal::bad_request(format_args!("parameter \"{field}\" is required"))
    }

    /// A field of another type. Telegram reads some of these as 0 or as nothing; the double says so instead.
    pub(crate) fn ill_typed(field: &str, wanted: &str) -> Refusal {
        Refusal::bad_request(format_args!("field \"{field}\" must be of type {wanted}"))
    }

    /// Something that Telegram has and the double has not.
    pub(crate) fn unsupported(what: impl Display) -> Refusal {
        Refusal::bad_request(format_args!("{what} is not supported by the double"))
    }

    /// The document that is the answer.
    pub(crate) fn body(&self) -> Value {
        let mut body = json!({ "ok": false, "error_code": self.code, "description": self.description });
        if let Some(parameters) = &self.parameters {
            body["parameters"] = parameters.clone();
        }
        body
    }
}
