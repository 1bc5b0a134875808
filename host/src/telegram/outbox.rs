//! Sends what is to be said, in the order that matters and no faster than Telegram takes it; side by side, one letter in each chat. A
//! letter is marked before it is sent, so that after a kill it is known what may be there already ([`crate::store::chats::outbox`]).

use super::Bot;
use super::api::Trouble;
use super::pace::Pace;
use crate::chat::{Button, Message};
use crate::store::chats::{Fate, Kind, Letter, Waiting, button_name};
use crate::store::now_ms;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use teloxide_core::payloads::{
    EditMessageReplyMarkup, EditMessageReplyMarkupSetters, EditMessageText, EditMessageTextSetters, SendMessage, SendMessageSetters,
};
use teloxide_core::types::{ChatId, InlineKeyboardButton, InlineKeyboardMarkup, MessageId, ParseMode};
use tokio::task::{Id, JoinError, JoinSet};

/// How long to wait for a change at most: what may go later, goes then.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);
/// Letters of one look; some of them have to wait for their chat.
const LOOKED_AT: u32 = 100;
/// Letters under way at one time.
const UNDER_WAY_MAX: usize = 16;
/// A letter that can't be delivered is tried so often, the later the longer.
const TRIES_MAX: u32 = 10;
const RETRY_MS: i64 = 1_000;

type Sent = (Waiting, Fate, String);

impl Bot {
    /// Sends, for ever.
    pub(super) async fn send(self: &Arc<Self>) -> std::convert::Infallible {
        let mut work = self.store.work();
        let mut pace = Pace::new(Instant::now());
        // Tasks of their own: one that has a connection to the database must go on while this loop waits for one.
        let mut under_way: JoinSet<Sent> = JoinSet::new();
        // What is under way, by its chat.
        let mut busy: HashMap<i64, (Id, Waiting)> = HashMap::new();
        loop {
            work.mark_unchanged();
            let mut next = Instant::now() + LOOK_INTERVAL;
            let room = UNDER_WAY_MAX - under_way.len();
            if room > 0 {
                match self.choose(&mut pace, &busy, room, &mut next).await {
                    Ok(chosen) => {
                        for waiting in chosen {
                            let (bot, sent) = (self.clone(), waiting.clone());
                            let task = under_way.spawn(async move { bot.send_one(sent).await });
                            busy.insert(waiting.letter.chat, (task.id(), waiting));
                        }
                    }
                    Err(error) => tracing::warn!("the outbox can't be read: {error}"),
                }
            }
            let wait = next.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            let first = tokio::select! {
                Some(sent) = under_way.join_next() => sent,
                _ = tokio::time::timeout(wait, work.changed()) => continue,
            };
            let mut done = Vec::new();
            let mut next = Some(first);
            while let Some(sent) = next {
                // What panicked would do it again.
                let failed = |error: JoinError| {
                    let (_, waiting) = busy.values().find(|(task, _)| *task == error.id())?;
                    Some((waiting.clone(), Fate::Refused, error.to_string()))
                };
                done.extend(sent.map_or_else(failed, Some));
                next = under_way.try_join_next();
            }
            self.note(&done, &mut pace, &mut busy).await;
        }
    }

    /// What goes now, marked as under way; and when there may be more.
    async fn choose(
        &self,
        pace: &mut Pace,
        busy: &HashMap<i64, (Id, Waiting)>,
        room: usize,
        next: &mut Instant,
    ) -> crate::store::Result<Vec<Waiting>> {
        let (now, mut chosen) = (Instant::now(), Vec::new());
        for waiting in self.store.to_send(LOOKED_AT).await? {
            if chosen.len() == room {
                break;
            }
            if busy.contains_key(&waiting.letter.chat) {
                continue;
            }
            match pace.lets(&waiting.letter, now) {
                Ok(()) => chosen.push(waiting),
                Err(later) => *next = later.min(*next),
            }
        }
        if !chosen.is_empty() {
            self.store.sending(&chosen).await?;
        }
        Ok(chosen)
    }

    /// Writes down what became of letters, until that is done: it decides what is sent again.
    async fn note(&self, done: &[Sent], pace: &mut Pace, busy: &mut HashMap<i64, (Id, Waiting)>) {
        for (waiting, fate, detail) in done {
            busy.remove(&waiting.letter.chat);
            if let Fate::Later(time) = fate {
                let wait = u64::try_from(time - now_ms()).unwrap_or_default();
                pace.wait(waiting.letter.chat, Instant::now() + Duration::from_millis(wait));
            }
            if !detail.is_empty() {
                tracing::info!("letter {}: {detail}", waiting.letter.name);
            }
        }
        while let Err(error) = self.store.sent(done).await {
            tracing::warn!("what became of letters can't be stored: {error}");
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    async fn send_one(&self, waiting: Waiting) -> Sent {
        let letter = &waiting.letter;
        let later = |wait: Duration| Fate::Later(now_ms() + i64::try_from(wait.as_millis()).unwrap_or(i64::MAX / 2));
        let (fate, detail) = match self.deliver(&waiting).await {
            Ok((message, file)) => (Fate::Sent(message, file), String::new()),
            Err(Trouble::Again(wait)) => (later(wait), "too many".to_owned()),
            Err(Trouble::Moved(to)) => match self.store.chat_moved(letter.chat, to).await {
                Ok(()) => (Fate::Anew, "the group moved".to_owned()),
                Err(error) => (Fate::Later(now_ms() + RETRY_MS), error.to_string()),
            },
            Err(Trouble::Refused { code, why }) => (self.refused(&waiting, code, &why).await, why),
            Err(Trouble::Undelivered(why)) if waiting.tries < TRIES_MAX => (Fate::Later(now_ms() + (RETRY_MS << waiting.tries)), why),
            Err(Trouble::Undelivered(why)) => (Fate::Refused, why),
            Err(Trouble::Uncertain(why)) => (Fate::Uncertain, why),
        };
        (waiting, fate, detail)
    }

    /// What a refusal means.
    async fn refused(&self, waiting: &Waiting, code: u16, why: &str) -> Fate {
        let is_edit = waiting.message.is_some();
        // The same text once more: it is there.
        if is_edit && why.contains("message is not modified") {
            return Fate::Sent(waiting.message.unwrap_or_default(), None);
        }
        if is_edit && waiting.letter.kind == Kind::Status && (why.contains("message to edit not found") || why.contains("can't be edited"))
        {
            return Fate::Anew;
        }
        let is_gone = code == 403 || why.contains("chat not found") || why.contains("not enough rights to send");
        if is_gone {
            if let Err(error) = self.store.chat_is_gone(waiting.letter.chat, true).await {
                tracing::warn!("that a chat takes no messages can't be stored: {error}");
            }
            return Fate::Gone;
        }
        Fate::Refused
    }

    /// Sends it, or changes what is there: the number of the message, and of its file.
    async fn deliver(&self, waiting: &Waiting) -> Result<(i64, Option<String>), Trouble> {
        let letter = &waiting.letter;
        if let ([document], Some(project)) = (letter.message.documents.as_slice(), &letter.project) {
            return self.deliver_document(letter, *document, project).await;
        }
        if let (Some(invoice), None) = (&letter.message.invoice, waiting.message) {
            return self.deliver_invoice(letter.chat, invoice).await.map(|message| (message, None));
        }
        match self.write(waiting, &letter.message.html, true).await {
            // Something in it is no markup to Telegram: better plain than not at all.
            Err(Trouble::Refused { why, .. }) if why.contains("can't parse entities") => {
                self.write(waiting, &plain(&letter.message.html), false).await
            }
            result => result,
        }
        .map(|message| (message, None))
    }

    async fn write(&self, waiting: &Waiting, text: &str, is_html: bool) -> Result<i64, Trouble> {
        let (letter, chat) = (&waiting.letter, ChatId(waiting.letter.chat));
        let keyboard = keyboard(letter);
        if let Some(message) = waiting.message {
            let id = MessageId(i32::try_from(message).unwrap_or_default());
            if letter.kind != Kind::Status {
                // Only its buttons ever change.
                let mut edit = EditMessageReplyMarkup::new(chat, id);
                if let Some(keyboard) = keyboard {
                    edit = edit.reply_markup(keyboard);
                }
                return self.api.call::<_, Value>(&edit, Duration::ZERO).await.map(|_| message);
            }
            let mut edit = EditMessageText::new(chat, id, text);
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

    async fn deliver_document(
        &self,
        letter: &Letter,
        document: crate::chat::Document,
        project: &str,
    ) -> Result<(i64, Option<String>), Trouble> {
        let refused = |why: String| Trouble::Refused { code: 0, why };
        let away = |error: crate::store::StoreError| Trouble::Undelivered(error.to_string());
        let project = self.store.project(project).await.map_err(away)?;
        let file = self.document(&project, document).await.map_err(|error| refused(format!("{error:#}")))?;
        if file.bytes.len() > super::documents::BYTES_MAX {
            let text = self.texts_of(letter.person).await.map_err(away)?.say("zip-too-large", &[]);
            let send = SendMessage::new(ChatId(letter.chat), text).parse_mode(ParseMode::Html);
            return self.api.call::<_, Value>(&send, Duration::ZERO).await.map(|sent| (number(&sent), None));
        }
        let digest = crate::workspace::sha256(&file.bytes);
        if let Some(known) = self.store.known_file(&digest).await.map_err(away)? {
            let body = json!({ "chat_id": letter.chat, "document": known });
            match self.api.raw("sendDocument", &body).await {
                // Telegram has forgotten it.
                Err(Trouble::Refused { code: 400, why }) if why.contains("file") => {}
                result => return result.map(|sent| (number(&sent), Some(format!("{digest} {known}")))),
            }
        }
        let sent = self.api.send_document(letter.chat, &file.name, file.bytes).await?;
        let id = sent["document"]["file_id"].as_str().map(|id| format!("{digest} {id}"));
        Ok((number(&sent), id))
    }
}

pub(super) fn number(sent: &Value) -> i64 {
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
