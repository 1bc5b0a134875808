//! Everything the double knows, behind one lock, and the few things that all its parts do with it: find a chat, put a message there,
//! tell the bot.

use crate::call::Call;
use crate::faults::Faults;
use crate::flood::Flood;
use crate::keyboard::Keyboard;
use crate::log::LoggedCall;
use crate::options::Options;
use crate::payments::{Payment, Refund};
use crate::refusal::Refusal;
use crate::updates::Updates;
use crate::webhook::Webhook;
use crate::world::{Chat, ChatKind, Content, Message, Person, Standing, StoredFile, mime, unix_seconds};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

/// A press of a button that waits for its answer.
pub(crate) struct Pressed {
    pub(crate) user: i64,
    pub(crate) data: String,
    pub(crate) at: Instant,
    pub(crate) answered: bool,
}

/// How the bot answered a press of a button.
#[derive(Clone, Debug)]
pub struct AnsweredCallback {
    /// Of the callback query.
    pub id: String,
    /// Who pressed.
    pub user: i64,
    /// What the button sent.
    pub data: String,
    /// What the person was shown, if anything.
    pub text: Option<String>,
    /// Whether they had to close it.
    pub show_alert: bool,
    /// How long they waited.
    pub after: std::time::Duration,
}

/// The whole of it.
pub(crate) struct State {
    pub(crate) options: Options,
    pub(crate) bot_id: i64,
    pub(crate) people: BTreeMap<i64, Person>,
    pub(crate) chats: BTreeMap<i64, Chat>,
    pub(crate) files: BTreeMap<String, Arc<StoredFile>>,
    pub(crate) updates: Updates,
    pub(crate) webhook: Option<Webhook>,
    pub(crate) flood: Flood,
    pub(crate) faults: Faults,
    pub(crate) pressed: BTreeMap<String, Pressed>,
    pub(crate) answered: Vec<AnsweredCallback>,
    pub(crate) payments: Vec<Payment>,
    pub(crate) refunds: Vec<Refund>,
    /// The bot's commands, for each scope and language.
    pub(crate) commands: BTreeMap<String, Vec<(String, String)>>,
    pub(crate) actions: Vec<(i64, String)>,
    pub(crate) log: VecDeque<LoggedCall>,
    /// The last number that was given out, for ids of every sort.
    last_number: i64,
    /// The last message id outside of supergroups, whose messages have numbers of their own.
    last_message: i64,
}

impl State {
    pub(crate) fn new(options: Options) -> State {
        let bot_id = options.token.split(':').next().and_then(|id| id.parse().ok()).unwrap_or(1);
        State {
            flood: Flood::new(options.flood.clone()),
            options,
            bot_id,
            people: BTreeMap::new(),
            chats: BTreeMap::new(),
            files: BTreeMap::new(),
            updates: Updates::default(),
            webhook: None,
            faults: Faults::default(),
            pressed: BTreeMap::new(),
            answered: Vec::new(),
            payments: Vec::new(),
            refunds: Vec::new(),
            commands: BTreeMap::new(),
            actions: Vec::new(),
            log: VecDeque::new(),
            last_number: 5000,
            last_message: 100,
        }
    }

    /// A number that was not given out before.
    pub(crate) fn number(&mut self) -> i64 {
        self.last_number += 1;
        self.last_number
    }

    pub(crate) fn new_chat(&mut self, id: i64, kind: ChatKind, title: &str, members: BTreeSet<i64>) {
        let chat = Chat { id, kind, title: title.to_owned(), members, bot: Standing::Member, migrated_to: None, messages: BTreeMap::new() };
        self.chats.insert(id, chat);
    }

    /// A chat that is known to be there.
    pub(crate) fn chat(&self, id: i64) -> &Chat {
        self.chats.get(&id).unwrap_or_else(|| panic!("there is no chat {id}"))
    }

    pub(crate) fn chat_mut(&mut self, id: i64) -> &mut Chat {
        self.chats.get_mut(&id).unwrap_or_else(|| panic!("there is no chat {id}"))
    }

    /// The chat that a call is about, as long as the bot can do something there.
    pub(crate) fn called_chat(&self, call: &Call) -> Result<i64, Refusal> {
        let chat = self.known_chat(call)?;
        match (chat.migrated_to, chat.bot) {
            (Some(to), _) => Err(Refusal::migrated(to)),
            (None, Standing::Kicked) if chat.is_private() => Err(Refusal::forbidden("bot was blocked by the user")),
            (None, Standing::Kicked) => Err(Refusal::forbidden(format_args!("bot was kicked from the {}", chat.noun()))),
            (None, Standing::Left) => Err(Refusal::forbidden(format_args!("bot is not a member of the {}", chat.noun()))),
            (None, _) => Ok(chat.id),
        }
    }

    /// The chat that a call is about.
    pub(crate) fn known_chat(&self, call: &Call) -> Result<&Chat, Refusal> {
        // A channel's name is an id too, and the double has no channels.
        if matches!(call.text("chat_id"), Ok(Some(name)) if name.starts_with('@')) {
            return Err(Refusal::bad_request("chat not found"));
        }
        let id = call.integer("chat_id")?.ok_or_else(|| Refusal::bad_request("chat_id is empty"))?;
        self.chats.get(&id).ok_or_else(|| Refusal::bad_request("chat not found"))
    }

    /// Counts one more send or edit.
    pub(crate) fn admit(&mut self, chat: i64) -> Result<(), Refusal> {
        let private = self.chat(chat).is_private();
        self.flood.admit(chat, private, Instant::now()).map_err(Refusal::retry_after)
    }

    /// Puts a message into a chat and gives its id.
    pub(crate) fn put(&mut self, chat: i64, from: i64, content: Content, keyboard: Keyboard, reply_to: Option<i64>) -> i64 {
        let place = self.chat(chat);
        let id = match place.kind {
            ChatKind::Supergroup => place.messages.last_key_value().map_or(1, |(last, _)| last + 1),
            _ => {
                self.last_message += 1;
                self.last_message
            }
        };
        let message = Message {
            id,
            from,
            content,
            keyboard,
            reply_to,
            reactions: Vec::new(),
            sent_at: SystemTime::now(),
            edited_at: None,
            deleted_at: None,
            edit_count: 0,
            earlier: Vec::new(),
        };
        self.chat_mut(chat).messages.insert(id, message);
        id
    }

    /// Keeps a file.
    pub(crate) fn store(&mut self, name: &str, bytes: Vec<u8>, folder: &str) -> Arc<StoredFile> {
        let number = self.number();
        let name = if name.is_empty() { "file" } else { name };
        let ending = name.rsplit_once('.').map_or("bin", |(_, ending)| ending);
        let file = Arc::new(StoredFile {
            id: format!("BQACAgIAAxkBAAI{number}"),
            unique_id: format!("AgAD{number}"),
            name: name.to_owned(),
            mime: mime(name).to_owned(),
            bytes,
            path: format!("{folder}/file_{number}.{ending}"),
        });
        self.files.insert(file.id.clone(), file.clone());
        file
    }

    pub(crate) fn user_json(&self, id: i64) -> Value {
        if id == self.bot_id {
            return json!({
                "id": id, "is_bot": true, "first_name": self.options.bot_name, "username": self.options.bot_username,
            });
        }
        self.people.get(&id).map(Person::json).unwrap_or_else(|| json!({ "id": id, "is_bot": false, "first_name": "Deleted Account" }))
    }

    pub(crate) fn chat_json(&self, id: i64) -> Value {
        self.chat(id).json(self.people.get(&id))
    }

    /// A message with everything that Telegram tells of it, including what it answers.
    pub(crate) fn message_json(&self, chat: i64, id: i64) -> Value {
        let mut value = self.bare_message_json(chat, id);
        if let Some(reply_to) = self.chat(chat).messages[&id].reply_to.filter(|reply_to| self.chat(chat).message(*reply_to).is_some()) {
            value["reply_to_message"] = self.bare_message_json(chat, reply_to);
        }
        value
    }

    fn bare_message_json(&self, chat: i64, id: i64) -> Value {
        let message = &self.chat(chat).messages[&id];
        let mut value = message.json();
        value["chat"] = self.chat_json(chat);
        value["from"] = self.user_json(message.from);
        value
    }

    /// Tells the bot of a message.
    pub(crate) fn tell(&mut self, kind: &str, chat: i64, id: i64) -> i64 {
        let message = self.message_json(chat, id);
        self.updates.push(kind, message)
    }

    /// Changes what the bot is in a chat, because this user did so, and tells the bot.
    pub(crate) fn change_standing(&mut self, chat: i64, by: i64, to: Standing) -> i64 {
        let bot = self.user_json(self.bot_id);
        let from = std::mem::replace(&mut self.chat_mut(chat).bot, to);
        let change = json!({
            "chat": self.chat_json(chat), "from": self.user_json(by), "date": unix_seconds(SystemTime::now()),
            "old_chat_member": from.json(bot.clone()), "new_chat_member": to.json(bot),
        });
        self.updates.push("my_chat_member", change)
    }
}
