//! People in private chats with the bot who build a project: each says the idea, presses what is to be pressed, asks for something now and
//! then, and is done when the files are there. They act on what their chat shows, as people do, so the bot may die at any time.

use std::time::{Duration, SystemTime};
use telegram_double::{Shown, TelegramServer};

/// What they say first.
pub const IDEA: &str = "parts";

/// Somebody.
#[derive(Clone, Debug)]
pub struct Person {
    /// The number, which is the chat's as well.
    pub chat: i64,
    /// What comes next.
    stage: Stage,
    /// The updates that their deeds made, in order.
    pub updates: Vec<i64>,
    /// When they said the idea.
    pub began: Option<SystemTime>,
    /// When they approved the plan.
    pub approved: Option<SystemTime>,
    /// Whether they ask for this and that on the way.
    pub is_curious: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Greet,
    Begin,
    Approve,
    Wonder,
    Wait,
    Done,
}

impl Person {
    /// A new one.
    pub fn new(telegram: &TelegramServer, name: &str, is_curious: bool) -> Person {
        let chat = telegram.private_chat(telegram.user(name));
        Person {
            chat,
            stage: if is_curious { Stage::Greet } else { Stage::Begin },
            updates: Vec::new(),
            began: None,
            approved: None,
            is_curious,
        }
    }

    /// Whether the files came.
    pub fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    /// Does what is to be done next, if it is time for it.
    pub fn act(&mut self, telegram: &TelegramServer) {
        match self.stage {
            Stage::Greet => self.says(telegram, "/start", Stage::Begin),
            Stage::Begin => {
                self.began = Some(SystemTime::now());
                self.says(telegram, IDEA, Stage::Approve);
            }
            Stage::Approve => {
                let shown = telegram.chat(self.chat);
                if let Some((plan, label)) = with_button(&shown, "Approve") {
                    self.approved = Some(SystemTime::now());
                    self.updates.push(telegram.presses(self.chat, self.chat, plan.message_id, &label));
                    self.stage = if self.is_curious { Stage::Wonder } else { Stage::Wait };
                }
            }
            Stage::Wonder => self.says(telegram, "/credits", Stage::Wait),
            Stage::Wait => {
                let shown = telegram.chat(self.chat);
                let has_files =
                    shown.iter().any(|message| message.document.as_ref().is_some_and(|document| document.name.ends_with(".zip")));
                if has_files && shown.iter().any(|message| message.from_bot && message.text.contains("is done")) {
                    self.stage = Stage::Done;
                }
            }
            Stage::Done => {}
        }
    }

    /// How long it took until the bot said that it heard the idea, and the approval.
    pub fn heard_after(&self, shown: &[Shown]) -> Vec<Duration> {
        let said = |at: Option<SystemTime>, words: &str| {
            let answer = shown.iter().find(|message| message.from_bot && message.text.contains(words))?;
            answer.sent_at.duration_since(at?).ok()
        };
        [said(self.began, "I am thinking about it"), said(self.approved, "On it.")].into_iter().flatten().collect()
    }

    fn says(&mut self, telegram: &TelegramServer, text: &str, next: Stage) {
        self.updates.push(telegram.says(self.chat, self.chat, text));
        self.stage = next;
    }
}

/// The last message of the bot that has a button with these words, and all of its words.
pub fn with_button<'a>(shown: &'a [Shown], words: &str) -> Option<(&'a Shown, String)> {
    shown.iter().rev().filter(|message| message.from_bot && !message.deleted).find_map(|message| {
        let text = message.button_texts().into_iter().find(|text| text.contains(words))?;
        Some((message, text.to_string()))
    })
}
