//! What each method does, once its call is read: it is done whole or refused whole. Messages are in `messages`, files in `files`, money
//! in `payments`, webhooks in `webhook`; `getUpdates` waits and is in `polling`.

mod files;
mod messages;

pub(crate) use messages::show;

use crate::call::Call;
use crate::payments;
use crate::refusal::Refusal;
use crate::state::{AnsweredCallback, State};
use crate::webhook;
use crate::world::Standing;
use serde_json::{Value, json};

/// Every method, as Telegram spells it.
pub(crate) const NAMES: [&str; 23] = [
    "getMe",
    "getUpdates",
    "setWebhook",
    "deleteWebhook",
    "getWebhookInfo",
    "sendMessage",
    "editMessageText",
    "editMessageReplyMarkup",
    "deleteMessage",
    "sendDocument",
    "answerCallbackQuery",
    "sendChatAction",
    "setMessageReaction",
    "getFile",
    "setMyCommands",
    "getMyCommands",
    "sendInvoice",
    "answerPreCheckoutQuery",
    "refundStarPayment",
    "getChat",
    "getChatMember",
    "leaveChat",
    "deleteMyCommands",
];

/// What a bot can say that it is doing.
const ACTIONS: [&str; 11] = [
    "typing",
    "upload_photo",
    "record_video",
    "upload_video",
    "record_voice",
    "upload_voice",
    "upload_document",
    "choose_sticker",
    "find_location",
    "record_video_note",
    "upload_video_note",
];

/// The most commands that a bot has.
const COMMANDS_MAX: usize = 100;
/// The longest toast or alert that answers a press, in letters.
const ANSWER_MAX: usize = 200;

/// Does what a call asks for.
pub(crate) fn perform(state: &mut State, call: &Call) -> Result<Value, Refusal> {
    match call.method.as_str() {
        "getMe" => Ok(me(state)),
        "setWebhook" => webhook::set(state, call),
        "deleteWebhook" => webhook::delete(state, call),
        "getWebhookInfo" => Ok(webhook::info(state)),
        "sendMessage" => messages::send(state, call),
        "editMessageText" => messages::edit_text(state, call),
        "editMessageReplyMarkup" => messages::edit_markup(state, call),
        "deleteMessage" => messages::delete(state, call),
        "setMessageReaction" => messages::react(state, call),
        "sendDocument" => files::send_document(state, call),
        "getFile" => files::get_file(state, call),
        "answerCallbackQuery" => answer_callback(state, call),
        "sendChatAction" => chat_action(state, call),
        "setMyCommands" => set_commands(state, call),
        "getMyCommands" => commands(state, call),
        "deleteMyCommands" => {
            state.commands.remove(&commands_key(call)?);
            Ok(json!(true))
        }
        "sendInvoice" => payments::send_invoice(state, call),
        "answerPreCheckoutQuery" => payments::answer_pre_checkout(state, call),
        "refundStarPayment" => payments::refund(state, call),
        "getChat" => chat(state, call),
        "getChatMember" => chat_member(state, call),
        "leaveChat" => leave(state, call),
        _ => Err(Refusal::not_found()),
    }
}

fn me(state: &State) -> Value {
    let mut me = state.user_json(state.bot_id);
    for (name, can) in [
        ("can_join_groups", true),
        ("can_read_all_group_messages", true),
        ("supports_inline_queries", false),
        ("can_connect_to_business", false),
        ("has_main_web_app", false),
    ] {
        me[name] = json!(can);
    }
    me
}

fn answer_callback(state: &mut State, call: &Call) -> Result<Value, Refusal> {
    let id = call.required_text("callback_query_id")?;
    let text = call.text("text")?.map(str::to_owned);
    let show_alert = call.flag("show_alert")?;
    if text.as_ref().is_some_and(|text| text.chars().count() > ANSWER_MAX) {
        return Err(Refusal::bad_request("MESSAGE_TOO_LONG"));
    }
    let timeout = state.options.callback_timeout;
    let pressed = state.pressed.get_mut(id).ok_or_else(Refusal::query_too_old)?;
    let after = pressed.at.elapsed();
    if pressed.answered || after > timeout {
        return Err(Refusal::query_too_old());
    }
    pressed.answered = true;
    let (user, data) = (pressed.user, pressed.data.clone());
    state.answered.push(AnsweredCallback { id: id.to_owned(), user, data, text, show_alert, after });
    Ok(json!(true))
}

fn chat_action(state: &mut State, call: &Call) -> Result<Value, Refusal> {
    let chat = state.called_chat(call)?;
    let action = call.required_text("action")?;
    if !ACTIONS.contains(&action) {
        return Err(Refusal::bad_request("wrong parameter action in request"));
    }
    state.actions.push((chat, action.to_owned()));
    Ok(json!(true))
}

/// Under which key commands are kept: their scope and their language.
fn commands_key(call: &Call) -> Result<String, Refusal> {
    let scope = call.structure("scope")?.unwrap_or_else(|| json!({ "type": "default" }));
    let kind = scope["type"].as_str().ok_or_else(|| Refusal::ill_typed("scope", "BotCommandScope"))?;
    let mut key = kind.to_owned();
    for part in [&scope["chat_id"], &scope["user_id"]].into_iter().filter(|part| !part.is_null()) {
        key = format!("{key}:{part}");
    }
    if let Some(language) = call.text("language_code")? {
        key = format!("{key}/{language}");
    }
    Ok(key)
}

fn set_commands(state: &mut State, call: &Call) -> Result<Value, Refusal> {
    let list = call.list("commands")?.ok_or_else(|| Refusal::required("commands"))?;
    if list.len() > COMMANDS_MAX {
        return Err(Refusal::bad_request("BOT_COMMANDS_TOO_MUCH"));
    }
    let mut commands = Vec::new();
    for command in &list {
        let words = |name: &str| command[name].as_str().ok_or_else(|| Refusal::ill_typed(&format!("commands.{name}"), "String"));
        let (name, description) = (words("command")?.trim_start_matches('/'), words("description")?);
        let letter = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
        if name.is_empty() || name.len() > 32 || !name.chars().all(letter) {
            return Err(Refusal::bad_request("BOT_COMMAND_INVALID"));
        }
        if description.is_empty() || description.chars().count() > 256 {
            return Err(Refusal::bad_request("BOT_COMMAND_DESCRIPTION_INVALID"));
        }
        commands.push((name.to_owned(), description.to_owned()));
    }
    state.commands.insert(commands_key(call)?, commands);
    Ok(json!(true))
}

fn commands(state: &State, call: &Call) -> Result<Value, Refusal> {
    let commands = state.commands.get(&commands_key(call)?);
    Ok(commands.into_iter().flatten().map(|(name, description)| json!({ "command": name, "description": description })).collect())
}

fn chat(state: &State, call: &Call) -> Result<Value, Refusal> {
    let chat = state.known_chat(call)?;
    if let Some(to) = chat.migrated_to {
        return Err(Refusal::migrated(to));
    }
    let mut value = state.chat_json(chat.id);
    value["accent_color_id"] = json!(0);
    value["max_reaction_count"] = json!(11);
    value["accepted_gift_types"] = json!({
        "unlimited_gifts": true, "limited_gifts": true, "unique_gifts": true, "premium_subscription": true, "gifts_from_channels": true,
    });
    Ok(value)
}

fn chat_member(state: &State, call: &Call) -> Result<Value, Refusal> {
    let chat = state.called_chat(call)?;
    let user = call.integer("user_id")?.ok_or_else(|| Refusal::bad_request("invalid user_id specified"))?;
    let chat = state.chat(chat);
    let standing = match user {
        bot if bot == state.bot_id => chat.bot,
        member if chat.members.contains(&member) => Standing::Member,
        known if state.people.contains_key(&known) => Standing::Left,
        _ => return Err(Refusal::bad_request("user not found")),
    };
    Ok(standing.json(state.user_json(user)))
}

fn leave(state: &mut State, call: &Call) -> Result<Value, Refusal> {
    let chat = state.called_chat(call)?;
    if state.chat(chat).is_private() {
        return Err(Refusal::bad_request("chat member status can't be changed in private chats"));
    }
    state.change_standing(chat, state.bot_id, Standing::Left);
    Ok(json!(true))
}
