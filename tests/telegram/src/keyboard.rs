//! Inline keyboards: what is under a message, and whether Telegram would take it. Keyboards that replace a person's own are refused;
//! the double has none.

use crate::refusal::Refusal;
use serde_json::{Value, json};

/// The most buttons that a message has.
const BUTTONS_MAX: usize = 100;
/// The most buttons in one row.
const ROW_MAX: usize = 8;
/// The most bytes that a button sends back.
const DATA_MAX_BYTES: usize = 64;

/// What a button does besides callback, address and payment. A button has one of these and no other.
const OTHER_ACTIONS: [&str; 7] = [
    "web_app",
    "login_url",
    "switch_inline_query",
    "switch_inline_query_current_chat",
    "switch_inline_query_chosen_chat",
    "copy_text",
    "callback_game",
];

/// One button.
#[derive(Clone, Debug, PartialEq)]
pub struct Button {
    /// What is written on it.
    pub text: String,
    /// What it does.
    pub action: Action,
}

/// What happens when a button is pressed.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// The bot gets a callback query with this data.
    Callback(String),
    /// The person's browser opens this.
    Url(String),
    /// The person is asked to pay the invoice above.
    Pay,
    /// Something that the double shows and can't do: the name and the value.
    Other(String, Value),
}

impl Button {
    /// As it is in a message.
    pub(crate) fn json(&self) -> Value {
        let (name, value) = match &self.action {
            Action::Callback(data) => ("callback_data", json!(data)),
            Action::Url(url) => ("url", json!(url)),
            Action::Pay => ("pay", json!(true)),
            Action::Other(name, value) => (name.as_str(), value.clone()),
        };
        json!({ "text": self.text, name: value })
    }
}

/// Rows of buttons; none when there is no keyboard.
pub(crate) type Keyboard = Vec<Vec<Button>>;

/// Reads `reply_markup`.
pub(crate) fn read(markup: Option<Value>) -> Result<Keyboard, Refusal> {
    let Some(markup) = markup else { return Ok(Keyboard::new()) };
    let Value::Object(fields) = &markup else { return Err(Refusal::bad_request("object expected as reply markup")) };
    for other in ["keyboard", "remove_keyboard", "force_reply"] {
        if fields.contains_key(other) {
            return Err(Refusal::unsupported(format_args!("reply markup \"{other}\"")));
        }
    }
    let Some(rows) = fields.get("inline_keyboard") else { return Ok(Keyboard::new()) };
    let rows = rows.as_array().ok_or_else(|| Refusal::ill_typed("inline_keyboard", "Array"))?;
    let mut keyboard = Keyboard::new();
    for row in rows {
        let row =
            row.as_array().ok_or_else(|| Refusal::bad_request("can't parse inline keyboard: inline keyboard row must be an array"))?;
        keyboard.push(row.iter().map(button).collect::<Result<_, _>>()?);
    }
    keyboard.retain(|row| !row.is_empty());
    if keyboard.iter().any(|row| row.len() > ROW_MAX) || keyboard.iter().map(Vec::len).sum::<usize>() > BUTTONS_MAX {
        return Err(Refusal::bad_request("reply markup is too long"));
    }
    Ok(keyboard)
}

/// As `reply_markup` is in a message.
pub(crate) fn json(keyboard: &Keyboard) -> Value {
    let rows: Vec<Vec<Value>> = keyboard.iter().map(|row| row.iter().map(Button::json).collect()).collect();
    json!({ "inline_keyboard": rows })
}

fn button(value: &Value) -> Result<Button, Refusal> {
    let broken = |words: &str| Refusal::bad_request(format_args!("can't parse inline keyboard button: {words}"));
    let fields = value.as_object().ok_or_else(|| broken("expected an Object"))?;
    let text = fields.get("text").ok_or_else(|| broken("can't find field \"text\""))?;
    let text = text.as_str().ok_or_else(|| broken("field \"text\" must be of type String"))?;
    if text.trim().is_empty() {
        return Err(Refusal::bad_request("inline keyboard button text must be non-empty"));
    }
    let known = |name: &&String| ["callback_data", "url", "pay"].contains(&name.as_str()) || OTHER_ACTIONS.contains(&name.as_str());
    let actions: Vec<&String> = fields.keys().filter(known).collect();
    let name = match actions.as_slice() {
        [] => return Err(broken("Text buttons are unallowed in the inline keyboard")),
        [one] => one.as_str(),
        // Telegram takes the first of several without a word. A bot that sends several meant something else.
        _ => return Err(broken("exactly one action must be specified")),
    };
    let words = || fields[name].as_str().ok_or_else(|| broken(&format!("field \"{name}\" must be of type String")));
    let action = match name {
        "callback_data" => {
            let data = words()?;
            if data.is_empty() || data.len() > DATA_MAX_BYTES {
                return Err(Refusal::bad_request("BUTTON_DATA_INVALID"));
            }
            Action::Callback(data.to_owned())
        }
        "url" => {
            let url = words()?;
            let known = ["http://", "https://", "tg://"].iter().any(|scheme| url.len() > scheme.len() && url.starts_with(scheme));
            if !known || url.contains(char::is_whitespace) {
                return Err(Refusal::bad_request(format_args!("inline keyboard button URL '{url}' is invalid: Wrong HTTP URL")));
            }
            Action::Url(url.to_owned())
        }
        "pay" if fields[name] == true => Action::Pay,
        "pay" => return Err(broken("field \"pay\" must be true")),
        other => Action::Other(other.to_owned(), fields[other].clone()),
    };
    Ok(Button { text: text.to_owned(), action })
}

/// A pay button may only be the first one under an invoice, and an invoice with buttons must begin with one.
pub(crate) fn check_pay(keyboard: &Keyboard, invoice: bool) -> Result<(), Refusal> {
    let mut buttons = keyboard.iter().flatten();
    let first = buttons.next();
    if invoice && first.is_some_and(|button| button.action != Action::Pay) {
        return Err(Refusal::bad_request("REPLY_MARKUP_BUY_EMPTY"));
    }
    let misplaced =
        buttons.any(|button| button.action == Action::Pay) || (!invoice && first.is_some_and(|first| first.action == Action::Pay));
    if misplaced {
        return Err(Refusal::bad_request("BUTTON_TYPE_INVALID"));
    }
    Ok(())
}
