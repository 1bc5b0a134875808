//! What a test sees: each chat as its people see it, and what the bot did besides. Nothing here changes anything.

use crate::TelegramServer;
use crate::keyboard::{Action, Button};
use crate::log::LoggedCall;
use crate::payments::{Payment, Refund};
use crate::refusal::Refusal;
use crate::state::{AnsweredCallback, State};
use crate::text::Formatted;
use crate::world::{Content, Invoice, Message};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};
use tokio::time::{Instant, timeout_at};

/// A message as a person sees it.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Its id in the chat.
    pub message_id: i64,
    /// The id of who wrote it.
    pub from: i64,
    /// What they are called.
    pub name: String,
    /// Whether that is the bot.
    pub from_bot: bool,
    /// What is read: the text, the caption, or words for whatever else it is.
    pub text: String,
    /// The text or the caption as it was sent, with its tags when the bot sent it as HTML.
    pub html: String,
    /// The text or the caption and what parts of it mean.
    pub formatted: Formatted,
    /// Rows of buttons.
    pub buttons: Vec<Vec<Button>>,
    /// The file that came with it.
    pub document: Option<ShownDocument>,
    /// What is to be paid.
    pub invoice: Option<Invoice>,
    /// What it is besides text, document and invoice, as Telegram names the field: `photo`, `successful_payment` and so on.
    pub kind: Option<String>,
    /// The message that it answers.
    pub reply_to: Option<i64>,
    /// How the bot reacted.
    pub reactions: Vec<String>,
    /// Whether it is gone by now.
    pub deleted: bool,
    /// How often it was edited, its buttons included.
    pub edit_count: u32,
    /// What it said before each edit of its text.
    pub earlier: Vec<String>,
    /// When it came.
    pub sent_at: SystemTime,
    /// When its text was last edited.
    pub edited_at: Option<SystemTime>,
    /// When it went.
    pub deleted_at: Option<SystemTime>,
}

/// A file in a message.
#[derive(Clone, Debug)]
pub struct ShownDocument {
    /// What it is called.
    pub name: String,
    /// What is in it.
    pub bytes: Vec<u8>,
    /// What is written under it.
    pub caption: String,
    /// What Telegram takes it for.
    pub mime: String,
    /// By which the bot can send it again.
    pub file_id: String,
}

impl Shown {
    /// What is written on its buttons, in one row.
    pub fn button_texts(&self) -> Vec<&str> {
        self.buttons.iter().flatten().map(|button| button.text.as_str()).collect()
    }

    /// What the button with this text sends back.
    pub fn data_of(&self, text: &str) -> Option<&str> {
        self.buttons.iter().flatten().find(|button| button.text == text).and_then(|button| match &button.action {
            Action::Callback(data) => Some(data.as_str()),
            _ => None,
        })
    }
}

impl TelegramServer {
    /// Every message that was ever in a chat, the first one first.
    pub fn chat(&self, chat: i64) -> Vec<Shown> {
        let state = self.server.look();
        state.chat(chat).messages.values().map(|message| shown(&state, message)).collect()
    }

    /// The last message of the bot in a chat that is still there.
    pub fn last_of_bot(&self, chat: i64) -> Option<Shown> {
        self.chat(chat).into_iter().rev().find(|shown| shown.from_bot && !shown.deleted)
    }

    /// Waits until the chat looks as it should, and gives it. Panics, with what the chat shows, when that takes too long.
    pub async fn wait_for(&self, chat: i64, predicate: impl Fn(&[Shown]) -> bool, timeout: Duration) -> Vec<Shown> {
        let deadline = Instant::now() + timeout;
        let mut changes = self.server.changes.subscribe();
        loop {
            let shown = self.chat(chat);
            if predicate(&shown) {
                return shown;
            }
            // The loop looks once more after every change, and the last time when the time is over.
            let over = Instant::now() >= deadline || timeout_at(deadline, changes.changed()).await.is_err();
            if over && !predicate(&self.chat(chat)) {
                panic!("after {timeout:?} chat {chat} shows:\n{}", self.transcript_text(chat));
            }
        }
    }

    /// A chat as plain lines, for the message of a failed test.
    pub fn transcript_text(&self, chat: i64) -> String {
        let line = |shown: Shown| {
            let gone = if shown.deleted { " (deleted)" } else { "" };
            let edited = if shown.edit_count > 0 { format!(" (edited {}×)", shown.edit_count) } else { String::new() };
            let file = shown.document.as_ref().map(|file| format!(" [{}, {} bytes]", file.name, file.bytes.len())).unwrap_or_default();
            let buttons = if shown.buttons.is_empty() { String::new() } else { format!(" {:?}", shown.button_texts()) };
            format!("{:>5} {}{gone}{edited}: {}{file}{buttons}", shown.message_id, shown.name, shown.text)
        };
        self.chat(chat).into_iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// Every call that was decided, done or refused, in order.
    pub fn outbox_log(&self) -> Vec<LoggedCall> {
        self.server.look().log.iter().cloned().collect()
    }

    /// The calls of one method.
    pub fn calls_of(&self, method: &str) -> Vec<LoggedCall> {
        self.server.look().log.iter().filter(|call| call.method.eq_ignore_ascii_case(method)).cloned().collect()
    }

    /// The calls that were refused, and why. A 409 of a poll that a newer one ended is among them.
    pub fn refused_calls(&self) -> Vec<(String, Refusal)> {
        self.server.look().log.iter().filter_map(|call| Some((call.method.clone(), call.error.clone()?))).collect()
    }

    /// The presses of buttons that were answered, in order.
    pub fn answered_callbacks(&self) -> Vec<AnsweredCallback> {
        self.server.look().answered.clone()
    }

    /// How many presses of buttons still show their little clock, or did when it ran out.
    pub fn unanswered_callbacks(&self) -> usize {
        self.server.look().pressed.values().filter(|pressed| !pressed.answered).count()
    }

    /// Every try to pay, and how far it got.
    pub fn payments(&self) -> Vec<Payment> {
        let state = self.server.look();
        let timeout = state.options.pre_checkout_timeout;
        state.payments.iter().cloned().map(|payment| payment.now(timeout)).collect()
    }

    /// The payments that went back.
    pub fn refunds(&self) -> Vec<Refund> {
        self.server.look().refunds.clone()
    }

    /// The bot's commands and their descriptions, for each scope: `default`, `chat:-100…`, `default/de` and so on.
    pub fn commands(&self) -> BTreeMap<String, Vec<(String, String)>> {
        self.server.look().commands.clone()
    }

    /// What the bot said that it was doing, and in which chat.
    pub fn chat_actions(&self) -> Vec<(i64, String)> {
        self.server.look().actions.clone()
    }

    /// A message as the bot gets it in an update.
    pub fn message_json(&self, chat: i64, message_id: i64) -> Value {
        self.server.look().message_json(chat, message_id)
    }
}

/// A message as a person sees it.
pub(crate) fn shown(state: &State, message: &Message) -> Shown {
    let formatted = message.content.words().cloned().unwrap_or_default();
    let (text, document, invoice, kind) = match &message.content {
        Content::Text(text) => (text.plain.clone(), None, None, None),
        Content::Document { file, caption } => {
            let document = ShownDocument {
                name: file.name.clone(),
                bytes: file.bytes.clone(),
                caption: caption.plain.clone(),
                mime: file.mime.clone(),
                file_id: file.id.clone(),
            };
            (caption.plain.clone(), Some(document), None, None)
        }
        Content::Invoice(invoice) => (format!("{}\n{}", invoice.title, invoice.description), None, Some(invoice.clone()), None),
        Content::Other { name, words, caption, .. } if caption.plain.is_empty() => (words.clone(), None, None, Some(name.clone())),
        Content::Other { name, caption, .. } => (caption.plain.clone(), None, None, Some(name.clone())),
    };
    Shown {
        message_id: message.id,
        from: message.from,
        name: state.user_json(message.from)["first_name"].as_str().unwrap_or_default().to_owned(),
        from_bot: message.from == state.bot_id,
        text,
        html: formatted.source.clone(),
        formatted,
        buttons: message.keyboard.clone(),
        document,
        invoice,
        kind,
        reply_to: message.reply_to,
        reactions: message.reactions.clone(),
        deleted: message.deleted_at.is_some(),
        edit_count: message.edit_count,
        earlier: message.earlier.clone(),
        sent_at: message.sent_at,
        edited_at: message.edited_at,
        deleted_at: message.deleted_at,
    }
}
