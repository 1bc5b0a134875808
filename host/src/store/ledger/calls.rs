//! One model call. Reserve → dispatch → settle, each one transaction. The steps are [`Store::reserve`], [`Store::dispatch`],
//! [`Store::settle`] and [`Store::void`]; what a dead process left open ends in [`Store::recover`].

use super::budgets::{add_held, chain, release_held};
use super::move_credits;
use crate::ledger::{
    CallId, HOUSE_LOST, HOUSE_OVERRUN, HOUSE_SALES, NanoUsd, Rates, Reserve, Reserved, Scope, Settlement, Usage, UsageSource, fit,
};
use crate::store::runs::{JournalRow, flush};
use crate::store::{Result, Store, from_json, now_ms, to_json};
use sqlx::{Row, Sqlite, SqliteConnection, Transaction};

impl Store {
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

fn reference(call: &CallId) -> String {
    format!("{}/{}/{}", call.run, call.seq, call.repeat)
}
