//! Telegram Stars. Whether a person may pay is answered at once, beside every queue, because Telegram waits ten seconds; credits come with
//! the update that says that it was paid; what goes back goes back here, again and again until Telegram says that it did.

use super::Bot;
use super::api::Trouble;
use super::desk::settled;
use super::incoming::Paid;
use super::outbox::number;
use crate::chat::shop::{Bought, worded};
use crate::chat::{Heard, Invoice, Language, Message, Offer, Texts};
use crate::ledger::NanoUsd;
use crate::store::chats::{ChatEffect, Checkout, Kind, Letter, Payment, Person, Refund, Trade};
use crate::store::now_ms;
use anyhow::Result;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Checkouts that are answered at one time. The next ones of a crowd wait a moment, and are told to try again rather than kept waiting.
const CHECKOUTS_MAX: usize = 32;
/// Telegram waits ten seconds; after so long it is told that it can't be paid now.
const CHECKOUT_LIMIT: Duration = Duration::from_secs(6);
/// Purchases of one listing.
const BOUGHT_MAX: u32 = 8;
/// Refunds of one look, and how often to look although nobody told of one.
const REFUNDS_AT_ONCE: u32 = 20;
const LOOK_INTERVAL: Duration = Duration::from_secs(2);
/// After Telegram did not answer: so long, doubled each time up to the second.
const RETRY_FIRST: Duration = Duration::from_secs(2);
const RETRY_MAX: Duration = Duration::from_secs(300);

pub(super) fn checkouts() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(CHECKOUTS_MAX))
}

impl Bot {
    /// Answers those of these updates that ask whether a payment is welcome.
    pub(super) fn answer_checkouts(self: &Arc<Self>, updates: &[Value]) {
        for query in updates.iter().filter_map(|update| update.get("pre_checkout_query")) {
            let (bot, query) = (self.clone(), query.clone());
            tokio::spawn(async move { bot.answer_checkout(&query).await });
        }
    }

    async fn answer_checkout(&self, query: &Value) {
        let decided = tokio::time::timeout(CHECKOUT_LIMIT, async {
            // Held until it is answered. The semaphore is never closed.
            let _turn = self.checkouts.acquire().await.ok();
            self.why_not_paid(query).await
        });
        let why_not = match decided.await {
            Ok(Ok(why_not)) => why_not,
            Ok(Err(error)) => {
                tracing::warn!("a checkout can't be looked up: {error}");
                Some("checkout-busy")
            }
            Err(_) => Some("checkout-busy"),
        };
        let texts = Texts(Language::of(query["from"]["language_code"].as_str().unwrap_or_default()));
        let mut answer = json!({ "pre_checkout_query_id": query["id"], "ok": why_not.is_none() });
        if let Some(name) = why_not {
            answer["error_message"] = texts.plain(name).into();
        }
        if let Err(why) = self.api.raw("answerPreCheckoutQuery", &answer).await {
            tracing::warn!("a checkout was not answered, so nothing was paid: {why}");
        }
    }

    /// The text that says why a payment is not taken.
    async fn why_not_paid(&self, query: &Value) -> crate::store::Result<Option<&'static str>> {
        let (Some(person), Some(stars), Some(name)) =
            (query["from"]["id"].as_i64(), query["total_amount"].as_i64(), query["invoice_payload"].as_str())
        else {
            return Ok(Some("checkout-unknown"));
        };
        if query["currency"] != "XTR" || self.store.known_person(person).await?.is_some_and(|known| known.blocked) {
            return Ok(Some("checkout-unknown"));
        }
        Ok(match self.store.checkout(name, person, stars).await? {
            Checkout::Good => None,
            Checkout::Foreign => Some("checkout-foreign"),
            Checkout::Unknown => Some("checkout-unknown"),
        })
    }

    /// Somebody paid: the credits are theirs, once for each charge.
    pub(super) async fn paid(&self, update: i64, person: &Person, paid: Paid) -> Result<()> {
        let credits = match self.store.offered(&paid.invoice).await? {
            Some(invoice) if invoice.stars == paid.stars => invoice.credits,
            // Paid by an invoice of a database that was restored from an older day, say: at today's price, never for nothing.
            _ => self.todays_price(paid.stars)?,
        };
        let reference = self.store.payment_reference(&paid.charge).await?;
        let Paid { charge, stars, .. } = paid;
        let payment = Payment { charge, reference, person: person.id, stars, credits, state: "paid".to_owned(), at_ms: now_ms() };
        let thanks = letter(&payment, "paid", Texts(Language::of(&person.language)));
        let effect = ChatEffect { update: Some(update), trade: Some(Trade::Paid(payment)), letters: vec![thanks], ..ChatEffect::default() };
        Ok(settled(self.store.have(&effect).await)?)
    }

    fn todays_price(&self, stars: i64) -> Result<NanoUsd> {
        let offers = self.orchestrator.settings.telegram.offers()?;
        let each = offers.first().map_or(0, |offer| offer.credits.0 / offer.stars);
        Ok(NanoUsd(each.saturating_mul(stars)))
    }

    /// Telegram gave Stars back.
    pub(super) async fn returned(&self, update: i64, charge: String) -> Result<()> {
        let effect = ChatEffect { update: Some(update), trade: Some(Trade::Returned(charge)), ..ChatEffect::default() };
        Ok(settled(self.store.have(&effect).await)?)
    }

    /// What was bought, for somebody who asks for it: their own, or for an operator somebody else's.
    pub(super) async fn bought(&self, person: i64, is_operator: bool, heard: &Heard) -> Result<Vec<Bought>> {
        let (whose, by_operator) = match heard {
            Heard::Command(name, _) if name == "paysupport" => (person, false),
            Heard::Command(name, rest) if name == "refund" && is_operator => match rest.trim().parse() {
                Ok(other) => (other, true),
                Err(_) => return Ok(Vec::new()),
            },
            _ => return Ok(Vec::new()),
        };
        let now = now_ms();
        let bought = self.store.payments_of(whose, BOUGHT_MAX).await?.into_iter().map(|payment| Bought {
            number: payment.number().to_owned(),
            returnable: if by_operator { payment.state == "paid" } else { payment.is_returnable(now) },
            reference: payment.reference,
            stars: payment.stars,
            credits: payment.credits,
            state: payment.state,
        });
        Ok(bought.collect())
    }

    pub(super) async fn deliver_invoice(&self, chat: i64, invoice: &Invoice) -> Result<i64, Trouble> {
        let Invoice { name, title, description, stars } = invoice;
        let prices = json!([{ "label": title, "amount": stars }]);
        let body = json!({
            "chat_id": chat, "title": title, "description": description, "payload": name, "provider_token": "", "currency": "XTR", "prices": prices,
        });
        self.api.raw("sendInvoice", &body).await.map(|sent| number(&sent))
    }

    /// Sends Stars back, for ever.
    pub(super) async fn refund(&self) -> std::convert::Infallible {
        let mut work = self.store.work();
        let mut retry = RETRY_FIRST;
        loop {
            work.mark_unchanged();
            match self.refund_some().await {
                Ok(()) => {
                    retry = RETRY_FIRST;
                    let _ = tokio::time::timeout(LOOK_INTERVAL, work.changed()).await;
                }
                Err(error) => {
                    tracing::warn!("Stars can't be sent back yet: {error:#}");
                    tokio::time::sleep(retry).await;
                    retry = (retry * 2).min(RETRY_MAX);
                }
            }
        }
    }

    async fn refund_some(&self) -> Result<()> {
        for payment in self.store.refunding(REFUNDS_AT_ONCE).await? {
            let body = json!({ "user_id": payment.person, "telegram_payment_charge_id": payment.charge });
            let fate = match self.api.raw("refundStarPayment", &body).await {
                Ok(_) => Refund::Done,
                Err(Trouble::Refused { why, .. }) if why.contains("CHARGE_ALREADY_REFUNDED") => Refund::Done,
                Err(Trouble::Refused { why, .. }) => {
                    tracing::error!("Telegram does not send the Stars of payment {} back: {why}", payment.number());
                    Refund::Declined
                }
                Err(why) => return Err(why.into()),
            };
            let texts = self.texts_of(payment.person).await?;
            let what = if fate == Refund::Done { "returned" } else { "return-declined" };
            self.store.refunded(&payment, fate, &[letter(&payment, what, texts)]).await?;
        }
        Ok(())
    }
}

/// A word about a payment, said once.
fn letter(payment: &Payment, what: &str, texts: Texts) -> Letter {
    let html = worded(texts, what, &Offer { stars: payment.stars, credits: payment.credits });
    let name = format!("{}.{what}", payment.reference);
    Letter { name, chat: payment.person, person: payment.person, project: None, kind: Kind::Result, message: Message::text(html) }
}
