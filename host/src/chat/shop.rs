//! Buying credits for Telegram Stars, and giving a purchase back.

use super::respond::{Order, Outcome, Situation};
use super::texts::Texts;
use super::{Action, Button, Invoice, Message, Offer};
use crate::ledger::NanoUsd;

/// A purchase as a chat speaks of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bought {
    /// What the ledger calls it.
    pub reference: String,
    /// What people call it.
    pub number: String,
    /// What it cost.
    pub stars: i64,
    /// What it brought.
    pub credits: NanoUsd,
    /// `paid`, `refunding` or `refunded`.
    pub state: String,
    /// Whether whoever asks may give it back.
    pub returnable: bool,
}

pub(super) fn respond(situation: &Situation, name: &str) -> Option<Outcome> {
    let texts = situation.texts;
    Some(match name {
        "buy" => buy(situation),
        "terms" => Outcome::say(texts.say("terms", &[])),
        "paysupport" if situation.is_group => Outcome::say(texts.say("buy-private", &[])),
        "paysupport" if situation.bought.is_empty() => Outcome::say(texts.say("paysupport-none", &[("id", &situation.person.to_string())])),
        "paysupport" => Outcome { say: vec![bought(texts, "paysupport", &situation.bought)], ..Outcome::default() },
        _ => return None,
    })
}

/// What buttons of this do; `None` where it is none of them.
pub(super) fn pressed(situation: &Situation, action: &Action) -> Option<Outcome> {
    let texts = situation.texts;
    Some(match action {
        Action::Buy(offer) if situation.offers.contains(offer) && !situation.is_group => {
            Outcome { order: Some(Order::Sell(*offer)), say: vec![invoice(texts, offer)], ..Outcome::default() }
        }
        Action::Buy(_) => Outcome { used: true, ..Outcome::toast(texts.plain("offer-over")) },
        Action::Return(reference) => {
            Outcome { order: Some(Order::Return(reference.clone())), used: true, ..Outcome::say(texts.say("returning", &[])) }
        }
        _ => return None,
    })
}

fn buy(situation: &Situation) -> Outcome {
    let texts = situation.texts;
    if situation.is_group {
        return Outcome::say(texts.say("buy-private", &[]));
    }
    if situation.offers.is_empty() {
        return Outcome::say(texts.say("buy-none", &[("id", &situation.person.to_string())]));
    }
    let offers = situation.offers.iter().map(|offer| Button { label: worded(texts, "offer", offer), action: Action::Buy(*offer) });
    let message = Message::text(texts.say("buy", &[("credits", &texts.funds(situation.credits.0))])).with(offers);
    Outcome { say: vec![message], ..Outcome::default() }
}

/// The bill. Its name is given where it is stored.
fn invoice(texts: Texts, offer: &Offer) -> Message {
    let title = worded(texts, "invoice-title", offer);
    let invoice = Invoice { name: String::new(), title, description: texts.plain("invoice-description"), stars: offer.stars };
    Message { invoice: Some(invoice), ..Message::text(String::new()) }
}

/// Purchases, each with a button where it can go back.
pub(super) fn bought(texts: Texts, name: &str, bought: &[Bought]) -> Message {
    let lines: Vec<String> = bought
        .iter()
        .map(|one| {
            let (stars, credits) = (one.stars.to_string(), texts.funds(one.credits));
            let state = texts.plain(&format!("payment-{}", one.state));
            texts.say("payment-line", &[("number", &one.number), ("stars", &stars), ("credits", &credits), ("state", &state)])
        })
        .collect();
    let returns = bought.iter().filter(|one| one.returnable).map(|one| {
        let (stars, number) = (one.stars.to_string(), one.number.as_str());
        Button { label: texts.say("return", &[("stars", &stars), ("number", number)]), action: Action::Return(one.reference.clone()) }
    });
    Message::text(texts.compose(name, &[("payments", &lines.join("\n"))])).with(returns)
}

/// A text that names an offer.
pub fn worded(texts: Texts, name: &str, offer: &Offer) -> String {
    texts.say(name, &[("stars", &offer.stars.to_string()), ("credits", &texts.funds(offer.credits))])
}
