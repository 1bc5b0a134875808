//! The invariants of the ledger, computed from the rows alone. Run after every step of the property test, after every kill and
//! by `atelier audit`.

use super::{Result, Store, StoreError, query};
use crate::ledger::{CallId, NanoUsd, Rates, Usage};
use std::collections::BTreeMap;

/// What must hold, and every row that breaks it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Invariant {
    /// Such as `I1`.
    pub id: &'static str,
    /// In words.
    pub claim: &'static str,
    /// One line for each violation; empty is good.
    pub violations: Vec<String>,
}

/// A query that returns one text for each violation.
type Rule = (&'static str, &'static str, &'static str);

const RULES: &[Rule] = &[
    (
        "I1",
        "a balance is its credits less its debits",
        "select 'wallet ' || id || ': balance ' || balance from wallet where balance <>
            (select coalesce(sum(amount), 0) from entry where credit = wallet.id) - (select coalesce(sum(amount), 0) from entry where debit = wallet.id)",
    ),
    (
        "I2",
        "what is held is the sum of the open holds, in every wallet",
        "select 'wallet ' || id || ': held ' || held from wallet where held <>
            (select coalesce(sum(amount), 0) from hold where hold.wallet = wallet.id and state in ('reserved', 'dispatched'))",
    ),
    ("I3", "0 <= held <= balance", "select 'wallet ' || id from wallet where held < 0 or held > balance"),
    (
        "I4",
        "a call is settled at most once",
        "select 'call ' || run || '/' || seq from hold where state = 'settled' group by run, seq having count(*) > 1",
    ),
    (
        "I5",
        "a settled call has exactly its charge, any other has none",
        "select 'call ' || run || '/' || seq || '/' || repeat from hold where coalesce(charged, 0) <>
            (select coalesce(sum(amount), 0) from entry where kind = 'charge' and ref = hold.run || '/' || hold.seq || '/' || hold.repeat)",
    ),
    (
        "I6",
        "charged and paid by the house together are what the call cost",
        "select 'call ' || run || '/' || seq || '/' || repeat from hold where state in ('settled', 'lost') and actual - charged <>
            (select coalesce(sum(amount), 0) from entry where kind in ('overrun', 'lost') and ref = hold.run || '/' || hold.seq || '/' || hold.repeat)",
    ),
    (
        "I7",
        "the entries of a wallet are numbered without a gap",
        "select 'wallet ' || id from wallet where seq <> (select count(*) from entry where wallet = wallet.id)
            or seq <> (select coalesce(max(seq), 0) from entry where entry.wallet = wallet.id)",
    ),
    (
        "I8",
        "all accounts together are zero",
        "select 'sum ' || total from (select
            (select coalesce(sum(balance), 0) from wallet)
          + (select coalesce(sum(case when credit like 'house:%' then amount else 0 end) - sum(case when debit like 'house:%' then amount else 0 end), 0) from entry) as total) sums
         where total <> 0",
    ),
    (
        "I9",
        "every request that was sent belongs to a hold that knows it",
        "select 'request ' || request_id from attempt join hold using (run, seq, repeat)
         where (attempt.outcome = 'settled' and hold.state <> 'settled') or (attempt.outcome = 'lost' and hold.state <> 'lost')
            or (attempt.outcome = 'dispatched' and hold.state <> 'dispatched')",
    ),
    (
        "I12",
        "what a budget has spent, holds and counts is what its calls say",
        "select 'budget ' || id from budget where (scope = 'run' and (spent, held, calls) <>
                (select coalesce(sum(charged), 0), coalesce(sum(case when state in ('reserved', 'dispatched') then amount else 0 end), 0),
                        coalesce(sum(case when state <> 'voided' then 1 else 0 end), 0)
                 from hold where hold.budget = budget.id))
            or (scope in ('day', 'month') and spent <> (select coalesce(sum(charged), 0) from hold join budget own on own.id = hold.allowance
                 where own.id = budget.id or own.parent = budget.id))",
    ),
    (
        "I14",
        "a budget holds and has spent what the budgets within it do, or more, and never passes its limit",
        "select 'budget ' || id from budget where spent + held > limit_nano
            or spent < (select coalesce(sum(spent), 0) from budget child where child.parent = budget.id)
            or held < (select coalesce(sum(held), 0) from budget child where child.parent = budget.id)",
    ),
    (
        "I15",
        "a project that can go on has a step that a worker can take",
        "select 'project ' || id from project where has_steps = 1 and phase in ('eliciting', 'planning', 'building')
            and not exists (select 1 from step where step.project = project.id)
            and not exists (select 1 from question where question.project = project.id and answer is null)",
    ),
    (
        "I16",
        "what was paid in Stars was granted, and is taken back only where it goes back",
        "select 'payment ' || number from (
            select payment.reference as number, payment.state as state, payment.credits as credits,
                (select coalesce(sum(amount), 0) from entry where kind = 'grant' and ref = payment.reference) as granted,
                (select coalesce(sum(case when credit = 'house:stars' then amount else -amount end), 0) from entry
                 where kind = 'adjust' and ref like payment.reference || '/%') as taken
            from payment) bought
         where granted <> credits or (state = 'paid' and taken <> 0) or (state = 'refunding' and taken <> credits)
            or (state = 'refunded' and (taken < 0 or taken > credits))",
    ),
];

/// One line of a provider's own log.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct ProviderLine {
    /// Whether it answered.
    #[serde(default)]
    served: Option<bool>,
    /// Our `x-request-id`.
    #[serde(default)]
    request_id: Option<String>,
    /// What it counted.
    #[serde(default)]
    usage: Option<ProviderUsage>,
}

#[derive(Clone, Debug, serde::Deserialize)]
struct ProviderUsage {
    prompt_tokens: u64,
    completion_tokens: u64,
}

/// A provider's log held against the ledger.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct ProviderComparison {
    /// Requests it served.
    pub served: usize,
    /// Requests it refused.
    pub refused: usize,
    /// Tokens that it counted for what it served and that we settled.
    pub provider_tokens: u64,
    /// Tokens of the same calls in the ledger.
    pub ledger_tokens: u64,
    /// Everything that does not agree.
    pub violations: Vec<String>,
}

impl Store {
    /// Every invariant with its violations. `alive` says which boots may have open holds.
    pub async fn audit(&self, alive: &[String]) -> Result<Vec<Invariant>> {
        let mut tx = self.begin().await?;
        if tx.is_shared() {
            // All rules look at the same moment.
            query("set transaction isolation level repeatable read").later(&mut tx);
        }
        let mut invariants = Vec::new();
        for (id, claim, sql) in RULES {
            invariants.push(Invariant { id, claim, violations: query(sql).scalars(&mut tx).await? });
        }
        let open: Vec<String> = query("select distinct boot from hold where state in ('reserved', 'dispatched')").scalars(&mut tx).await?;
        invariants.push(Invariant {
            id: "I11",
            claim: "every open hold belongs to a process that lives",
            violations: open
                .into_iter()
                .filter(|boot| !alive.contains(boot))
                .map(|boot| format!("boot {boot} is gone; `atelier resume` recovers its holds"))
                .collect(),
        });
        tx.rollback().await;
        Ok(invariants)
    }

    /// Every call's cost, counted once more from its tokens and the price it was made with. Says how many calls those were.
    pub async fn recompute(&self) -> Result<(usize, Invariant)> {
        let rows = query(
            "select hold.run || '/' || hold.seq || '/' || hold.repeat as call, usage, actual, rates
             from hold join price on price.id = hold.price where state in ('settled', 'lost') order by call",
        )
        .all(&mut self.read().await?)
        .await?;
        let mut violations = Vec::new();
        for row in &rows {
            let usage: Usage = super::from_json("usage", &row.get::<String>("usage"))?;
            let rates: Rates = super::from_json("price", &row.get::<String>("rates"))?;
            let (stored, counted) = (row.get::<NanoUsd>("actual"), rates.cost(&usage));
            if stored != counted {
                violations.push(format!("call {}: {stored} in the books, {counted} from its tokens and price", row.get::<String>("call")));
            }
        }
        let claim = "every call costs what its tokens cost at the price it was made with";
        Ok((rows.len(), Invariant { id: "recompute", claim, violations }))
    }

    /// Corrects every call that was charged or lost by an estimate and that the provider's record counts. Says how many those were and
    /// what users got back.
    pub async fn adjust_from_log(&self, lines: &[ProviderLine]) -> Result<(usize, NanoUsd)> {
        let rows = query(
            "select request_id, run, seq, repeat from attempt join hold using (run, seq, repeat)
             where usage_source = 'estimated' and attempt.outcome in ('settled', 'lost')",
        )
        .all(&mut self.read().await?)
        .await?;
        let (mut corrected, mut user) = (0, NanoUsd::ZERO);
        for row in &rows {
            let id: String = row.get("request_id");
            let Some(counted) = lines.iter().find(|line| line.request_id.as_deref() == Some(&id)).and_then(|line| line.usage.as_ref())
            else {
                continue;
            };
            let call = CallId { run: row.get("run"), seq: row.get("seq"), repeat: row.get("repeat") };
            let usage = Usage { input: counted.prompt_tokens, output: counted.completion_tokens, ..Usage::default() };
            match self.adjust(&call, &usage).await {
                Ok(adjusted) => {
                    corrected += 1;
                    user += adjusted.user;
                }
                Err(StoreError::NotAdjustable { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok((corrected, user))
    }

    /// Compares a provider's own record with the ledger: served means exactly one settled or lost attempt, refused a voided one.
    pub async fn compare_with_provider(&self, lines: &[ProviderLine]) -> Result<ProviderComparison> {
        let rows = query("select request_id, outcome, usage, usage_source from attempt join hold using (run, seq, repeat)")
            .all(&mut self.read().await?)
            .await?;
        let mut attempts: BTreeMap<String, (String, Option<String>, Option<String>)> =
            rows.iter().map(|row| (row.get("request_id"), (row.get("outcome"), row.get("usage"), row.get("usage_source")))).collect();
        let mut result = ProviderComparison::default();
        for line in lines {
            let Some(served) = line.served else { continue };
            let id = line.request_id.clone().unwrap_or_default();
            let Some((outcome, usage, source)) = attempts.remove(&id) else {
                result.violations.push(format!("request `{id}` is in the provider's log and not in the ledger (or twice in the log)"));
                continue;
            };
            match (served, outcome.as_str()) {
                (true, "settled" | "lost") => result.served += 1,
                (false, "voided") => result.refused += 1,
                (served, outcome) => result.violations.push(format!("request `{id}`: served {served}, in the ledger {outcome}")),
            }
            if let (Some(theirs), Some(ours), Some("provider")) = (&line.usage, usage, source.as_deref()) {
                let ours: Usage = super::from_json("usage", &ours)?;
                let (theirs, ours) = (
                    theirs.prompt_tokens + theirs.completion_tokens,
                    ours.input + ours.cached_input + ours.cache_write + ours.output + ours.reasoning,
                );
                result.provider_tokens += theirs;
                result.ledger_tokens += ours;
                if theirs != ours {
                    result.violations.push(format!("request `{id}`: the provider counted {theirs} tokens, the ledger {ours}"));
                }
            }
        }
        for (id, (outcome, ..)) in attempts.iter().filter(|(_, (outcome, ..))| outcome == "settled") {
            result.violations.push(format!("request `{id}` is {outcome} in the ledger and not in the provider's log"));
        }
        Ok(result)
    }
}
