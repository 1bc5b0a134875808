//! Money. One idea a file: [`budgets`] (what may be spent, in nested rows), [`calls`] (one model call: reserve → dispatch → settle),
//! [`prices`], and here the wallets with their append-only entries. The CHECK constraints of `wallet` and `budget` refuse an overshoot
//! even where this code would allow it.

pub mod budgets;
mod calls;
mod prices;

use super::{Result, Store, from_json, now_ms};
use crate::ledger::{HOUSE_GRANTS, HOUSE_REFUNDS, NanoUsd, Usage};
pub use budgets::{Budget, run_budget};
pub(super) use budgets::{open_budget, project_budget, set_ceiling, task_budget};
use sqlx::{Row, Sqlite, SqliteConnection, Transaction};

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

/// What a project took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Receipt {
    /// Calls that were answered.
    pub calls: u64,
    /// Calls that had to be sent again because a host died; the user paid nothing for those.
    pub lost_calls: u64,
    /// Tokens in.
    pub input_tokens: u64,
    /// Tokens out.
    pub output_tokens: u64,
    /// What the user was charged.
    pub charged: NanoUsd,
    /// What was given back.
    pub refunded: NanoUsd,
    /// What the house paid beyond.
    pub house: NanoUsd,
}

impl Store {
    /// Makes the wallet with a first grant, unless it is there.
    pub async fn open_wallet(&self, wallet: &str, first_grant: NanoUsd) -> Result<()> {
        let mut tx = self.begin().await?;
        let made = sqlx::query("insert into wallet (id) values (?) on conflict do nothing").bind(wallet).execute(&mut *tx).await?;
        if made.rows_affected() == 1 {
            move_credits(&mut tx, wallet, "grant", &format!("welcome:{wallet}"), HOUSE_GRANTS, wallet, first_grant).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Grants credits, once for each reference.
    pub async fn grant(&self, wallet: &str, amount: NanoUsd, reference: &str) -> Result<bool> {
        let mut tx = self.begin().await?;
        sqlx::query("insert into wallet (id) values (?) on conflict do nothing").bind(wallet).execute(&mut *tx).await?;
        let known: i64 =
            sqlx::query_scalar("select count(*) from entry where kind = 'grant' and ref = ?").bind(reference).fetch_one(&mut *tx).await?;
        if known == 0 {
            move_credits(&mut tx, wallet, "grant", reference, HOUSE_GRANTS, wallet, amount).await?;
        }
        tx.commit().await?;
        Ok(known == 0)
    }

    /// What is in a wallet.
    pub async fn balance(&self, wallet: &str) -> Result<Balance> {
        let row = sqlx::query("select balance, held from wallet where id = ?").bind(wallet).fetch_optional(&self.read).await?;
        Ok(row.map_or(Balance { balance: NanoUsd::ZERO, held: NanoUsd::ZERO }, |row| Balance {
            balance: NanoUsd(row.get("balance")),
            held: NanoUsd(row.get("held")),
        }))
    }

    /// The last entries of a wallet, newest first.
    pub async fn entries(&self, wallet: &str, limit: u32) -> Result<Vec<Entry>> {
        let rows = sqlx::query("select * from entry where wallet = ? order by seq desc limit ?")
            .bind(wallet)
            .bind(limit)
            .fetch_all(&self.read)
            .await?;
        Ok(rows
            .iter()
            .map(|row| Entry {
                seq: row.get("seq"),
                kind: row.get("kind"),
                reference: row.get("ref"),
                debit: row.get("debit"),
                credit: row.get("credit"),
                amount: NanoUsd(row.get("amount")),
                at_ms: row.get("at_ms"),
            })
            .collect())
    }

    /// How many tasks were accepted so far in all projects, and what they cost their users together.
    pub async fn cost_of_accepted_tasks(&self) -> Result<(u64, NanoUsd)> {
        let row = sqlx::query(
            "select count(*) as tasks, coalesce(sum((select coalesce(sum(charged), 0) from hold join run on run.id = hold.run
                    where run.project = snapshot.project and run.task = snapshot.task and hold.state = 'settled')), 0) as cost
             from snapshot",
        )
        .fetch_one(&self.read)
        .await?;
        Ok((u64::try_from(row.get::<i64, _>("tasks")).unwrap_or(0), NanoUsd(row.get("cost"))))
    }

    /// What a project took, in all.
    pub async fn receipt(&self, project: &str) -> Result<Receipt> {
        let rows = sqlx::query("select state, actual, charged, usage from hold where project = ? and state in ('settled', 'lost')")
            .bind(project)
            .fetch_all(&self.read)
            .await?;
        let mut receipt = Receipt::default();
        for row in &rows {
            let usage: Usage = from_json("usage", row.get("usage"))?;
            let (actual, charged) = (NanoUsd(row.get("actual")), NanoUsd(row.get("charged")));
            if row.get::<String, _>("state") == "lost" {
                receipt.lost_calls += 1;
            } else {
                receipt.calls += 1;
                receipt.input_tokens += usage.input + usage.cached_input + usage.cache_write;
                receipt.output_tokens += usage.output + usage.reasoning;
            }
            receipt.charged += charged;
            receipt.house += actual - charged;
        }
        receipt.refunded = NanoUsd(
            sqlx::query_scalar(
                "select coalesce(sum(amount), 0) from entry join run on run.id = entry.ref where entry.kind = 'refund' and run.project = ?",
            )
            .bind(project)
            .fetch_one(&self.read)
            .await?,
        );
        Ok(receipt)
    }
}

/// Gives back what a task's runs were charged.
pub(in crate::store) async fn refund_task(tx: &mut Transaction<'static, Sqlite>, project: &str, task: &str) -> Result<()> {
    let runs: Vec<String> = sqlx::query_scalar("select id from run where project = ? and task = ? order by number")
        .bind(project)
        .bind(task)
        .fetch_all(&mut **tx)
        .await?;
    for run in runs {
        refund_run(tx, &run).await?;
    }
    Ok(())
}

/// Gives back what a run was charged, once. The ceiling stays as it was: a refund pays for mistakes, not for more work.
pub(in crate::store) async fn refund_run(tx: &mut Transaction<'static, Sqlite>, run: &str) -> Result<()> {
    let known: i64 =
        sqlx::query_scalar("select count(*) from entry where kind = 'refund' and ref = ?").bind(run).fetch_one(&mut **tx).await?;
    let charged = sqlx::query("select wallet, sum(charged) as charged from hold where run = ? and state = 'settled' group by wallet")
        .bind(run)
        .fetch_optional(&mut **tx)
        .await?;
    match charged {
        Some(row) if known == 0 => {
            let wallet: String = row.get("wallet");
            move_credits(tx, &wallet, "refund", run, HOUSE_REFUNDS, &wallet, NanoUsd(row.get("charged"))).await
        }
        _ => Ok(()),
    }
}

/// Appends one entry and moves the wallet's balance by it. An amount of zero makes no entry.
async fn move_credits(
    tx: &mut SqliteConnection,
    wallet: &str,
    kind: &str,
    reference: &str,
    debit: &str,
    credit: &str,
    amount: NanoUsd,
) -> Result<()> {
    if amount <= NanoUsd::ZERO {
        return Ok(());
    }
    let change = match (debit == wallet, credit == wallet) {
        (true, _) => -amount.0,
        (_, true) => amount.0,
        _ => 0,
    };
    let seq: i64 = sqlx::query_scalar("update wallet set seq = seq + 1, balance = balance + ? where id = ? returning seq")
        .bind(change)
        .bind(wallet)
        .fetch_one(&mut *tx)
        .await?;
    sqlx::query("insert into entry (wallet, seq, kind, ref, debit, credit, amount, at_ms) values (?, ?, ?, ?, ?, ?, ?, ?)")
        .bind(wallet)
        .bind(seq)
        .bind(kind)
        .bind(reference)
        .bind(debit)
        .bind(credit)
        .bind(amount.0)
        .bind(now_ms())
        .execute(tx)
        .await?;
    Ok(())
}
