//! Telegram Stars: an invoice is sent, a person pays, the bot is asked whether it still wants that, and is told when it was paid. A
//! payment is never made twice by itself; a refund is. Other currencies are refused.

use crate::call::Call;
use crate::methods;
use crate::refusal::Refusal;
use crate::state::State;
use crate::text::Formatted;
use crate::world::{Content, Invoice};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// The most Stars that one invoice asks for.
const AMOUNT_MAX: i64 = 100_000;

/// How far a payment got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Paid {
    /// The bot was asked and has not answered.
    Waiting,
    /// It went through; the bot was told in this update.
    Done {
        /// `telegram_payment_charge_id`.
        charge_id: String,
        /// The message in the chat.
        message_id: i64,
        /// The update with `successful_payment`.
        update_id: i64,
    },
    /// The bot did not want it, for this reason.
    Declined(String),
    /// The bot did not answer in time.
    Expired,
}

/// One try of a person to pay.
#[derive(Clone, Debug)]
pub struct Payment {
    /// Of the pre-checkout query.
    pub query_id: String,
    /// Where the invoice is.
    pub chat: i64,
    /// Who pays.
    pub user: i64,
    /// For what.
    pub invoice: Invoice,
    /// How far it got.
    pub state: Paid,
    pub(crate) asked_at: Instant,
}

impl Payment {
    /// As it is now, when this is how long a bot may take.
    pub(crate) fn now(mut self, timeout: Duration) -> Payment {
        if self.state == Paid::Waiting && self.asked_at.elapsed() > timeout {
            self.state = Paid::Expired;
        }
        self
    }
}

/// Stars that went back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refund {
    /// Whose they were.
    pub user: i64,
    /// The payment that they were.
    pub charge_id: String,
    /// How many.
    pub total_amount: i64,
}

/// `sendInvoice`.
pub(crate) fn send_invoice(state: &mut State, call: &Call) -> Result<Value, Refusal> {
    let bounded = |name: &str, most: usize, words: &str| {
        let text = call.required_text(name)?;
        let size = if name == "payload" { text.len() } else { text.chars().count() };
        if size <= most { Ok(text.to_owned()) } else { Err(Refusal::bad_request(words)) }
    };
    let title = bounded("title", 32, "INVOICE_TITLE_TOO_LONG")?;
    let description = bounded("description", 255, "INVOICE_DESCRIPTION_TOO_LONG")?;
    let payload = bounded("payload", 128, "INVOICE_PAYLOAD_INVALID")?;
    if call.required_text("currency")? != "XTR" {
        return Err(Refusal::bad_request("CURRENCY_INVALID"));
    }
    if call.text("provider_token")?.is_some() {
        return Err(Refusal::bad_request("PAYMENT_PROVIDER_INVALID"));
    }
    let prices = call.list("prices")?.ok_or_else(|| Refusal::required("prices"))?;
    let [price] = prices.as_slice() else { return Err(Refusal::bad_request("STARS_INVOICE_INVALID")) };
    let label = price["label"].as_str().ok_or_else(|| Refusal::ill_typed("prices.label", "String"))?;
    let total_amount = price["amount"].as_i64().ok_or_else(|| Refusal::ill_typed("prices.amount", "Number"))?;
    if label.is_empty() || !(1..=AMOUNT_MAX).contains(&total_amount) {
        return Err(Refusal::bad_request("STARS_INVOICE_INVALID"));
    }
    methods::show(state, call, |_| Ok(Content::Invoice(Invoice { title, description, payload, total_amount })))
}

impl State {
    /// A person wants to pay; the bot is asked.
    pub(crate) fn ask_before_payment(&mut self, chat: i64, user: i64, invoice: Invoice) -> i64 {
        let query_id = format!("48{}", self.number());
        let query = json!({
            "id": query_id, "from": self.user_json(user), "currency": "XTR", "total_amount": invoice.total_amount,
            "invoice_payload": invoice.payload,
        });
        self.payments.push(Payment { query_id, chat, user, invoice, state: Paid::Waiting, asked_at: Instant::now() });
        self.updates.push("pre_checkout_query", query)
    }

    /// Shows a payment in its chat and tells the bot: the message and the update.
    pub(crate) fn show_payment(&mut self, payment: &Payment, charge_id: &str) -> (i64, i64) {
        let value = json!({
            "currency": "XTR", "total_amount": payment.invoice.total_amount, "invoice_payload": payment.invoice.payload,
            "telegram_payment_charge_id": charge_id, "provider_payment_charge_id": format!("{charge_id}_0"),
        });
        let words = format!("{} ⭐ paid: {}", payment.invoice.total_amount, payment.invoice.title);
        self.show_service("successful_payment", value, words, payment.chat, payment.user)
    }

    /// Shows something that Telegram itself says in a chat and tells the bot: the message and the update.
    pub(crate) fn show_service(&mut self, name: &str, value: Value, words: String, chat: i64, from: i64) -> (i64, i64) {
        let content = Content::Other { name: name.to_owned(), value, caption: Formatted::default(), words };
        let message = self.put(chat, from, content, Vec::new(), None);
        (message, self.tell("message", chat, message))
    }
}

/// `answerPreCheckoutQuery`.
pub(crate) fn answer_pre_checkout(state: &mut State, call: &Call) -> Result<Value, Refusal> {
    let id = call.required_text("pre_checkout_query_id")?;
    if !call.fields.contains_key("ok") {
        return Err(Refusal::required("ok"));
    }
    let ok = call.flag("ok")?;
    let why = if ok { String::new() } else { call.required_text("error_message")?.to_owned() };
    let timeout = state.options.pre_checkout_timeout;
    let place = state.payments.iter().position(|payment| payment.query_id == id).ok_or_else(Refusal::query_too_old)?;
    let payment = state.payments[place].clone();
    if payment.state != Paid::Waiting || payment.asked_at.elapsed() > timeout {
        return Err(Refusal::query_too_old());
    }
    state.payments[place].state = if ok {
        let charge_id = format!("stx{:06}DoubleCharge", state.number());
        let (message_id, update_id) = state.show_payment(&payment, &charge_id);
        Paid::Done { charge_id, message_id, update_id }
    } else {
        Paid::Declined(why)
    };
    Ok(json!(true))
}

/// `refundStarPayment`.
pub(crate) fn refund(state: &mut State, call: &Call) -> Result<Value, Refusal> {
    let user = call.integer("user_id")?.ok_or_else(|| Refusal::bad_request("invalid user_id specified"))?;
    let charge = call.required_text("telegram_payment_charge_id")?.to_owned();
    let paid = |payment: &&Payment| matches!(&payment.state, Paid::Done { charge_id, .. } if *charge_id == charge) && payment.user == user;
    let payment = state.payments.iter().find(paid).cloned().ok_or_else(|| Refusal::bad_request("CHARGE_NOT_FOUND"))?;
    if state.refunds.iter().any(|refund| refund.charge_id == charge) {
        return Err(Refusal::bad_request("CHARGE_ALREADY_REFUNDED"));
    }
    let total_amount = payment.invoice.total_amount;
    let value = json!({
        "currency": "XTR", "total_amount": total_amount, "invoice_payload": payment.invoice.payload, "telegram_payment_charge_id": charge,
        "provider_payment_charge_id": format!("{charge}_0"),
    });
    state.refunds.push(Refund { user, charge_id: charge, total_amount });
    state.show_service("refunded_payment", value, format!("{total_amount} ⭐ refunded"), payment.chat, payment.user);
    Ok(json!(true))
}
