//! Sends what is to be said, in the order that matters and no faster than Telegram takes it. What may have been sent already is not sent
//! again, except a status, which only ever replaces itself.

use super::Bot;
use super::api::Trouble;
use crate::chat::{Button, Message};
use crate::store::chats::{Fate, Letter, Waiting, button_name};
use crate::store::now_ms;
use serde_json::Value;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use teloxide_core::payloads::{EditMessageText, EditMessageTextSetters, SendMessage, SendMessageSetters};
use teloxide_core::types::{ChatId, InlineKeyboardButton, InlineKeyboardMarkup, MessageId, ParseMode};

/// How often to look although nobody told of a letter.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// Letters of one look.
const AT_ONCE: u32 = 30;
/// Telegram takes a message a second in a chat, and one in three seconds in a group.
const CHAT_INTERVAL: Duration = Duration::from_millis(1_050);
const GROUP_INTERVAL: Duration = Duration::from_millis(3_100);
/// A status is nothing that anybody waits for.
const STATUS_INTERVAL: Duration = Duration::from_millis(1_500);
/// And thirty a second in all chats together.
const ALL_INTERVAL: Duration = Duration::from_millis(34);
/// A letter that can't be delivered is tried so often, the later the longer.
const TRIES_MAX: u32 = 10;
const RETRY_MS: i64 = 1_000;

/// When what may be sent next.
#[derive(Default)]
struct Pace {
    chats: HashMap<i64, Instant>,
}

impl Pace {
    /// Whether this chat may get something now; if so, it is counted.
    fn lets(&mut self, letter: &Letter, now: Instant) -> bool {
        let interval = match letter.chat {
            _ if is_status(letter) => STATUS_INTERVAL,
            group if group < 0 => GROUP_INTERVAL,
            _ => CHAT_INTERVAL,
        };
        self.chats.retain(|_, next| *next > now);
        if self.chats.contains_key(&letter.chat) {
            return false;
        }
        self.chats.insert(letter.chat, now + interval);
        true
    }

    /// Telegram said so.
    fn wait(&mut self, chat: i64, until: Instant) {
        self.chats.insert(chat, until);
    }
}

impl Bot {
    /// Sends, for ever.
    pub(super) async fn send(&self) -> std::convert::Infallible {
        let mut pace = Pace::default();
        loop {
            match self.store.to_send(AT_ONCE).await {
                Ok(waiting) => {
                    for waiting in waiting {
                        if pace.lets(&waiting.letter, Instant::now()) {
                            self.send_one(&waiting, &mut pace).await;
                            tokio::time::sleep(ALL_INTERVAL).await;
                        }
                    }
                }
                Err(error) => tracing::warn!("the outbox can't be read: {error}"),
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    async fn send_one(&self, waiting: &Waiting, pace: &mut Pace) {
        let letter = &waiting.letter;
        let (fate, detail) = match self.deliver(waiting).await {
            Ok(message) => (Fate::Sent(message), String::new()),
            Err(Trouble::Again(wait)) => {
                pace.wait(letter.chat, Instant::now() + wait);
                (Fate::Later(now_ms() + i64::try_from(wait.as_millis()).unwrap_or(i64::MAX / 2)), "too many".to_owned())
            }
            // The same text once more: somebody else was there first.
            Err(Trouble::Refused { why, .. }) if why.contains("message is not modified") => {
                (Fate::Sent(waiting.message.unwrap_or_default()), String::new())
            }
            Err(Trouble::Undelivered(why)) if waiting.tries < TRIES_MAX => (Fate::Later(now_ms() + (RETRY_MS << waiting.tries)), why),
            Err(Trouble::Uncertain(why)) if is_status(letter) && waiting.message.is_some() => (Fate::Later(now_ms() + RETRY_MS), why),
            Err(Trouble::Uncertain(why)) => (Fate::Uncertain, why),
            Err(why) => (Fate::Refused, why.to_string()),
        };
        if !detail.is_empty() {
            tracing::warn!("letter {} to a chat: {detail}", letter.name);
        }
        if let Err(error) = self.store.sent(waiting, fate, &detail).await {
            tracing::warn!("what became of letter {} can't be stored: {error}", letter.name);
        }
    }

    /// Sends it; the number of the message.
    async fn deliver(&self, waiting: &Waiting) -> Result<i64, Trouble> {
        let letter = &waiting.letter;
        if let (Some(document), Some(project)) = (letter.message.document, &letter.project) {
            let refused = |why: String| Trouble::Refused { code: 0, why };
            let project = self.store.project(project).await.map_err(|error| Trouble::Undelivered(error.to_string()))?;
            let (name, bytes) = self.document(&project, document).await.map_err(|error| refused(format!("{error:#}")))?;
            return self.api.send_document(letter.chat, &name, bytes).await.map(|sent| number(&sent));
        }
        match self.write(waiting, &letter.message.html, true).await {
            // Something in it is no markup to Telegram: better plain than not at all.
            Err(Trouble::Refused { why, .. }) if why.contains("can't parse entities") => {
                self.write(waiting, &plain(&letter.message.html), false).await
            }
            result => result,
        }
    }

    async fn write(&self, waiting: &Waiting, text: &str, is_html: bool) -> Result<i64, Trouble> {
        let (letter, chat) = (&waiting.letter, ChatId(waiting.letter.chat));
        let keyboard = keyboard(letter);
        if let (true, Some(message)) = (is_status(letter), waiting.message) {
            let mut edit = EditMessageText::new(chat, MessageId(i32::try_from(message).unwrap_or_default()), text);
            if is_html {
                edit = edit.parse_mode(ParseMode::Html);
            }
            return self.api.call::<_, Value>(&edit, Duration::ZERO).await.map(|_| message);
        }
        let mut send = SendMessage::new(chat, text);
        if is_html {
            send = send.parse_mode(ParseMode::Html);
        }
        if let Some(keyboard) = keyboard {
            send = send.reply_markup(keyboard);
        }
        self.api.call::<_, Value>(&send, Duration::ZERO).await.map(|sent| number(&sent))
    }
}

fn is_status(letter: &Letter) -> bool {
    letter.name.starts_with("status.")
}

fn number(sent: &Value) -> i64 {
    sent["message_id"].as_i64().unwrap_or_default()
}

fn keyboard(letter: &Letter) -> Option<InlineKeyboardMarkup> {
    let Message { buttons, .. } = &letter.message;
    let key = |row: usize, column: usize, button: &Button| InlineKeyboardButton::callback(&button.label, button_name(letter, row, column));
    let rows = buttons
        .iter()
        .enumerate()
        .map(|(row, buttons)| buttons.iter().enumerate().map(|(column, button)| key(row, column, button)).collect::<Vec<_>>());
    (!buttons.is_empty()).then(|| InlineKeyboardMarkup::new(rows))
}

/// HTML of ours as words.
fn plain(html: &str) -> String {
    let (mut text, mut in_tag) = (String::with_capacity(html.len()), false);
    for letter in html.chars() {
        match letter {
            '<' => in_tag = true,
            '>' if in_tag => in_tag = false,
            _ if in_tag => {}
            letter => text.push(letter),
        }
    }
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_of_ours_can_be_said_plainly() {
        assert_eq!(plain("<b>a &lt;b&gt; &amp;amp;</b>\n<i>c</i>"), "a <b> &amp;\nc");
    }
}
