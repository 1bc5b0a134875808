//! Money. One idea a file: [`budgets`] (what may be spent, in nested rows), [`calls`] (one model call: reserve → settle),
//! [`corrections`] (refunds and adjustments), [`prices`], [`receipts`], and here the wallets with their append-only entries. The CHECK
//! constraints of `wallet` and `budget` refuse an overshoot even where this code would allow it.

pub mod budgets;
mod calls;
pub mod corrections;
pub mod prices;
pub mod receipts;

use super::sql::{Query, Row};
use super::{Result, Store, StoreError, Tx, now_ms, query, transaction};
use crate::ledger::{AMOUNT_MAX, HOUSE_GRANTS, HOUSE_SALES, NanoUsd};
pub use budgets::{Budget, run_budget};
pub(super) use budgets::{limit_calls, open_budget, project_budget, set_ceiling, task_budget};
pub(in crate::store) use calls::{recover, recover_run};
pub(super) use corrections::{refund_run, refund_task};
pub use receipts::Receipt;

/// A wallet as its owner sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Balance {
    /// All credits.
    pub balance: NanoUsd,
    /// The part that is held for calls under way.
    pub held: NanoUsd,
}

/// A line of the ledger.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Entry {
    /// Its number within the wallet.
    pub seq: i64,
    /// `grant`, `charge`, `overrun`, `lost`, `refund`, `adjust`.
    pub kind: String,
    /// What it is for.
    pub reference: String,
    /// The account that gives.
    pub debit: String,
    /// The account that takes.
    pub credit: String,
    /// How much.
    pub amount: NanoUsd,
    /// When.
    pub at_ms: i64,
}

impl Store {
    /// Makes the wallet with a first grant, unless it is there.
    pub async fn open_wallet(&self, wallet: &str, first_grant: NanoUsd) -> Result<()> {
        bounded(first_grant)?;
        transaction!(self, |tx| async {
            if query("insert into wallet (id) values ($1) on conflict do nothing").bind(wallet).execute(&mut tx).await? == 1 {
                let reference = format!("welcome:{wallet}");
                let welcome = Move { kind: "grant", reference: &reference, from: HOUSE_GRANTS, to: wallet, amount: first_grant };
                Money::lock(&mut tx, wallet).await?.apply(&mut tx, &welcome);
            }
            Ok(())
        })
    }

    /// Grants credits, once for each reference, such as a payment's id. `false`: this very grant was made before. The same reference
    /// with another amount or wallet is an error.
    pub async fn grant(&self, wallet: &str, amount: NanoUsd, reference: &str) -> Result<bool> {
        transaction!(self, |tx| grant(&mut tx, wallet, amount, reference, HOUSE_GRANTS))
    }

    /// What is in a wallet.
    pub async fn balance(&self, wallet: &str) -> Result<Balance> {
        let row = query("select balance, held from wallet where id = $1").bind(wallet).optional(&mut self.read().await?).await?;
        Ok(row.map_or(Balance { balance: NanoUsd::ZERO, held: NanoUsd::ZERO }, |row| Balance {
            balance: row.get("balance"),
            held: row.get("held"),
        }))
    }

    /// The last entries of a wallet, newest first.
    pub async fn entries(&self, wallet: &str, limit: u32) -> Result<Vec<Entry>> {
        let rows = query("select * from entry where wallet = $1 order by seq desc limit $2")
            .bind(wallet)
            .bind(limit)
            .all(&mut self.read().await?)
            .await?;
        Ok(rows
            .iter()
            .map(|row| Entry {
                seq: row.get("seq"),
                kind: row.get("kind"),
                reference: row.get("ref"),
                debit: row.get("debit"),
                credit: row.get("credit"),
                amount: row.get("amount"),
                at_ms: row.get("at_ms"),
            })
            .collect())
    }
}

/// Puts credits of this account of the house into a wallet, once for each reference. `false`: it was done before.
pub(in crate::store) async fn grant(tx: &mut Tx, wallet: &str, amount: NanoUsd, reference: &str, from: &str) -> Result<bool> {
    bounded(amount)?;
    query("insert into wallet (id) values ($1) on conflict do nothing").bind(wallet).later(tx);
    let mut money = Money::lock(tx, wallet).await?;
    let known = query("select wallet, amount from entry where kind = 'grant' and ref = $1").bind(reference).optional(tx).await?;
    match known.map(|row| (row.get::<String>("wallet"), row.get::<NanoUsd>("amount"))) {
        Some((owner, granted)) if owner == wallet && granted == amount => Ok(false),
        Some((wallet, amount)) => Err(StoreError::ReferenceUsed { reference: reference.to_owned(), amount, wallet }),
        None => {
            bounded(NanoUsd(money.balance.0.saturating_add(amount.0)))?;
            money.apply(tx, &Move { kind: "grant", reference, from, to: wallet, amount });
            Ok(true)
        }
    }
}

/// An amount that can be added to others without leaving what an account can hold.
fn bounded(amount: NanoUsd) -> Result<()> {
    match amount.0 {
        0..=AMOUNT_MAX_NANO => Ok(()),
        _ => Err(StoreError::TooLarge(amount)),
    }
}

const AMOUNT_MAX_NANO: i64 = AMOUNT_MAX.0;

/// A wallet that nobody else changes until the transaction ends.
pub(super) struct Money {
    wallet: String,
    balance: NanoUsd,
    held: NanoUsd,
    seq: i64,
}

impl Money {
    /// Locks it.
    pub(super) async fn lock(tx: &mut Tx, wallet: &str) -> Result<Money> {
        Ok(Money::read(&Money::locking(tx, wallet).one(tx).await?))
    }

    /// The statement whose row [`Money::read`] takes.
    fn locking(tx: &Tx, wallet: &str) -> Query {
        tx.lock(
            "select id, balance, held, seq from wallet where id = $1",
            "select id, balance, held, seq from wallet where id = $1 for no key update",
        )
        .bind(wallet)
    }

    fn read(row: &Row) -> Money {
        Money { wallet: row.get("id"), balance: row.get("balance"), held: row.get("held"), seq: row.get("seq") }
    }

    /// What is not held.
    pub(super) fn left(&self) -> NanoUsd {
        self.balance - self.held
    }

    /// A correction: an account of the house takes credits back that it gave.
    pub(super) fn take_back(&mut self, tx: &mut Tx, house: &str, reference: &str, amount: NanoUsd) {
        let wallet = self.wallet.clone();
        self.apply(tx, &Move { kind: "adjust", reference, from: &wallet, to: house, amount });
    }

    /// A correction: an account of the house gives credits again that it took back.
    pub(super) fn give_back(&mut self, tx: &mut Tx, house: &str, reference: &str, amount: NanoUsd) {
        let wallet = self.wallet.clone();
        self.apply(tx, &Move { kind: "adjust", reference, from: house, to: &wallet, amount });
    }

    /// Holds more, or less.
    fn hold(&self, tx: &mut Tx, amount: NanoUsd) {
        query("update wallet set held = held + $1 where id = $2").bind(amount).bind(&self.wallet).later(tx);
    }

    /// Releases a hold and takes what the call was charged, in one step.
    fn charge(&mut self, tx: &mut Tx, held: NanoUsd, reference: &str, charged: NanoUsd) {
        if charged == NanoUsd::ZERO {
            return self.hold(tx, -held);
        }
        query("update wallet set held = held - $1, balance = balance - $2, seq = seq + 1 where id = $3")
            .bind(held)
            .bind(charged)
            .bind(&self.wallet)
            .later(tx);
        let wallet = self.wallet.clone();
        self.append(tx, &Move { kind: "charge", reference, from: &wallet, to: HOUSE_SALES, amount: charged });
    }

    /// Appends the entry and changes the balance by it. An amount of zero makes no entry.
    fn apply(&mut self, tx: &mut Tx, entry: &Move<'_>) {
        if entry.amount <= NanoUsd::ZERO {
            return;
        }
        let change = match (entry.from == self.wallet, entry.to == self.wallet) {
            (true, _) => -entry.amount,
            (_, true) => entry.amount,
            _ => NanoUsd::ZERO,
        };
        query("update wallet set seq = seq + 1, balance = balance + $1 where id = $2").bind(change).bind(&self.wallet).later(tx);
        self.append(tx, entry);
    }

    /// Appends the entry alone; the wallet was changed already.
    fn append(&mut self, tx: &mut Tx, entry: &Move<'_>) {
        self.seq += 1;
        query("insert into entry (wallet, seq, kind, ref, debit, credit, amount, at_ms) values ($1, $2, $3, $4, $5, $6, $7, $8)")
            .bind(&self.wallet)
            .bind(self.seq)
            .bind(entry.kind)
            .bind(entry.reference)
            .bind(entry.from)
            .bind(entry.to)
            .bind(entry.amount)
            .bind(now_ms())
            .later(tx);
    }
}

/// Credits that move from one account to another, in the books of one wallet.
struct Move<'a> {
    kind: &'static str,
    reference: &'a str,
    from: &'a str,
    to: &'a str,
    amount: NanoUsd,
}
