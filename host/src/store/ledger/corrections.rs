//! Credits that go back: refunds of failed work, by policy and within a bound that keeps failing on purpose from paying, and
//! adjustments of calls that were charged by an estimate.

use super::Move;
use super::calls::reference;
use crate::ledger::{CallId, HOUSE_LOST, HOUSE_OVERRUN, HOUSE_REFUNDS, HOUSE_SALES, NanoUsd, Rates, Usage};
use crate::store::{Result, Store, StoreError, Tx, from_json, now_ms, query, transaction};

/// A refund counts for so long towards what a user may get back.
const REFUND_WINDOW_MS: i64 = 24 * 60 * 60 * 1000;

/// What a correction changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Adjusted {
    /// Given back to the user.
    pub user: NanoUsd,
    /// What the house pays more than the estimate said, or less where negative.
    pub house: NanoUsd,
}

impl Store {
    /// Corrects a call that was settled or lost by an estimate, once. The user never pays more afterwards; what the estimate was too
    /// low by is the house's.
    pub async fn adjust(&self, call: &CallId, usage: &Usage) -> Result<Adjusted> {
        transaction!(self, |tx| adjust(&mut tx, call, usage))
    }
}

async fn adjust(tx: &mut Tx, call: &CallId, usage: &Usage) -> Result<Adjusted> {
    let name = reference(call);
    let refuse = |why| StoreError::NotAdjustable { call: name.clone(), why };
    if !usage.is_plausible() {
        return Err(refuse("nobody can have used so many tokens"));
    }
    let row = query(
        "select wallet, state, actual, charged, usage_source, rates from hold join price on price.id = hold.price
         where run = $1 and seq = $2 and repeat = $3",
    )
    .bind(&call.run)
    .bind(call.seq)
    .bind(call.repeat)
    .optional(tx)
    .await?
    .ok_or_else(|| refuse("there is no such call"))?;
    if row.get::<Option<String>>("usage_source").as_deref() != Some("estimated") {
        return Err(refuse("it was not charged by an estimate"));
    }
    let wallet: String = row.get("wallet");
    let mut money = super::Money::lock(tx, &wallet).await?;
    let house_reference = format!("{name}/house");
    let corrected: i64 =
        query("select count(*) from entry where kind = 'adjust' and ref in ($1, $2)").bind(&name).bind(&house_reference).scalar(tx).await?;
    if corrected > 0 {
        return Err(refuse("it was corrected before"));
    }
    let (before, charged): (NanoUsd, NanoUsd) = (row.get("actual"), row.get("charged"));
    let actual = from_json::<Rates>("price", &row.get::<String>("rates"))?.cost(usage);
    let refunded: i64 = query("select count(*) from entry where kind = 'refund' and ref = $1").bind(&call.run).scalar(tx).await?;
    let user = if refunded > 0 { NanoUsd::ZERO } else { charged.saturating_sub(actual) };
    let house = (actual - (charged - user)) - (before - charged);
    let kind = "adjust";
    money.apply(tx, &Move { kind, reference: &name, from: HOUSE_SALES, to: &wallet, amount: user });
    let account = if row.get::<String>("state") == "lost" { HOUSE_LOST } else { HOUSE_OVERRUN };
    let (from, to) = if house > NanoUsd::ZERO { (account, HOUSE_SALES) } else { (HOUSE_SALES, account) };
    money.apply(tx, &Move { kind, reference: &house_reference, from, to, amount: NanoUsd(house.0.abs()) });
    Ok(Adjusted { user, house })
}

/// Gives back what a task's runs were charged.
pub(in crate::store) async fn refund_task(tx: &mut Tx, limit: NanoUsd, project: &str, task: &str) -> Result<()> {
    let runs: Vec<String> =
        query("select id from run where project = $1 and task = $2 order by number").bind(project).bind(task).scalars(tx).await?;
    for run in runs {
        refund_run(tx, limit, &run).await?;
    }
    Ok(())
}

/// Gives back what a run was charged, once, as far as the user's refunds of the last day leave room. The ceiling stays as it was: a
/// refund pays for mistakes, not for more work.
pub(in crate::store) async fn refund_run(tx: &mut Tx, limit: NanoUsd, run: &str) -> Result<()> {
    let charged =
        query("select wallet, cast(sum(charged) as bigint) as charged from hold where run = $1 and state = 'settled' group by wallet")
            .bind(run)
            .optional(tx)
            .await?;
    let Some(row) = charged else { return Ok(()) };
    let wallet: String = row.get("wallet");
    let mut money = super::Money::lock(tx, &wallet).await?;
    let known: i64 = query("select count(*) from entry where kind = 'refund' and ref = $1").bind(run).scalar(tx).await?;
    if known > 0 {
        return Ok(());
    }
    let adjusted: NanoUsd = query(
        "select cast(coalesce(sum(entry.amount), 0) as bigint) from entry
         join hold on entry.ref = hold.run || '/' || hold.seq || '/' || hold.repeat
         where hold.run = $1 and entry.kind = 'adjust' and entry.credit = hold.wallet",
    )
    .bind(run)
    .scalar(tx)
    .await?;
    let given: NanoUsd =
        query("select cast(coalesce(sum(amount), 0) as bigint) from entry where wallet = $1 and kind = 'refund' and at_ms > $2")
            .bind(&wallet)
            .bind(now_ms() - REFUND_WINDOW_MS)
            .scalar(tx)
            .await?;
    let amount = (row.get::<NanoUsd>("charged") - adjusted).min(limit.saturating_sub(given));
    money.apply(tx, &Move { kind: "refund", reference: run, from: HOUSE_REFUNDS, to: &wallet, amount });
    Ok(())
}
