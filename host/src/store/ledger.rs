//! Money. Reserve → dispatch → settle, each one transaction; the CHECK constraints of `wallet` and `budget` refuse an
//! overshoot even where this code would allow it.
//!
//! The steps of one call are in [`Store::reserve`], [`Store::dispatch`], [`Store::settle`] and [`Store::void`]; what a dead
//! process left open ends in [`Store::recover`].

use super::runs::{JournalRow, flush};
use super::{Result, Store, StoreError, from_json, now_ms, to_json};
use crate::ledger::{
    CallId, HOUSE_GRANTS, HOUSE_LOST, HOUSE_OVERRUN, HOUSE_REFUNDS, HOUSE_SALES, NanoUsd, Price, Rates, Reserve, Reserved, Scope,
    Settlement, Usage, UsageSource, fit,
};
use crate::project::Remaining;
use sqlx::{Row, Sqlite, SqliteConnection, Transaction};

/// A budget has at most three levels: project, task, run.
const BUDGET_DEPTH_MAX: usize = 4;

/// The budget of a project.
pub(super) fn project_budget(project: &str) -> String {
    format!("project:{project}")
}

/// The budget of a task.
pub(super) fn task_budget(project: &str, task: &str) -> String {
    format!("task:{project}/{task}")
}

/// The budget of a run.
pub fn run_budget(run: &str) -> String {
    format!("run:{run}")
}

/// A wallet as its owner sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Balance {
    /// All credits.
    pub balance: NanoUsd,
    /// The part that is held for calls under way.
    pub held: NanoUsd,
}

/// A budget row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Budget {
    /// What may be spent.
    pub limit: NanoUsd,
    /// What was.
    pub spent: NanoUsd,
    /// What calls under way hold.
    pub held: NanoUsd,
}

impl Budget {
    /// What is left.
    pub fn left(&self) -> NanoUsd {
        self.limit - self.spent - self.held
    }
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

    /// The budget of a project.
    pub async fn project_budget(&self, project: &str) -> Result<Budget> {
        budget(&mut *self.read.acquire().await?, &project_budget(project)).await
    }

    /// Binds a project's budget to another limit, at least what was spent and is held.
    pub async fn set_project_limit(&self, project: &str, limit: NanoUsd) -> Result<()> {
        let mut tx = self.begin().await?;
        set_ceiling(&mut tx, project, limit).await?;
        tx.commit().await?;
        Ok(())
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

    /// What a run may still spend at each level. A wallet with less is the real limit, at every level.
    pub async fn remaining(&self, run: &str, wallet: &str) -> Result<Remaining> {
        let mut connection = self.read.acquire().await?;
        let balance = self.balance(wallet).await?;
        let wallet_left = balance.balance - balance.held;
        let mut left = Remaining { run: wallet_left, task: wallet_left, project: wallet_left };
        for (scope, _, budget) in chain(&mut connection, &run_budget(run)).await? {
            match scope {
                Scope::Run => left.run = left.run.min(budget.left()),
                Scope::Task => left.task = left.task.min(budget.left()),
                Scope::Project => left.project = left.project.min(budget.left()),
                Scope::User => {}
            }
        }
        left.task = left.task.min(left.project);
        left.run = left.run.min(left.task);
        Ok(left)
    }

    /// Adds a price row for each model whose rates changed.
    pub async fn set_prices(&self, rates: &std::collections::BTreeMap<String, Rates>, source: &str) -> Result<()> {
        let mut tx = self.begin().await?;
        for (model, rates) in rates {
            let wanted = to_json(rates);
            let latest: Option<String> = sqlx::query_scalar("select rates from price where model = ? order by id desc limit 1")
                .bind(model)
                .fetch_optional(&mut *tx)
                .await?;
            if latest.as_deref() != Some(wanted.as_str()) {
                sqlx::query("insert into price (model, rates, source, effective_ms) values (?, ?, ?, ?)")
                    .bind(model)
                    .bind(wanted)
                    .bind(source)
                    .bind(now_ms())
                    .execute(&mut *tx)
                    .await?;
            }
        }
        tx.commit().await?;
        Ok(())
    }

    /// The current price of a model.
    pub async fn price(&self, model: &str) -> Result<Option<Price>> {
        let row = sqlx::query("select id, rates from price where model = ? order by id desc limit 1")
            .bind(model)
            .fetch_optional(&self.read)
            .await?;
        row.map(|row| Ok(Price { id: row.get("id"), rates: from_json("price", row.get("rates"))? })).transpose()
    }

    /// Holds what the call may cost at most, in the wallet and every enclosing budget, shortening the output to what fits.
    pub async fn reserve(&self, boot: &str, ask: &Reserve) -> Result<Reserved> {
        let mut tx = self.begin().await?;
        let chain = chain(&mut tx, &ask.budget).await?;
        let wallet_left: i64 =
            sqlx::query_scalar("select balance - held from wallet where id = ?").bind(&ask.wallet).fetch_one(&mut *tx).await?;
        let (scope, left) = chain
            .iter()
            .map(|(scope, _, budget)| (*scope, budget.left()))
            .chain([(Scope::User, NanoUsd(wallet_left))])
            .min_by_key(|(_, left)| *left)
            .unwrap_or((Scope::User, NanoUsd::ZERO));
        let useful = ask.output_tokens_min.min(ask.output_tokens);
        let Some((output_tokens, amount)) = fit(&ask.price.rates, ask.input_tokens, ask.output_tokens, useful, left) else {
            return Ok(Reserved::TooLittle { scope, left, needed: ask.price.rates.worst_case(ask.input_tokens, useful) });
        };
        let repeat: u32 = sqlx::query_scalar("select coalesce(max(repeat), 0) + 1 from hold where run = ? and seq = ?")
            .bind(&ask.run)
            .bind(ask.seq)
            .fetch_one(&mut *tx)
            .await?;
        sqlx::query(
            "insert into hold (run, seq, repeat, wallet, budget, project, fingerprint, price, amount, input_estimate, state, boot, created_ms)
             values (?1, ?2, ?3, ?4, ?5, coalesce((select project from run where id = ?1), ''), ?6, ?7, ?8, ?9, 'reserved', ?10, ?11)",
        )
        .bind(&ask.run)
        .bind(ask.seq)
        .bind(repeat)
        .bind(&ask.wallet)
        .bind(&ask.budget)
        .bind(&ask.fingerprint)
        .bind(ask.price.id)
        .bind(amount.0)
        .bind(i64::try_from(ask.input_tokens).unwrap_or(i64::MAX))
        .bind(boot)
        .bind(now_ms())
        .execute(&mut *tx)
        .await?;
        add_held(&mut tx, &ask.wallet, &chain, amount).await?;
        tx.commit().await?;
        Ok(Reserved::Held { call: CallId { run: ask.run.clone(), seq: ask.seq, repeat }, amount, output_tokens })
    }

    /// Notes that a request is about to leave, before its first byte does. Returns the request's id.
    pub async fn dispatch(&self, call: &CallId, number: u32, model: &str) -> Result<String> {
        let request_id = format!("{}-{}-{}-{number}", call.run, call.seq, call.repeat);
        let mut tx = self.begin().await?;
        set_state(&mut tx, call, "dispatched").await?;
        sqlx::query("insert into attempt (request_id, run, seq, repeat, number, model, outcome, sent_ms) values (?, ?, ?, ?, ?, ?, 'dispatched', ?)")
            .bind(&request_id)
            .bind(&call.run)
            .bind(call.seq)
            .bind(call.repeat)
            .bind(number)
            .bind(model)
            .bind(now_ms())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(request_id)
    }

    /// The provider provably did not accept this request; the hold stays for the next try.
    pub async fn void_attempt(&self, call: &CallId, request_id: &str, why: &str) -> Result<()> {
        let mut tx = self.begin().await?;
        end_attempts(&mut tx, call, "voided", why, Some(request_id)).await?;
        set_state(&mut tx, call, "reserved").await?;
        tx.commit().await?;
        Ok(())
    }

    /// Notes how much output was seen, for the estimate of a call whose answer is lost.
    pub async fn checkpoint(&self, call: &CallId, output_tokens: u64) -> Result<()> {
        sqlx::query("update hold set output_seen = ? where run = ? and seq = ? and repeat = ? and state = 'dispatched'")
            .bind(i64::try_from(output_tokens).unwrap_or(i64::MAX))
            .bind(&call.run)
            .bind(call.seq)
            .bind(call.repeat)
            .execute(&self.write)
            .await?;
        Ok(())
    }

    /// Gives the whole hold back: nothing was accepted by a provider.
    pub async fn void(&self, call: &CallId, journal: &[JournalRow]) -> Result<()> {
        let mut tx = self.begin().await?;
        release(&mut tx, call, "voided").await?;
        flush(&mut tx, journal).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Ends a dispatched hold whose answer nobody will ever see: the house pays the estimate.
    pub async fn lose(&self, call: &CallId, usage: &Usage, why: &str) -> Result<()> {
        let mut tx = self.begin().await?;
        lose(&mut tx, call, usage, why).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Charges what the call cost, at most what is held and left; the house pays the rest. The host calls that led here are
    /// stored with it, the last of them made from the amount charged.
    pub async fn settle(&self, settlement: &Settlement, journal: impl FnOnce(NanoUsd) -> Vec<JournalRow>) -> Result<NanoUsd> {
        let call = &settlement.call;
        let mut tx = self.begin().await?;
        let hold = open_hold(&mut tx, call).await?;
        let chain = chain(&mut tx, &hold.budget).await?;
        let actual = hold.rates.cost(&settlement.usage);
        let wallet_left: i64 =
            sqlx::query_scalar("select balance - held from wallet where id = ?").bind(&hold.wallet).fetch_one(&mut *tx).await?;
        let left = chain.iter().map(|(_, _, budget)| budget.left()).chain([NanoUsd(wallet_left)]).min().unwrap_or_default();
        let charged = actual.min(hold.amount + left);
        release_held(&mut tx, &hold.wallet, &chain, hold.amount).await?;
        for (_, id, _) in &chain {
            sqlx::query("update budget set spent = spent + ? where id = ?").bind(charged.0).bind(id).execute(&mut *tx).await?;
        }
        sqlx::query("update hold set state = 'settled', actual = ?, charged = ?, usage = ?, usage_source = ?, resolved_ms = ? where run = ? and seq = ? and repeat = ?")
            .bind(actual.0)
            .bind(charged.0)
            .bind(to_json(&settlement.usage))
            .bind(settlement.source.as_str())
            .bind(now_ms())
            .bind(&call.run)
            .bind(call.seq)
            .bind(call.repeat)
            .execute(&mut *tx)
            .await?;
        end_attempts(&mut tx, call, "settled", "", None).await?;
        let reference = reference(call);
        move_credits(&mut tx, &hold.wallet, "charge", &reference, &hold.wallet, HOUSE_SALES, charged).await?;
        move_credits(&mut tx, &hold.wallet, "overrun", &reference, HOUSE_OVERRUN, HOUSE_SALES, actual - charged).await?;
        flush(&mut tx, &journal(charged)).await?;
        tx.commit().await?;
        Ok(charged)
    }

    /// Notes that this process may hold money.
    pub async fn register_boot(&self, boot: &str) -> Result<()> {
        sqlx::query("insert into boot (id, started_ms) values (?, ?)").bind(boot).bind(now_ms()).execute(&self.write).await?;
        Ok(())
    }

    /// Boots with open holds.
    pub async fn boots_with_holds(&self) -> Result<Vec<String>> {
        Ok(sqlx::query_scalar("select distinct boot from hold where state in ('reserved', 'dispatched')").fetch_all(&self.write).await?)
    }

    /// Ends what a dead boot left open. A reserved hold was never sent and is void. A dispatched one has no stored answer: the
    /// user is charged nothing, the estimate is the house's, and the repeat will be a hold of its own.
    pub async fn recover(&self, boot: &str) -> Result<u32> {
        let mut tx = self.begin().await?;
        let rows = sqlx::query(
            "select run, seq, repeat, state, input_estimate, output_seen from hold where boot = ? and state in ('reserved', 'dispatched')",
        )
        .bind(boot)
        .fetch_all(&mut *tx)
        .await?;
        for row in &rows {
            let call = CallId { run: row.get("run"), seq: row.get("seq"), repeat: row.get("repeat") };
            if row.get::<String, _>("state") == "reserved" {
                release(&mut tx, &call, "voided").await?;
                continue;
            }
            let usage = Usage {
                input: u64::try_from(row.get::<i64, _>("input_estimate")).unwrap_or(0),
                output: u64::try_from(row.get::<i64, _>("output_seen")).unwrap_or(0),
                ..Usage::default()
            };
            lose(&mut tx, &call, &usage, "the host ended before the answer was stored").await?;
        }
        tx.commit().await?;
        Ok(u32::try_from(rows.len()).unwrap_or(u32::MAX))
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

struct OpenHold {
    wallet: String,
    budget: String,
    amount: NanoUsd,
    rates: Rates,
}

async fn open_hold(tx: &mut SqliteConnection, call: &CallId) -> Result<OpenHold> {
    let row = sqlx::query(
        "select wallet, budget, amount, rates from hold join price on price.id = hold.price
         where run = ? and seq = ? and repeat = ? and state in ('reserved', 'dispatched')",
    )
    .bind(&call.run)
    .bind(call.seq)
    .bind(call.repeat)
    .fetch_one(tx)
    .await?;
    Ok(OpenHold {
        wallet: row.get("wallet"),
        budget: row.get("budget"),
        amount: NanoUsd(row.get("amount")),
        rates: from_json("price", row.get("rates"))?,
    })
}

/// A budget and those around it, innermost first.
async fn chain(tx: &mut SqliteConnection, leaf: &str) -> Result<Vec<(Scope, String, Budget)>> {
    let mut chain = Vec::new();
    let mut next = Some(leaf.to_owned());
    while let Some(id) = next.take().filter(|_| chain.len() < BUDGET_DEPTH_MAX) {
        let row =
            sqlx::query("select scope, parent, limit_nano, spent, held from budget where id = ?").bind(&id).fetch_one(&mut *tx).await?;
        let scope = match row.get::<&str, _>("scope") {
            "run" => Scope::Run,
            "task" => Scope::Task,
            _ => Scope::Project,
        };
        next = row.get("parent");
        chain.push((scope, id, read_budget(&row)));
    }
    Ok(chain)
}

async fn budget(connection: &mut SqliteConnection, id: &str) -> Result<Budget> {
    let row = sqlx::query("select limit_nano, spent, held from budget where id = ?").bind(id).fetch_one(connection).await?;
    Ok(read_budget(&row))
}

fn read_budget(row: &sqlx::sqlite::SqliteRow) -> Budget {
    Budget { limit: NanoUsd(row.get("limit_nano")), spent: NanoUsd(row.get("spent")), held: NanoUsd(row.get("held")) }
}

pub(super) async fn open_budget(tx: &mut SqliteConnection, id: &str, scope: &str, parent: Option<&str>, limit: NanoUsd) -> Result<()> {
    sqlx::query("insert into budget (id, scope, parent, limit_nano) values (?, ?, ?, ?) on conflict do nothing")
        .bind(id)
        .bind(scope)
        .bind(parent)
        .bind(limit.0)
        .execute(tx)
        .await?;
    Ok(())
}

/// Binds a project's budget to the accepted ceiling. What was spent before counts.
pub(super) async fn set_ceiling(tx: &mut SqliteConnection, project: &str, ceiling: NanoUsd) -> Result<()> {
    let id = project_budget(project);
    let now = budget(&mut *tx, &id).await?;
    if ceiling < now.spent + now.held {
        return Err(StoreError::CeilingBelowSpent { spent: now.spent + now.held });
    }
    sqlx::query("update budget set limit_nano = ? where id = ?").bind(ceiling.0).bind(&id).execute(tx).await?;
    Ok(())
}

async fn add_held(tx: &mut SqliteConnection, wallet: &str, chain: &[(Scope, String, Budget)], amount: NanoUsd) -> Result<()> {
    sqlx::query("update wallet set held = held + ? where id = ?").bind(amount.0).bind(wallet).execute(&mut *tx).await?;
    for (_, id, _) in chain {
        sqlx::query("update budget set held = held + ? where id = ?").bind(amount.0).bind(id).execute(&mut *tx).await?;
    }
    Ok(())
}

async fn release_held(tx: &mut SqliteConnection, wallet: &str, chain: &[(Scope, String, Budget)], amount: NanoUsd) -> Result<()> {
    add_held(tx, wallet, chain, NanoUsd(-amount.0)).await
}

/// Ends an open hold without a charge.
async fn release(tx: &mut SqliteConnection, call: &CallId, state: &str) -> Result<()> {
    let hold = open_hold(&mut *tx, call).await?;
    let chain = chain(&mut *tx, &hold.budget).await?;
    release_held(&mut *tx, &hold.wallet, &chain, hold.amount).await?;
    end_attempts(&mut *tx, call, state, "", None).await?;
    sqlx::query("update hold set state = ?, resolved_ms = ? where run = ? and seq = ? and repeat = ?")
        .bind(state)
        .bind(now_ms())
        .bind(&call.run)
        .bind(call.seq)
        .bind(call.repeat)
        .execute(tx)
        .await?;
    Ok(())
}

/// Ends a dispatched hold whose answer is gone: the house pays the estimate, so that the books show what was spent.
async fn lose(tx: &mut Transaction<'static, Sqlite>, call: &CallId, usage: &Usage, why: &str) -> Result<()> {
    let hold = open_hold(tx, call).await?;
    let chain = chain(tx, &hold.budget).await?;
    let estimate = hold.rates.cost(usage);
    release_held(tx, &hold.wallet, &chain, hold.amount).await?;
    end_attempts(tx, call, "lost", why, None).await?;
    sqlx::query(
        "update hold set state = 'lost', actual = ?, charged = 0, usage = ?, usage_source = ?, resolved_ms = ? where run = ? and seq = ? and repeat = ?",
    )
    .bind(estimate.0)
    .bind(to_json(usage))
    .bind(UsageSource::Estimated.as_str())
    .bind(now_ms())
    .bind(&call.run)
    .bind(call.seq)
    .bind(call.repeat)
    .execute(&mut **tx)
    .await?;
    move_credits(tx, &hold.wallet, "lost", &reference(call), HOUSE_LOST, HOUSE_SALES, estimate).await
}

async fn end_attempts(tx: &mut SqliteConnection, call: &CallId, outcome: &str, detail: &str, only: Option<&str>) -> Result<()> {
    sqlx::query(
        "update attempt set outcome = ?1, detail = ?2
         where run = ?3 and seq = ?4 and repeat = ?5 and outcome = 'dispatched' and (?6 is null or request_id = ?6)",
    )
    .bind(outcome)
    .bind(detail)
    .bind(&call.run)
    .bind(call.seq)
    .bind(call.repeat)
    .bind(only)
    .execute(tx)
    .await?;
    Ok(())
}

async fn set_state(tx: &mut SqliteConnection, call: &CallId, state: &str) -> Result<()> {
    sqlx::query("update hold set state = ? where run = ? and seq = ? and repeat = ?")
        .bind(state)
        .bind(&call.run)
        .bind(call.seq)
        .bind(call.repeat)
        .execute(tx)
        .await?;
    Ok(())
}

/// Gives back what a task's runs were charged.
pub(super) async fn refund_task(tx: &mut Transaction<'static, Sqlite>, project: &str, task: &str) -> Result<()> {
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
pub(super) async fn refund_run(tx: &mut Transaction<'static, Sqlite>, run: &str) -> Result<()> {
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

fn reference(call: &CallId) -> String {
    format!("{}/{}/{}", call.run, call.seq, call.repeat)
}
