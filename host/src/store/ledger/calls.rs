//! One model call, as rows. [`Store::reserve`] holds what it may cost and notes the request that is about to leave, in one
//! transaction; [`Store::settle`], [`Store::void`] and [`Store::lose`] end it, [`recover`] what a dead process left open.
//!
//! In PostgreSQL every transaction locks the hold, then the wallet, then the budgets around it. A wallet's lock makes its calls wait
//! for each other, so that what is left is read and taken as one step.

use super::budgets::{Chain, around, around_call, open_allowance};
use super::{Money, Move};
use crate::ledger::{
    CallId, HOUSE_LOST, HOUSE_OVERRUN, HOUSE_SALES, NanoUsd, Rates, Reserve, Reserved, Route, Scope, Settlement, Usage, UsageSource, fit,
};
use crate::store::runs::{JournalRow, flush};
use crate::store::sql::{Query, several};
use crate::store::steps::{self, Lease};
use crate::store::{Result, Store, Tx, from_json, now_ms, projects, query, to_json, transaction};

/// The user is told once, when this part of a project's ceiling is spent.
const WARN_PERCENT: i64 = 75;

impl Store {
    /// Holds what the call may cost at most, in the wallet and every enclosing budget, shortening the output to what fits, and notes
    /// its first request. When this returns, the first byte may leave.
    ///
    /// A worker whose step somebody else has by now begins no call.
    pub async fn reserve(&self, boot: &str, lease: Option<&Lease>, ask: &Reserve) -> Result<Reserved> {
        transaction!(self, |tx| reserve(&mut tx, boot, lease, ask))
    }

    /// Notes that another request for a call is about to leave. Returns the request's id.
    pub async fn dispatch(&self, call: &CallId, number: u32, route: &Route) -> Result<String> {
        transaction!(self, |tx| async {
            set_state(&mut tx, call, "dispatched");
            Ok(add_attempt(&mut tx, call, number, route))
        })
    }

    /// The provider provably did not accept this request; the hold stays for the next try.
    pub async fn void_attempt(&self, call: &CallId, request_id: &str, why: &str) -> Result<()> {
        transaction!(self, |tx| async {
            set_state(&mut tx, call, "reserved");
            end_attempts(&mut tx, call, "voided", why, Some(request_id));
            Ok(())
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
                .later(&mut tx);
            Ok(())
        })
    }

    /// Gives the whole hold back: nothing was accepted by a provider.
    pub async fn void(&self, call: &CallId, journal: &[JournalRow]) -> Result<()> {
        transaction!(self, |tx| async {
            release(&mut tx, call).await?;
            flush(&mut tx, journal);
            Ok(())
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
            flush(&mut tx, &journal(charged));
            Ok(charged)
        })
    }
}

async fn reserve(tx: &mut Tx, boot: &str, lease: Option<&Lease>, ask: &Reserve) -> Result<Reserved> {
    let (allowance, mut script) = open_allowance(&ask.wallet, ask.limits, ask.at_ms);
    script.insert(0, Money::locking(tx, &ask.wallet));
    script.splice(0..0, lease.map(|lease| steps::still_held(tx, lease)));
    script.push(around(&ask.budget, allowance.as_deref()));
    script.push(
        query("select cast(coalesce(max(repeat), 0) + 1 as bigint) from hold where run = $1 and seq = $2").bind(&ask.run).bind(ask.seq),
    );
    let mut results = several(tx, script).await?;
    if let Some(lease) = lease
        && results.remove(0).optional().is_none()
    {
        return Err(steps::lost(lease));
    }
    let repeat: u32 = results.pop().unwrap_or_default().one()?.at(0);
    let chain = Chain::read(&results.pop().unwrap_or_default().rows);
    let money = Money::read(&results.swap_remove(0).one()?);
    if let Some(full) = chain.0.iter().find(|link| link.calls_left <= 0) {
        return Ok(Reserved::TooManyCalls { scope: full.scope });
    }
    if let Some(near) = chain.0.iter().find(|link| link.budget.spent >= link.pause) {
        return Ok(Reserved::NearCeiling { spent: near.budget.spent, limit: near.budget.limit });
    }
    let (scope, left) = chain.tightest(money.left());
    let useful = ask.output_tokens_min.min(ask.output_tokens);
    let fitting = |left| fit(&ask.price.rates, ask.input_tokens, ask.output_tokens, useful, left);
    let fitted = fitting(left);
    let is_short = fitted.is_none_or(|(tokens, _)| tokens < ask.output_tokens / 2);
    if ask.patient && is_short && fitting(chain.unspent(money.balance)).map(|(tokens, _)| tokens) > fitted.map(|(tokens, _)| tokens) {
        return Ok(Reserved::OthersHold);
    }
    let Some((output_tokens, amount)) = fitted else {
        return Ok(Reserved::TooLittle { scope, left, needed: ask.price.rates.worst_case(ask.input_tokens, useful) });
    };
    query(
        "insert into hold (run, seq, repeat, wallet, budget, allowance, project, fingerprint, price, amount, input_estimate, state, boot, created_ms)
         values ($1, $2, $3, $4, $5, $6,
                 coalesce((select project from run where id = $1), ''), $7, $8, $9, $10, 'dispatched', $11, $12)",
    )
    .bind(&ask.run)
    .bind(ask.seq)
    .bind(repeat)
    .bind(&ask.wallet)
    .bind(&ask.budget)
    .bind(allowance)
    .bind(&ask.fingerprint)
    .bind(ask.price.id)
    .bind(amount)
    .bind(ask.input_tokens)
    .bind(boot)
    .bind(ask.at_ms)
    .later(tx);
    let call = CallId { run: ask.run.clone(), seq: ask.seq, repeat };
    money.hold(tx, amount);
    chain.add(tx, amount, NanoUsd::ZERO, 1);
    let request_id = add_attempt(tx, &call, 1, &ask.route);
    Ok(Reserved::Held { call, amount, output_tokens, request_id })
}

async fn settle(tx: &mut Tx, settlement: &Settlement) -> Result<NanoUsd> {
    let call = &settlement.call;
    let Open { hold, mut money, chain } = open(tx, call).await?;
    let actual = hold.rates.cost(&settlement.usage);
    let charged = actual.min(hold.amount + chain.tightest(money.left()).1);
    chain.add(tx, -hold.amount, charged, 0);
    resolve(tx, call, "settled", &Costs { actual, charged, usage: &settlement.usage, source: settlement.source });
    end_attempts(tx, call, "settled", "", None);
    let reference = reference(call);
    money.charge(tx, hold.amount, &reference, charged);
    let amount = actual - charged;
    money.apply(tx, &Move { kind: "overrun", reference: &reference, from: HOUSE_OVERRUN, to: HOUSE_SALES, amount });
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
    let open = query(
        "select run, seq, repeat, state, input_estimate, output_seen from hold where boot = $1 and state in ('reserved', 'dispatched')
         order by run, seq, repeat",
    );
    end_open(tx, open.bind(boot), "the host ended before the answer was stored").await
}

/// The same for what an earlier worker of this run left open.
pub(in crate::store) async fn recover_run(tx: &mut Tx, run: &str) -> Result<u32> {
    let open = query(
        "select run, seq, repeat, state, input_estimate, output_seen from hold where run = $1 and state in ('reserved', 'dispatched')
         order by seq, repeat",
    );
    end_open(tx, open.bind(run), "another worker took the step over before the answer was stored").await
}

async fn end_open(tx: &mut Tx, open: Query, why: &str) -> Result<u32> {
    let rows = open.all(tx).await?;
    for row in &rows {
        let call = CallId { run: row.get("run"), seq: row.get("seq"), repeat: row.get("repeat") };
        if row.get::<String>("state") == "reserved" {
            release(tx, &call).await?;
            continue;
        }
        let usage = Usage { input: row.get("input_estimate"), output: row.get("output_seen"), ..Usage::default() };
        lose(tx, &call, &usage, why).await?;
    }
    Ok(u32::try_from(rows.len()).unwrap_or(u32::MAX))
}

/// A call under way, with all that its end changes.
struct Open {
    hold: Hold,
    money: Money,
    chain: Chain,
}

struct Hold {
    project: String,
    amount: NanoUsd,
    rates: Rates,
}

/// Locks the call's hold and wallet, and reads the budgets around it.
async fn open(tx: &mut Tx, call: &CallId) -> Result<Open> {
    let of_call = |query: Query| query.bind(&call.run).bind(call.seq).bind(call.repeat);
    let hold = tx.lock(
        "select project, amount, rates from hold join price on price.id = hold.price
         where run = $1 and seq = $2 and repeat = $3 and state in ('reserved', 'dispatched')",
        "select project, amount, rates from hold join price on price.id = hold.price
         where run = $1 and seq = $2 and repeat = $3 and state in ('reserved', 'dispatched') for update of hold",
    );
    let money = tx.lock(
        "select id, balance, held, seq from wallet where id = (select wallet from hold where run = $1 and seq = $2 and repeat = $3)",
        "select id, balance, held, seq from wallet where id = (select wallet from hold where run = $1 and seq = $2 and repeat = $3)
         for no key update",
    );
    // A warning changes the project, so its row is locked as in every other transaction: before all others.
    if tx.is_shared() {
        of_call(query(
            "select id from project where id = (select project from hold where run = $1 and seq = $2 and repeat = $3) for no key update",
        ))
        .later(tx);
    }
    let mut results = several(tx, vec![of_call(hold), of_call(money), around_call(call)]).await?;
    let chain = Chain::read(&results.pop().unwrap_or_default().rows);
    let money = results.pop().unwrap_or_default();
    let row = results.pop().unwrap_or_default().one()?;
    let hold = Hold { project: row.get("project"), amount: row.get("amount"), rates: from_json("price", &row.get::<String>("rates"))? };
    Ok(Open { hold, money: Money::read(&money.one()?), chain })
}

/// Gives back what is held. A call that was never accepted does not count among those that began.
async fn release(tx: &mut Tx, call: &CallId) -> Result<()> {
    let Open { hold, money, chain } = open(tx, call).await?;
    chain.add(tx, -hold.amount, NanoUsd::ZERO, -1);
    money.hold(tx, -hold.amount);
    end_attempts(tx, call, "voided", "", None);
    query("update hold set state = 'voided', resolved_ms = $1 where run = $2 and seq = $3 and repeat = $4")
        .bind(now_ms())
        .bind(&call.run)
        .bind(call.seq)
        .bind(call.repeat)
        .later(tx);
    Ok(())
}

/// Ends a dispatched hold whose answer is gone: the house pays the estimate, so that the books show what was spent.
async fn lose(tx: &mut Tx, call: &CallId, usage: &Usage, why: &str) -> Result<()> {
    let Open { hold, mut money, chain } = open(tx, call).await?;
    let amount = hold.rates.cost(usage);
    chain.add(tx, -hold.amount, NanoUsd::ZERO, 0);
    money.hold(tx, -hold.amount);
    end_attempts(tx, call, "lost", why, None);
    resolve(tx, call, "lost", &Costs { actual: amount, charged: NanoUsd::ZERO, usage, source: UsageSource::Estimated });
    money.apply(tx, &Move { kind: "lost", reference: &reference(call), from: HOUSE_LOST, to: HOUSE_SALES, amount });
    Ok(())
}

struct Costs<'a> {
    actual: NanoUsd,
    charged: NanoUsd,
    usage: &'a Usage,
    source: UsageSource,
}

fn resolve(tx: &mut Tx, call: &CallId, state: &str, costs: &Costs<'_>) {
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
    .later(tx);
}

fn add_attempt(tx: &mut Tx, call: &CallId, number: u32, route: &Route) -> String {
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
    .later(tx);
    request_id
}

fn end_attempts(tx: &mut Tx, call: &CallId, outcome: &str, detail: &str, only: Option<&str>) {
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
    .later(tx);
}

fn set_state(tx: &mut Tx, call: &CallId, state: &str) {
    query("update hold set state = $1 where run = $2 and seq = $3 and repeat = $4")
        .bind(state)
        .bind(&call.run)
        .bind(call.seq)
        .bind(call.repeat)
        .later(tx);
}

/// What an entry names a call by.
pub(super) fn reference(call: &CallId) -> String {
    format!("{}/{}/{}", call.run, call.seq, call.repeat)
}
