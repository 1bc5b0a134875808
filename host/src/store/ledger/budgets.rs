//! Budgets: each a row within the next. Run, task and project say what the user accepted for this work; day and month, where the
//! operator set them, what a user may spend at all. What a call holds and is charged counts in all of them.

use crate::ledger::{CallId, NanoUsd, Scope, UserLimits};
use crate::project::Remaining;
use crate::store::sql::{Query, Row};
use crate::store::{Policy, Result, Store, StoreError, Tx, query, transaction};
use std::time::{Duration, UNIX_EPOCH};

/// The budget of a project.
pub(in crate::store) fn project_budget(project: &str) -> String {
    format!("project:{project}")
}

/// The budget of a task.
pub(in crate::store) fn task_budget(project: &str, task: &str) -> String {
    format!("task:{project}/{task}")
}

/// The budget of a run.
pub fn run_budget(run: &str) -> String {
    format!("run:{run}")
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

/// One budget of the chain around a call.
pub(super) struct Link {
    pub id: String,
    pub scope: Scope,
    pub budget: Budget,
    /// Calls that may still begin.
    pub calls_left: i64,
    /// What may be spent before the user is asked once more.
    pub pause: NanoUsd,
}

/// The budgets around a call, innermost first.
pub(super) struct Chain(pub Vec<Link>);

/// A chain has at most run, task, project, day and month.
const CHAIN_MAX: usize = 5;

impl Chain {
    /// The tightest limit, the wallet included.
    pub(super) fn tightest(&self, wallet_left: NanoUsd) -> (Scope, NanoUsd) {
        let links = self.0.iter().map(|link| (link.scope, link.budget.left()));
        links.chain([(Scope::User, wallet_left)]).min_by_key(|(_, left)| *left).unwrap_or((Scope::User, NanoUsd::ZERO))
    }

    /// What would be left if nobody held anything.
    pub(super) fn unspent(&self, balance: NanoUsd) -> NanoUsd {
        self.0.iter().map(|link| link.budget.limit - link.budget.spent).fold(balance, NanoUsd::min)
    }

    /// Moves all of them at once: what is held, spent and begun.
    pub(super) fn add(&self, tx: &mut Tx, held: NanoUsd, spent: NanoUsd, calls: i64) {
        let mut statement =
            query("update budget set held = held + $1, spent = spent + $2, calls = calls + $3 where id in ($4, $5, $6, $7, $8)")
                .bind(held)
                .bind(spent)
                .bind(calls);
        for place in 0..CHAIN_MAX {
            statement = statement.bind(self.0.get(place).map(|link| link.id.as_str()));
        }
        statement.later(tx);
    }

    /// What [`around`] and [`around_call`] found.
    pub(super) fn read(rows: &[Row]) -> Chain {
        let links = rows.iter().take(CHAIN_MAX).map(|row| Link {
            id: row.get("id"),
            scope: match row.get::<String>("scope").as_str() {
                "run" => Scope::Run,
                "task" => Scope::Task,
                "project" => Scope::Project,
                "day" => Scope::Day,
                _ => Scope::Month,
            },
            budget: read_budget(row),
            calls_left: row.get("calls_left"),
            pause: row.get("pause_nano"),
        });
        Chain(links.collect())
    }
}

impl Store {
    /// The budget of a project.
    pub async fn project_budget(&self, project: &str) -> Result<Budget> {
        let row = query("select limit_nano, spent, held from budget where id = $1")
            .bind(project_budget(project))
            .one(&mut self.read().await?)
            .await?;
        Ok(read_budget(&row))
    }

    /// Binds a project's budget to another limit, at least what was spent and is held.
    pub async fn set_project_limit(&self, project: &str, limit: NanoUsd) -> Result<()> {
        transaction!(self, |tx| set_ceiling(&mut tx, self.policy, project, limit))
    }

    /// The user wants the last part of the ceiling to be spent as well.
    pub async fn spend_to_the_ceiling(&self, project: &str) -> Result<()> {
        transaction!(self, |tx| async {
            let id = project_budget(project);
            query("update budget set pause_nano = $1 where id = $2").bind(i64::MAX).bind(id).execute(&mut tx).await?;
            Ok(())
        })
    }

    /// What a run may still spend at each level. A wallet with less is the real limit, at every level.
    pub async fn remaining(&self, run: &str, wallet: &str) -> Result<Remaining> {
        let balance = self.balance(wallet).await?;
        let wallet_left = balance.balance - balance.held;
        let mut left = Remaining { run: wallet_left, task: wallet_left, project: wallet_left };
        for link in Chain::read(&around(&run_budget(run), None).all(&mut self.read().await?).await?).0 {
            match link.scope {
                Scope::Run => left.run = left.run.min(link.budget.left()),
                Scope::Task => left.task = left.task.min(link.budget.left()),
                Scope::Project => left.project = left.project.min(link.budget.left()),
                Scope::User | Scope::Day | Scope::Month => {}
            }
        }
        left.task = left.task.min(left.project);
        left.run = left.run.min(left.task);
        Ok(left)
    }
}

/// Selects budgets and those around them. A user's own are outermost.
macro_rules! select_around {
    ($leaf:literal, $allowance:literal) => {
        concat!(
            "with recursive around (id, depth) as (
                 select id, 0 from budget where id = ",
            $leaf,
            " union all select id, 10 from budget where id = ",
            $allowance,
            " union all select budget.parent, depth + 1 from around join budget on budget.id = around.id
                     where budget.parent is not null and depth < 14)
             select budget.id, scope, limit_nano, spent, held, calls_limit - calls as calls_left, pause_nano
             from around join budget on budget.id = around.id order by depth"
        )
    };
}

/// The budgets around the run's and, where users have limits, those of the day and the month.
pub(super) fn around(leaf: &str, allowance: Option<&str>) -> Query {
    query(select_around!("$1", "$2")).bind(leaf).bind(allowance)
}

/// The budgets around a call that is under way.
pub(super) fn around_call(call: &CallId) -> Query {
    query(select_around!(
        "(select budget from hold where run = $1 and seq = $2 and repeat = $3)",
        "(select allowance from hold where run = $1 and seq = $2 and repeat = $3)"
    ))
    .bind(&call.run)
    .bind(call.seq)
    .bind(call.repeat)
}

fn read_budget(row: &Row) -> Budget {
    Budget { limit: row.get("limit_nano"), spent: row.get("spent"), held: row.get("held") }
}

pub(in crate::store) async fn open_budget(tx: &mut Tx, id: &str, scope: &str, parent: Option<&str>, limit: NanoUsd) -> Result<()> {
    query("insert into budget (id, scope, parent, limit_nano) values ($1, $2, $3, $4) on conflict do nothing")
        .bind(id)
        .bind(scope)
        .bind(parent)
        .bind(limit)
        .execute(tx)
        .await?;
    Ok(())
}

/// Bounds how many calls may begin within a budget: a model that costs nothing is bounded as well.
pub(in crate::store) async fn limit_calls(tx: &mut Tx, id: &str, calls_max: i64) -> Result<()> {
    query("update budget set calls_limit = $1 where id = $2").bind(calls_max).bind(id).execute(tx).await?;
    Ok(())
}

/// The user's budget of this day within that of this month, as far as there are limits. Days and months are UTC's. A limit that the
/// operator changed binds from the next call on, but never below what was spent already.
///
/// Gives the name of the innermost one, and the statements that make or change them.
pub(super) fn open_allowance(wallet: &str, limits: UserLimits, at_ms: i64) -> (Option<String>, Vec<Query>) {
    let date = date(at_ms);
    let (mut parent, mut statements) = (None::<String>, Vec::new());
    for (scope, limit, period) in [("month", limits.month, &date[..7]), ("day", limits.day, &date[..])] {
        let Some(limit) = limit else { continue };
        let id = format!("{scope}:{wallet}:{period}");
        let statement = query(
            "insert into budget (id, scope, parent, limit_nano) values ($1, $2, $3, $4)
             on conflict (id) do update set
                 limit_nano = case when $4 > budget.spent + budget.held then $4 else budget.spent + budget.held end",
        );
        statements.push(statement.bind(&id).bind(scope).bind(parent.as_deref()).bind(limit));
        parent = Some(id);
    }
    (parent, statements)
}

/// `2026-11-25`.
fn date(at_ms: i64) -> String {
    let time = UNIX_EPOCH + Duration::from_millis(u64::try_from(at_ms).unwrap_or(0));
    humantime::format_rfc3339_seconds(time).to_string().chars().take(10).collect()
}

/// Binds a project's budget to the accepted ceiling. What was spent before counts.
pub(in crate::store) async fn set_ceiling(tx: &mut Tx, policy: Policy, project: &str, ceiling: NanoUsd) -> Result<()> {
    let id = project_budget(project);
    let row = tx
        .lock(
            "select limit_nano, spent, held from budget where id = $1",
            "select limit_nano, spent, held from budget where id = $1 for update",
        )
        .bind(&id)
        .one(tx)
        .await?;
    let now = read_budget(&row);
    if ceiling < now.spent + now.held {
        return Err(StoreError::CeilingBelowSpent { spent: now.spent + now.held });
    }
    let pause = if policy.pause_percent < 100 { ceiling.percent(i64::from(policy.pause_percent)) } else { NanoUsd(i64::MAX) };
    query("update budget set limit_nano = $1, pause_nano = $2 where id = $3").bind(ceiling).bind(pause).bind(&id).execute(tx).await?;
    Ok(())
}
