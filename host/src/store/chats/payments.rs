//! What was offered for Stars, what was paid and what goes back. A payment counts once for each of Telegram's charge ids, in the very
//! transaction that marks its update as done. A purchase goes back while its credits are still there: they are taken first, then the Stars
//! are sent back, so that nobody ever has both.

use super::super::ledger::{self, Money};
use super::super::{Result, Store, StoreError, Tx, now_ms, query, transaction};
use super::{Letter, outbox};
use crate::chat::Offer;
use crate::ledger::{HOUSE_STARS, NanoUsd};
use crate::workspace::sha256;

/// An offer can be taken for so long.
const OFFER_MS: i64 = 7 * 24 * 3_600 * 1_000;
/// People give a purchase back by themselves for so long; operators at any time.
const RETURN_MS: i64 = 21 * 24 * 3_600 * 1_000;

/// An offer to a person: so many credits for so many Stars.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoice {
    /// What Telegram calls its payload.
    pub name: String,
    /// To whom.
    pub person: i64,
    /// The price.
    pub stars: i64,
    /// What it is for.
    pub credits: NanoUsd,
}

impl Invoice {
    /// Of this offer.
    pub fn new(person: i64, offer: &Offer) -> Invoice {
        Invoice { name: uuid::Uuid::new_v4().simple().to_string(), person, stars: offer.stars, credits: offer.credits }
    }
}

/// Whether a person may pay an invoice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checkout {
    /// Yes.
    Good,
    /// It was made to somebody else.
    Foreign,
    /// There is none like this, or it is too old.
    Unknown,
}

/// Stars that a person paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// Telegram's id of it.
    pub charge: String,
    /// All that the ledger knows of it.
    pub reference: String,
    /// Who paid.
    pub person: i64,
    /// How many.
    pub stars: i64,
    /// What for.
    pub credits: NanoUsd,
    /// `paid`, `refunding`, `refunded`.
    pub state: String,
    /// When.
    pub at_ms: i64,
}

impl Payment {
    /// What people call it.
    pub fn number(&self) -> &str {
        let digest = self.reference.trim_start_matches(REFERENCE);
        digest.get(..NUMBER_LETTERS).unwrap_or(digest)
    }

    /// Whether its owner may give it back at this time.
    pub fn is_returnable(&self, at_ms: i64) -> bool {
        self.state == "paid" && at_ms - self.at_ms < RETURN_MS
    }
}

const REFERENCE: &str = "stars:";
const NUMBER_LETTERS: usize = 10;

/// What became of a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refund {
    /// The Stars are back.
    Done,
    /// Telegram does not give them back: the credits are the person's again.
    Declined,
}

/// Something about money that an update brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trade {
    /// An offer.
    Offer(Invoice),
    /// It was paid.
    Paid(Payment),
    /// This purchase goes back, if this person may say so; without one, an operator says so.
    Return(String, Option<i64>),
    /// Telegram gave these Stars back, whoever wanted it.
    Returned(String),
}

impl Store {
    /// Whether this person may pay this now.
    pub async fn checkout(&self, name: &str, person: i64, stars: i64) -> Result<Checkout> {
        let row =
            query("select person, stars, created_ms from invoice where name = $1").bind(name).optional(&mut self.read().await?).await?;
        Ok(match row {
            Some(row) if row.get::<i64>("stars") != stars || now_ms() - row.get::<i64>("created_ms") > OFFER_MS => Checkout::Unknown,
            Some(row) if row.get::<i64>("person") != person => Checkout::Foreign,
            Some(_) => Checkout::Good,
            None => Checkout::Unknown,
        })
    }

    /// What was offered by this invoice, if it was.
    pub async fn offered(&self, name: &str) -> Result<Option<Invoice>> {
        let row = query("select person, stars, credits from invoice where name = $1").bind(name).optional(&mut self.read().await?).await?;
        Ok(row.map(|row| Invoice {
            name: name.to_owned(),
            person: row.get("person"),
            stars: row.get("stars"),
            credits: row.get("credits"),
        }))
    }

    /// What the ledger calls a payment: nobody who reads it can tell whose it was.
    pub async fn payment_reference(&self, charge: &str) -> Result<String> {
        let secret: String = query("select secret from payment_key").scalar(&mut self.read().await?).await?;
        // Keyed within and without, as HMAC is.
        let within = sha256(format!("{secret} {charge}").as_bytes());
        Ok(format!("{REFERENCE}{}", sha256(format!("{secret} {within}").as_bytes())))
    }

    /// What a person paid, newest first.
    pub async fn payments_of(&self, person: i64, most: u32) -> Result<Vec<Payment>> {
        let rows = query("select * from payment where person = $1 order by at_ms desc, charge limit $2")
            .bind(person)
            .bind(most)
            .all(&mut self.read().await?)
            .await?;
        Ok(rows.iter().map(payment).collect())
    }

    /// Payments whose credits are taken and whose Stars are not back yet.
    pub async fn refunding(&self, most: u32) -> Result<Vec<Payment>> {
        let rows = query("select * from payment where state = 'refunding' order by at_ms, charge limit $1")
            .bind(most)
            .all(&mut self.read().await?)
            .await?;
        Ok(rows.iter().map(payment).collect())
    }

    /// The payment with this reference.
    pub async fn payment(&self, reference: &str) -> Result<Option<Payment>> {
        let row = query("select * from payment where reference = $1").bind(reference).optional(&mut self.read().await?).await?;
        Ok(row.as_ref().map(payment))
    }

    /// Notes what became of a refund, and says so; once.
    pub async fn refunded(&self, refunded: &Payment, fate: Refund, letters: &[Letter]) -> Result<()> {
        transaction!(self, |tx| async {
            let mut money = lock_owner(&mut tx, refunded.person).await?;
            let state = if fate == Refund::Done { "refunded" } else { "paid" };
            let done = query("update payment set state = $1 where charge = $2 and state = 'refunding'")
                .bind(state)
                .bind(&refunded.charge)
                .execute(&mut tx)
                .await?;
            if done == 1 {
                if fate == Refund::Declined {
                    let name = correction(&mut tx, &refunded.reference).await?;
                    money.give_back(&mut tx, HOUSE_STARS, &name, refunded.credits);
                }
                for letter in letters {
                    outbox::post(&mut tx, letter);
                }
            }
            Ok(())
        })?;
        self.wake();
        Ok(())
    }
}

fn payment(row: &super::super::sql::Row) -> Payment {
    Payment {
        charge: row.get("charge"),
        reference: row.get("reference"),
        person: row.get("person"),
        stars: row.get("stars"),
        credits: row.get("credits"),
        state: row.get("state"),
        at_ms: row.get("at_ms"),
    }
}

/// Has the effect of a trade.
pub(super) async fn trade(tx: &mut Tx, trade: &Trade) -> Result<()> {
    match trade {
        Trade::Offer(invoice) => {
            query("insert into invoice (name, person, stars, credits, created_ms) values ($1, $2, $3, $4, $5)")
                .bind(&invoice.name)
                .bind(invoice.person)
                .bind(invoice.stars)
                .bind(invoice.credits)
                .bind(now_ms())
                .later(tx);
            Ok(())
        }
        Trade::Paid(paid) => credit(tx, paid).await,
        Trade::Return(reference, person) => take_back(tx, reference, *person).await,
        Trade::Returned(charge) => returned(tx, charge).await,
    }
}

/// Gives what was paid for, once for each charge.
async fn credit(tx: &mut Tx, paid: &Payment) -> Result<()> {
    let wallet: String = query("select wallet from person where id = $1").bind(paid.person).scalar(tx).await?;
    let first = query(
        "insert into payment (charge, reference, person, stars, credits, state, at_ms) values ($1, $2, $3, $4, $5, 'paid', $6)
         on conflict do nothing",
    )
    .bind(&paid.charge)
    .bind(&paid.reference)
    .bind(paid.person)
    .bind(paid.stars)
    .bind(paid.credits)
    .bind(now_ms())
    .execute(tx)
    .await?;
    if first == 1 {
        ledger::grant(tx, &wallet, paid.credits, &paid.reference, HOUSE_STARS).await?;
    }
    Ok(())
}

/// Takes the credits of a purchase back, all of them, so that its Stars can go back.
async fn take_back(tx: &mut Tx, reference: &str, person: Option<i64>) -> Result<()> {
    let row = query("select * from payment where reference = $1").bind(reference).optional(tx).await?;
    let known = row.as_ref().map(payment).ok_or(StoreError::NoPayment)?;
    let mut money = lock_owner(tx, known.person).await?;
    // Read once more: another one may have been quicker.
    let state: String = query("select state from payment where reference = $1").bind(reference).scalar(tx).await?;
    let may = person.is_none_or(|person| person == known.person && known.is_returnable(now_ms()));
    if state != "paid" || !may {
        return Err(StoreError::NoPayment);
    }
    if money.left() < known.credits {
        return Err(StoreError::CreditsSpent { left: money.left(), needed: known.credits });
    }
    query("update payment set state = 'refunding' where reference = $1").bind(reference).later(tx);
    let name = correction(tx, reference).await?;
    money.take_back(tx, HOUSE_STARS, &name, known.credits);
    Ok(())
}

/// Telegram says that it gave Stars back. Where we did not ask for it, the credits go as far as they are still there.
async fn returned(tx: &mut Tx, charge: &str) -> Result<()> {
    let row = query("select * from payment where charge = $1").bind(charge).optional(tx).await?;
    let Some(known) = row.as_ref().map(payment) else { return Ok(()) };
    let mut money = lock_owner(tx, known.person).await?;
    let was_paid = query("update payment set state = 'refunded' where charge = $1 and state = 'paid'").bind(charge).execute(tx).await?;
    if was_paid == 1 {
        let name = correction(tx, &known.reference).await?;
        let credits = known.credits.min(money.left());
        money.take_back(tx, HOUSE_STARS, &name, credits);
    }
    Ok(())
}

async fn lock_owner(tx: &mut Tx, person: i64) -> Result<Money> {
    let wallet: String = query("select wallet from person where id = $1").bind(person).scalar(tx).await?;
    Money::lock(tx, &wallet).await
}

/// A name for the next correction of a purchase: it may go back and be declined more than once.
async fn correction(tx: &mut Tx, reference: &str) -> Result<String> {
    let before: i64 =
        query("select count(*) from entry where kind = 'adjust' and ref like $1").bind(format!("{reference}/%")).scalar(tx).await?;
    Ok(format!("{reference}/{before}"))
}
