//! A model that says what a plugin's case has it say, in order, and remembers what it was asked.

use super::WireMessage;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// The replies that are left, and the requests so far.
#[derive(Debug, Default)]
pub struct Script(Mutex<(VecDeque<String>, Vec<String>)>);

impl Script {
    /// With these replies.
    pub fn new(replies: impl IntoIterator<Item = String>) -> Script {
        Script(Mutex::new((replies.into_iter().collect(), Vec::new())))
    }

    /// The next reply.
    pub fn next(&self, messages: &[WireMessage]) -> Result<String, String> {
        let mut script = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        script.1.push(messages.iter().map(|message| message.content.as_str()).collect::<Vec<_>>().join("\n"));
        let asked = script.1.len();
        script.0.pop_front().ok_or_else(|| format!("the case has no reply for call {asked}"))
    }

    /// The text of each request, in order.
    pub fn asked(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    /// How many replies nobody asked for.
    pub fn left(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0.len()
    }
}
