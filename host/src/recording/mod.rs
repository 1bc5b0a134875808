//! A recorded run: what the agents asked a model and what it answered. Replayed by a loopback server through the real HTTP
//! dialect, so that somebody without a model sees the whole path at work. A replay never invents an answer: a request that is not
//! in the recording fails with the first line that differs. A [`script`] is what the same server says in a plugin's case.

pub mod script;
pub mod server;

use crate::workspace::sha256;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The recording that ships with the program.
pub const SHIPPED: &str = include_str!("../../demo/recording.json");

/// A genuine run, as it was recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recording {
    /// What was built.
    pub title: String,
    /// The idea that was sent.
    pub idea: String,
    /// What was answered to the architect's questions; `-` skips.
    pub answers: Vec<String>,
    /// The day it was recorded.
    pub recorded: String,
    /// Who answered.
    pub model: String,
    /// `INPUT/OUTPUT` in US dollars for a million tokens, to show what such a run costs.
    pub price: String,
    /// What was asked and answered, in order.
    pub exchanges: Vec<Exchange>,
}

/// One request and its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// Of the messages, whatever the model and the limits.
    pub sha256: String,
    /// What was asked.
    pub messages: Vec<WireMessage>,
    /// What was answered.
    pub reply: String,
}

/// A message as it travels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireMessage {
    /// `system`, `user` or `assistant`.
    pub role: String,
    /// The text.
    pub content: String,
}

/// A recording that can't be read or made.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The text is no recording.
    #[error("the recording can't be read: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// A file of the desk.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// Nothing to record.
    #[error("there is no request with a reply in {0}")]
    Empty(String),
}

impl Recording {
    /// Reads a recording.
    pub fn read(text: &str) -> Result<Recording, RecordingError> {
        Ok(serde_json::from_str(text)?)
    }

    /// The exchange with these messages, or how the nearest one differs.
    pub fn find(&self, messages: &[WireMessage]) -> Result<&Exchange, String> {
        let wanted = fingerprint(messages);
        self.exchanges.iter().find(|exchange| exchange.sha256 == wanted).ok_or_else(|| self.difference(messages))
    }

    /// Takes the exchanges of a desk folder: pairs of `NNNN.request.json` and `NNNN.reply.md`, in order.
    pub fn with_desk(mut self, desk: &Path) -> Result<Recording, RecordingError> {
        let failed = |path: &Path| {
            let path = path.display().to_string();
            move |source| RecordingError::Io { path, source }
        };
        let mut names: Vec<_> = std::fs::read_dir(desk)
            .map_err(failed(desk))?
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_suffix(".request.json").map(str::to_owned))
            .collect();
        names.sort();
        for name in names {
            let (request, reply) = (desk.join(format!("{name}.request.json")), desk.join(format!("{name}.reply.md")));
            if !reply.exists() {
                continue;
            }
            let request: WireRequest = serde_json::from_str(&std::fs::read_to_string(&request).map_err(failed(&request))?)?;
            let reply = std::fs::read_to_string(&reply).map_err(failed(&reply))?;
            let reply = reply.strip_suffix('\n').unwrap_or(&reply).to_owned();
            self.exchanges.push(Exchange { sha256: fingerprint(&request.messages), messages: request.messages, reply });
        }
        match self.exchanges.is_empty() {
            true => Err(RecordingError::Empty(desk.display().to_string())),
            false => Ok(self),
        }
    }

    /// The first line that differs from the exchange that agrees the longest.
    fn difference(&self, messages: &[WireMessage]) -> String {
        let lines = |messages: &[WireMessage]| -> Vec<String> {
            messages.iter().flat_map(|message| message.content.lines().map(|line| format!("{}: {line}", message.role))).collect()
        };
        let asked = lines(messages);
        let nearest = self
            .exchanges
            .iter()
            .map(|exchange| {
                let recorded = lines(&exchange.messages);
                let same = asked.iter().zip(&recorded).take_while(|(left, right)| left == right).count();
                (same, recorded.get(same).cloned())
            })
            .max_by_key(|(same, _)| *same);
        let (same, recorded) = nearest.unwrap_or((0, None));
        format!(
            "this request is not in the recording; the prompts or agents have changed since (`make demo-record` renews it). Line {}: recorded `{}`, asked `{}`",
            same + 1,
            recorded.as_deref().unwrap_or("(the end)"),
            asked.get(same).map_or("(the end)", String::as_str)
        )
    }
}

/// A request as it travels; only the messages matter here.
#[derive(Debug, Deserialize)]
pub struct WireRequest {
    /// The conversation.
    pub messages: Vec<WireMessage>,
    /// Whether the answer is streamed.
    #[serde(default)]
    pub stream: bool,
}

/// The hash of a conversation.
fn fingerprint(messages: &[WireMessage]) -> String {
    let plain: Vec<_> = messages.iter().map(|message| (&message.role, &message.content)).collect();
    sha256(serde_json::to_string(&plain).expect("strings always serialize").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(content: &str) -> WireMessage {
        WireMessage { role: "user".into(), content: content.into() }
    }

    fn recording() -> Recording {
        let messages = vec![message("one\ntwo")];
        let exchange = Exchange { sha256: fingerprint(&messages), messages, reply: "yes".into() };
        Recording {
            title: "t".into(),
            idea: "i".into(),
            answers: vec![],
            recorded: "2026-01-01".into(),
            model: "m".into(),
            price: "0/0".into(),
            exchanges: vec![exchange],
        }
    }

    #[test]
    fn a_recorded_request_is_found() {
        assert_eq!(recording().find(&[message("one\ntwo")]).map(|exchange| exchange.reply.as_str()), Ok("yes"));
    }

    #[test]
    fn another_request_fails_with_the_first_line_that_differs() {
        let error = recording().find(&[message("one\nthree")]).expect_err("a difference");
        assert!(error.contains("Line 2") && error.contains("user: two") && error.contains("user: three"), "{error}");
    }

    #[test]
    fn the_shipped_recording_is_what_it_says() {
        let recording = Recording::read(SHIPPED).expect("a recording");
        assert!(!recording.exchanges.is_empty());
        for exchange in &recording.exchanges {
            assert_eq!(exchange.sha256, fingerprint(&exchange.messages), "an exchange was changed by hand");
        }
    }
}
