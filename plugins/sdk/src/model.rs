//! A conversation with a model, with one repair turn for replies that do not parse. Strategies take the [`Model`] trait, so that
//! their tests can script the replies.

use crate::llm::{self, Finish, Message, Request, Role};
use crate::types::{Failure, Refusal};

/// Somebody who answers.
pub trait Model {
    /// One answer to the conversation so far.
    fn complete(&mut self, request: &Request) -> Result<Answer, Refusal>;
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The text.
    pub text: String,
    /// Whether it was cut off at the output limit.
    pub cut: bool,
}

/// The real one: the host's `llm` import.
pub struct HostModel;

impl Model for HostModel {
    fn complete(&mut self, request: &Request) -> Result<Answer, Refusal> {
        let reply = llm::complete(request)?;
        Ok(Answer { text: reply.text, cut: reply.finish == Finish::Length })
    }
}

/// A conversation that grows turn by turn.
pub struct Conversation<'a> {
    model: &'a mut dyn Model,
    class: String,
    max_output_tokens: u32,
    messages: Vec<Message>,
}

impl<'a> Conversation<'a> {
    /// Begins with the rules. They are the same for every call of a kind, so a provider may cache them.
    pub fn new(model: &'a mut dyn Model, class: &str, max_output_tokens: u32, rules: &str) -> Conversation<'a> {
        let rules = Message { role: Role::System, text: rules.to_owned(), cache_prefix: true };
        Conversation { model, class: class.to_owned(), max_output_tokens, messages: vec![rules] }
    }

    /// Says something and hears the answer.
    pub fn say(&mut self, text: &str) -> Result<Answer, Failure> {
        self.messages.push(Message { role: Role::User, text: text.to_owned(), cache_prefix: false });
        let request = Request {
            class: self.class.clone(),
            messages: self.messages.clone(),
            max_output_tokens: self.max_output_tokens,
            stop: Vec::new(),
        };
        let answer = self.model.complete(&request).map_err(Failure::Refused)?;
        self.messages.push(Message { role: Role::Assistant, text: answer.text.clone(), cache_prefix: false });
        Ok(answer)
    }

    /// Says something and reads the answer; one that does not parse is sent back once, with what is wrong.
    pub fn ask<T>(&mut self, text: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<T, Failure> {
        let answer = self.say(text)?;
        let problem = match read(&answer.text) {
            Ok(value) => return Ok(value),
            Err(problem) if answer.cut => format!("{problem} (the reply was cut off: be briefer)"),
            Err(problem) => problem,
        };
        let again = self.say(&format!("That can't be used:\n{problem}\n\nSend the whole reply again, mended, in the format asked for."))?;
        read(&again.text).map_err(Failure::UnusableReply)
    }
}

/// A model that says what a test tells it to, and remembers what it was asked.
#[derive(Default)]
pub struct Scripted {
    /// What it will say, first to last.
    pub replies: std::collections::VecDeque<String>,
    /// What it was asked.
    pub requests: Vec<Request>,
}

impl Scripted {
    /// A model with these replies.
    pub fn new(replies: &[&str]) -> Scripted {
        Scripted { replies: replies.iter().map(|reply| (*reply).to_owned()).collect(), requests: Vec::new() }
    }
}

impl Model for Scripted {
    fn complete(&mut self, request: &Request) -> Result<Answer, Refusal> {
        self.requests.push(request.clone());
        let text = self.replies.pop_front().ok_or_else(|| Refusal::Unavailable("the script is over".to_owned()))?;
        Ok(Answer { text, cut: false })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_that_does_not_parse_is_sent_back_once() {
        let read = |text: &str| text.parse::<u8>().map_err(|error| error.to_string());
        let mut model = Scripted::new(&["seven", "7"]);
        assert_eq!(Conversation::new(&mut model, "fast", 10, "rules").ask("a number?", read), Ok(7));
        assert_eq!(model.requests[1].messages.len(), 4);
        let mut model = Scripted::new(&["seven", "eight", "9"]);
        assert!(matches!(Conversation::new(&mut model, "fast", 10, "rules").ask("a number?", read), Err(Failure::UnusableReply(_))));
        assert_eq!(model.requests.len(), 2);
    }
}
