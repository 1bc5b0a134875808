//! One model call, as rows. [`Store::reserve`] holds what it may cost and notes the request that is about to leave, in one
//! transaction; [`Store::settle`], [`Store::void`] and [`Store::lose`] end it, [`recover`] what a dead process left open.
//!
//! In PostgreSQL every transaction locks the hold, then the wallet, then the budgets around it. A wallet's lock makes its calls wait
//! for each other, so that what is left is read and taken as one step.

use super::budgets::{open_allowance, read_chain};
use super::{Money, Move};
use crate::ledger::{
    CallId, HOUSE_LOST, HOUSE_OVERRUN, HOUSE_SALES, NanoUsd, Rates, Reserve, Reserved, Route, Scope, Settlement, Usage, UsageSource, fit,
};
use crate::store::runs::{JournalRow, flush};
use crate::store::{Result, Store, Tx, from_json, now_ms, projects, query, to_json, transaction};

/// The user is told once, when this part of a project's ceiling is spent.
const WARN_PERCENT: i64 = 75;

impl Store {
    /// Holds what the call may cost at most, in the wallet and every enclosing budget, shortening the output to what fits, and notes
    /// its first request. When this returns, the first byte may leave.
    pub async fn reserve(&self, boot: &str, ask: &Reserve) -> Result<Reserved> {
        transaction!(self, |tx| reserve(&mut tx, boot, ask))
    }

    /// Notes that another request for a call is about to leave. Returns the request's id.
    pub async fn dispatch(&self, call: &CallId, number: u32, route: &Route) -> Result<String> {
        transaction!(self, |tx| async {
            set_state(&mut tx, call, "dispatched").await?;
            add_attempt(&mut tx, call, number, route).await
        })
    }

    /// The provider provably did not accept this request; the hold stays for the next try.
    pub async fn void_attempt(&self, call: &CallId, request_id: &str, why: &str) -> Result<()> {
        transaction!(self, |tx| async {
            set_state(&mut tx, call, "reserved").await?;
            end_attempts(&mut tx, call, "voided", why, Some(request_id)).await
        })
    }

    /// Notes how much output was seen, for the estimate of a call whose answer is lost.
    pub async fn checkpoint(&self, call: &CallId, output_tokens: u64) -> Result<()> {
        transaction!(self, |tx| async {
            query("update hold set output_seen = $1 where run = $2 and seq = $3 and repeat = $4 and state = 'dispatched'")
                .bind(output_tokens)
                .bind(&call.run)
                .bind(call.seq)
                .bind(call.repeat)
                .execute(&mut tx)
                .await?;
            Ok(())
        })
    }

    /// Gives the whole hold back: nothing was accepted by a provider.
    pub async fn void(&self, call: &CallId, journal: &[JournalRow]) -> Result<()> {
        transaction!(self, |tx| async {
            release(&mut tx, call).await?;
            flush(&mut tx, journal).await
        })
    }

    /// Ends a dispatched hold whose answer nobody will ever see: the house pays the estimate.
    pub async fn lose(&self, call: &CallId, usage: &Usage, why: &str) -> Result<()> {
        transaction!(self, |tx| lose(&mut tx, call, usage, why))
    }

    /// Charges what the call cost, at most what is held and left; the house pays the rest. The host calls that led here are
    /// stored with it, the last of them made from the amount charged.
    pub async fn settle(&self, settlement: &Settlement, journal: impl Fn(NanoUsd) -> Vec<JournalRow>) -> Result<NanoUsd> {
        transaction!(self, |tx| async {
            let charged = settle(&mut tx, settlement).await?;
            flush(&mut tx, &journal(charged)).await?;
            Ok(charged)
        })
    }
}

async fn reserve(tx: &mut Tx, boot: &str, ask: &Reserve) -> Result<Reserved> {
    let money = Money::lock(tx, &ask.wallet).await?;
    let allowance = open_allowance(tx, &ask.wallet, ask.limits, ask.at_ms).await?;
    let chain = read_chain(tx, &ask.budget, allowance.as_deref()).await?;
    if let Some(full) = chain.0.iter().find(|link| link.calls_left <= 0) {
        return Ok(Reserved::TooManyCalls { scope: full.scope });
    }
    if let Some(near) = chain.0.iter().find(|link| link.budget.spent >= link.pause) {
        return Ok(Reserved::NearCeiling { spent: near.budget.spent, limit: near.budget.limit });
    }
    let (scope, left) = chain.tightest(money.left());
    let useful = ask.output_tokens_min.min(ask.output_tokens);
    let Some((output_tokens, amount)) = fit(&ask.price.rates, ask.input_tokens, ask.output_tokens, useful, left) else {
        return Ok(Reserved::TooLittle { scope, left, needed: ask.price.rates.worst_case(ask.input_tokens, useful) });
    };
    let repeat: u32 = query(
        "insert into hold (run, seq, repeat, wallet, budget, allowance, project, fingerprint, price, amount, input_estimate, state, boot, created_ms)
         values ($1, $2, (select coalesce(max(repeat), 0) + 1 from hold where run = $1 and seq = $2), $3, $4, $5,
                 coalesce((select project from run where id = $1), ''), $6, $7, $8, $9, 'dispatched', $10, $11)
         returning repeat",
    )
    .bind(&ask.run)
    .bind(ask.seq)
    .bind(&ask.wallet)
    .bind(&ask.budget)
    .bind(allowance)
    .bind(&ask.fingerprint)
    .bind(ask.price.id)
    .bind(amount)
    .bind(ask.input_tokens)
    .bind(boot)
    .bind(ask.at_ms)
    .scalar(tx)
    .await?;
    let call = CallId { run: ask.run.clone(), seq: ask.seq, repeat };
    money.hold(tx, amount).await?;
    chain.add(tx, amount, NanoUsd::ZERO, 1).await?;
    let request_id = add_attempt(tx, &call, 1, &ask.route).await?;
    Ok(Reserved::Held { call, amount, output_tokens, request_id })
}

async fn settle(tx: &mut Tx, settlement: &Settlement) -> Result<NanoUsd> {
    let call = &settlement.call;
    let hold = open_hold(tx, call).await?;
    let money = Money::lock(tx, &hold.wallet).await?;
    let chain = read_chain(tx, &hold.budget, hold.allowance.as_deref()).await?;
    let actual = hold.rates.cost(&settlement.usage);
    let charged = actual.min(hold.amount + chain.tightest(money.left()).1);
    chain.add(tx, -hold.amount, charged, 0).await?;
    resolve(tx, call, "settled", &Costs { actual, charged, usage: &settlement.usage, source: settlement.source }).await?;
    end_attempts(tx, call, "settled", "", None).await?;
    money.charge(tx, hold.amount, &reference(call), charged).await?;
    let (wallet, reference, amount) = (&*hold.wallet, &*reference(call), actual - charged);
    Move { wallet, kind: "overrun", reference, from: HOUSE_OVERRUN, to: HOUSE_SALES, amount }.make(tx).await?;
    for link in chain.0.iter().filter(|link| link.scope == Scope::Project) {
        let (before, after) = (link.budget.spent, link.budget.spent + charged);
        if before.is_below_percent(WARN_PERCENT, link.budget.limit) && !after.is_below_percent(WARN_PERCENT, link.budget.limit) {
            let text = format!("{after} of {} are spent ({WARN_PERCENT} % of the ceiling is passed)", link.budget.limit);
            projects::append_event(tx, &hold.project, "warned", &text).await?;
        }
    }
    Ok(charged)
}

/// Ends what a dead boot left open. Between two requests the hold is void: nothing is under way. A dispatched one has no stored
/// answer: the user is charged nothing, the estimate is the house's, and the repeat will be a hold of its own.
pub(in crate::store) async fn recover(tx: &mut Tx, boot: &str) -> Result<u32> {
    let rows = query(
        "select run, seq, repeat, state, input_estimate, output_seen from hold where boot = $1 and state in ('reserved', 'dispatched')
         order by run, seq, repeat",
    )
    .bind(boot)
    .all(tx)
    .await?;
    for row in &rows {
        let call = CallId { run: row.get("run"), seq: row.get("seq"), repeat: row.get("repeat") };
        if row.get::<String>("state") == "reserved" {
            release(tx, &call).await?;
            continue;
        }
        let usage = Usage { input: row.get("input_estimate"), output: row.get("output_seen"), ..Usage::default() };
        lose(tx, &call, &usage, "the host ended before the answer was stored").await?;
    }
    Ok(u32::try_from(rows.len()).unwrap_or(u32::MAX))
}

struct OpenHold {
    wallet: String,
    budget: String,
    allowance: Option<String>,
    project: String,
    amount: NanoUsd,
    rates: Rates,
}

async fn open_hold(tx: &mut Tx, call: &CallId) -> Result<OpenHold> {
    let row = tx
        .lock(
            "select wallet, budget, allowance, project, amount, rates from hold join price on price.id = hold.price
             where run = $1 and seq = $2 and repeat = $3 and state in ('reserved', 'dispatched')",
            "select wallet, budget, allowance, project, amount, rates from hold join price on price.id = hold.price
             where run = $1 and seq = $2 and repeat = $3 and state in ('reserved', 'dispatched') for update of hold",
        )
        .bind(&call.run)
        .bind(call.seq)
        .bind(call.repeat)
        .one(tx)
        .await?;
    Ok(OpenHold {
        wallet: row.get("wallet"),
        budget: row.get("budget"),
        allowance: row.get("allowance"),
        project: row.get("project"),
        amount: row.get("amount"),
        rates: from_json("price", &row.get::<String>("rates"))?,
    })
}

/// Gives back what is held. A call that was never accepted does not count among those that began.
async fn release(tx: &mut Tx, call: &CallId) -> Result<()> {
    let hold = open_hold(tx, call).await?;
    let money = Money::lock(tx, &hold.wallet).await?;
    let chain = read_chain(tx, &hold.budget, hold.allowance.as_deref()).await?;
    chain.add(tx, -hold.amount, NanoUsd::ZERO, -1).await?;
    money.hold(tx, -hold.amount).await?;
    end_attempts(tx, call, "voided", "", None).await?;
    query("update hold set state = 'voided', resolved_ms = $1 where run = $2 and seq = $3 and repeat = $4")
        .bind(now_ms())
        .bind(&call.run)
        .bind(call.seq)
        .bind(call.repeat)
        .execute(tx)
        .await?;
    Ok(())
}

/// Ends a dispatched hold whose answer is gone: the house pays the estimate, so that the books show what was spent.
async fn lose(tx: &mut Tx, call: &CallId, usage: &Usage, why: &str) -> Result<()> {
    let hold = open_hold(tx, call).await?;
    let money = Money::lock(tx, &hold.wallet).await?;
    let chain = read_chain(tx, &hold.budget, hold.allowance.as_deref()).await?;
    let estimate = hold.rates.cost(usage);
    chain.add(tx, -hold.amount, NanoUsd::ZERO, 0).await?;
    money.hold(tx, -hold.amount).await?;
    end_attempts(tx, call, "lost", why, None).await?;
    resolve(tx, call, "lost", &Costs { actual: estimate, charged: NanoUsd::ZERO, usage, source: UsageSource::Estimated }).await?;
    let (wallet, reference) = (&*hold.wallet, &*reference(call));
    Move { wallet, kind: "lost", reference, from: HOUSE_LOST, to: HOUSE_SALES, amount: estimate }.make(tx).await
}

struct Costs<'a> {
    actual: NanoUsd,
    charged: NanoUsd,
    usage: &'a Usage,
    source: UsageSource,
}

async fn resolve(tx: &mut Tx, call: &CallId, state: &str, costs: &Costs<'_>) -> Result<()> {
    query(
        "update hold set state = $1, actual = $2, charged = $3, usage = $4, usage_source = $5, resolved_ms = $6
         where run = $7 and seq = $8 and repeat = $9",
    )
    .bind(state)
    .bind(costs.actual)
    .bind(costs.charged)
    .bind(to_json(costs.usage))
    .bind(costs.source.as_str())
    .bind(now_ms())
    .bind(&call.run)
    .bind(call.seq)
    .bind(call.repeat)
    .execute(tx)
    .await?;
    Ok(())
}

async fn add_attempt(tx: &mut Tx, call: &CallId, number: u32, route: &Route) -> Result<String> {
    let request_id = format!("{}-{}-{}-{number}", call.run, call.seq, call.repeat);
    query(
        "insert into attempt (request_id, run, seq, repeat, number, provider, model, key_id, outcome, sent_ms)
         values ($1, $2, $3, $4, $5, $6, $7, $8, 'dispatched', $9)",
    )
    .bind(&request_id)
    .bind(&call.run)
    .bind(call.seq)
    .bind(call.repeat)
    .bind(number)
    .bind(&route.provider)
    .bind(&route.model)
    .bind(&route.key_id)
    .bind(now_ms())
    .execute(tx)
    .await?;
    Ok(request_id)
}

async fn end_attempts(tx: &mut Tx, call: &CallId, outcome: &str, detail: &str, only: Option<&str>) -> Result<()> {
    query(
        "update attempt set outcome = $1, detail = $2
         where run = $3 and seq = $4 and repeat = $5 and outcome = 'dispatched' and ($6 is null or request_id = $6)",
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

async fn set_state(tx: &mut Tx, call: &CallId, state: &str) -> Result<()> {
    query("update hold set state = $1 where run = $2 and seq = $3 and repeat = $4")
        .bind(state)
        .bind(&call.run)
        .bind(call.seq)
        .bind(call.repeat)
        .execute(tx)
        .await?;
    Ok(())
}

/// What an entry names a call by.
pub(super) fn reference(call: &CallId) -> String {
    format!("{}/{}/{}", call.run, call.seq, call.repeat)
}
