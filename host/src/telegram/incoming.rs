//! What an update means: who did what in which chat. In a group only what is meant for the bot: commands that name it, words that mention
//! it, replies to it.

use super::Me;
use crate::chat::Heard;
use teloxide_core::types::{ChatKind, ChatMemberKind, Message, MessageKind, PublicChatKind, Update, UpdateKind, User};

/// What somebody did.
#[derive(Debug)]
pub struct Said {
    /// The person's number; 0 where it is about no person.
    pub user: i64,
    /// The language of the person's app, such as `de`; empty where Telegram does not tell.
    pub language: String,
    /// Whether others listen.
    pub is_group: bool,
    /// What it was.
    pub deed: Deed,
}

/// What it was.
#[derive(Debug)]
pub enum Deed {
    /// Words or the like; and the number of the bot's message that they answer.
    Spoke(Heard, Option<i64>),
    /// A file with words, to be fetched.
    Handed {
        /// Its id.
        file: String,
        /// What it is called.
        name: String,
        /// In bytes, as Telegram says.
        size: u64,
        /// What was said with it.
        words: String,
        /// The number of the bot's message that it answers.
        reply_to: Option<i64>,
    },
    /// A button.
    Pressed {
        /// The query to answer.
        query: String,
        /// The button's name.
        name: String,
        /// The number of the message that has it.
        message: Option<i64>,
    },
    /// It was paid.
    Paid(Paid),
    /// Telegram gave the Stars of this charge back.
    Returned(String),
    /// The chat takes messages, or takes none any more.
    Presence {
        /// Whether it takes them.
        takes_messages: bool,
    },
    /// The group has another number now.
    Moved(i64),
}

/// A payment as Telegram tells it.
#[derive(Debug)]
pub struct Paid {
    /// Telegram's name of the payment.
    pub charge: String,
    /// Our name of the invoice.
    pub invoice: String,
    /// How much.
    pub stars: i64,
}

/// Reads an update; `None` where it is nothing to us.
pub fn said(me: &Me, update: Update) -> Option<Said> {
    match update.kind {
        UpdateKind::Message(message) => {
            if let Some(to) = message.migrate_to_chat_id() {
                return Some(Said { user: 0, language: String::new(), is_group: true, deed: Deed::Moved(to.0) });
            }
            if let MessageKind::RefundedPayment(refund) = &message.kind {
                let deed = Deed::Returned(refund.refunded_payment.telegram_payment_charge_id.0.clone());
                return Some(Said { user: 0, language: String::new(), is_group: false, deed });
            }
            let user = message.from.as_ref().filter(|user| !user.is_bot)?;
            if let Some(payment) = message.successful_payment() {
                let paid = Paid {
                    charge: payment.telegram_payment_charge_id.0.clone(),
                    invoice: payment.invoice_payload.clone(),
                    stars: i64::from(payment.total_amount),
                };
                return Some(by(user, !message.chat.is_private(), Deed::Paid(paid)));
            }
            let deed = if message.chat.is_private() { spoken(me, &message) } else { spoken_in_group(me, &message)? };
            Some(by(user, !message.chat.is_private(), deed))
        }
        // What was said in a group was often not meant for us.
        UpdateKind::EditedMessage(message) if message.chat.is_private() => {
            Some(by(message.from.as_ref()?, false, Deed::Spoke(Heard::Edited, None)))
        }
        UpdateKind::CallbackQuery(query) => {
            let chat = query.message.as_ref().map(|message| message.chat());
            let is_group = chat.is_some_and(|chat| !chat.is_private());
            let message = query.message.as_ref().map(|message| i64::from(message.id().0));
            let deed = Deed::Pressed { query: query.id.0.clone(), name: query.data.clone().unwrap_or_default(), message };
            Some(by(&query.from, is_group, deed))
        }
        UpdateKind::MyChatMember(change) => {
            let is_group = match &change.chat.kind {
                ChatKind::Private(_) => false,
                ChatKind::Public(chat) if matches!(chat.kind, PublicChatKind::Channel(_)) => return None,
                ChatKind::Public(_) => true,
            };
            let takes_messages = !matches!(change.new_chat_member.kind, ChatMemberKind::Left | ChatMemberKind::Banned(_));
            Some(by(&change.from, is_group, Deed::Presence { takes_messages }))
        }
        _ => None,
    }
}

fn by(user: &User, is_group: bool, deed: Deed) -> Said {
    let user_number = i64::try_from(user.id.0).unwrap_or_default();
    Said { user: user_number, language: user.language_code.clone().unwrap_or_default(), is_group, deed }
}

fn spoken(me: &Me, message: &Message) -> Deed {
    let reply_to = reply_to(me, message);
    if let Some(document) = message.document() {
        return Deed::Handed {
            file: document.file.id.0.clone(),
            name: document.file_name.clone().unwrap_or_default(),
            size: u64::from(document.file.size),
            words: message.caption().unwrap_or_default().to_owned(),
            reply_to,
        };
    }
    Deed::Spoke(heard(me, message.text()), reply_to)
}

/// A command or words.
fn heard(me: &Me, text: Option<&str>) -> Heard {
    let Some(text) = text else { return Heard::Other };
    let Some(command) = text.strip_prefix('/') else { return Heard::Text(text.to_owned()) };
    let (name, rest) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
    let name = match name.split_once('@') {
        Some((name, bot)) if bot.eq_ignore_ascii_case(&me.name) => name,
        _ => name,
    };
    Heard::Command(name.to_lowercase(), rest.to_owned())
}

fn spoken_in_group(me: &Me, message: &Message) -> Option<Deed> {
    let reply = reply_to(me, message);
    let text = message.text().or_else(|| message.caption())?;
    let is_command = text
        .strip_prefix('/')
        .and_then(|command| command.split(char::is_whitespace).next())
        .is_some_and(|command| command.split_once('@').is_some_and(|(_, bot)| bot.eq_ignore_ascii_case(&me.name)));
    if is_command || (reply.is_some() && mention(me, text).is_none()) {
        return Some(spoken(me, message));
    }
    let (before, after) = mention(me, text)?;
    let words = format!("{} {}", before.trim_end(), after.trim_start()).trim().to_owned();
    Some(match spoken(me, message) {
        Deed::Handed { file, name, size, reply_to, .. } => Deed::Handed { file, name, size, words, reply_to },
        _ => Deed::Spoke(heard(me, Some(&words)), reply),
    })
}

/// What is before and after our name in it.
fn mention<'a>(me: &Me, text: &'a str) -> Option<(&'a str, &'a str)> {
    text.match_indices('@').find_map(|(at, _)| {
        let rest = &text[at + 1..];
        let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(rest.len());
        rest[..end].eq_ignore_ascii_case(&me.name).then_some((&text[..at], &rest[end..]))
    })
}

/// The number of our message that this one answers.
fn reply_to(me: &Me, message: &Message) -> Option<i64> {
    let answered = message.reply_to_message()?;
    let is_ours = answered.from.as_ref().is_some_and(|user| i64::try_from(user.id.0) == Ok(me.id));
    is_ours.then_some(i64::from(answered.id.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn hear(text: &str, chat: i64, reply_to: Option<i64>) -> Option<Deed> {
        let me = Me { id: 42, name: "atelier_bot".into() };
        let user = json!({ "id": 7, "is_bot": false, "first_name": "Ada" });
        let kind = if chat < 0 {
            json!({ "id": chat, "type": "group", "title": "G" })
        } else {
            json!({ "id": chat, "type": "private", "first_name": "Ada" })
        };
        let mut message = json!({ "message_id": 5, "date": 1, "chat": kind, "from": user, "text": text });
        if let Some(who) = reply_to {
            let from = json!({ "id": who, "is_bot": true, "first_name": "B" });
            message["reply_to_message"] = json!({ "message_id": 3, "date": 1, "chat": message["chat"], "from": from, "text": "?" });
        }
        let update = serde_json::from_str(&json!({ "update_id": 1, "message": message }).to_string()).expect("an update");
        said(&me, update).map(|said| said.deed)
    }

    #[test]
    fn in_a_group_only_what_is_meant_for_the_bot_is_heard() {
        assert!(hear("a tool", -9, None).is_none() && hear("/status", -9, None).is_none());
        assert!(hear("/status@other_bot", -9, None).is_none() && hear("a reply to somebody else", -9, Some(41)).is_none());
        assert!(
            matches!(hear("/status@Atelier_Bot now", -9, None), Some(Deed::Spoke(Heard::Command(name, rest), None)) if name == "status" && rest == "now")
        );
        assert!(matches!(hear("@atelier_bot, a tool", -9, None), Some(Deed::Spoke(Heard::Text(text), _)) if text == ", a tool"));
        assert!(matches!(hear("that one", -9, Some(42)), Some(Deed::Spoke(Heard::Text(text), Some(3))) if text == "that one"));
        assert!(hear("@atelier_bots a tool", -9, None).is_none());
    }

    #[test]
    fn in_private_everything_is() {
        assert!(matches!(hear("a tool", 7, None), Some(Deed::Spoke(Heard::Text(_), None))));
        assert!(
            matches!(hear("/NEW a\ntool", 7, None), Some(Deed::Spoke(Heard::Command(name, rest), _)) if name == "new" && rest == "a\ntool")
        );
    }
}
