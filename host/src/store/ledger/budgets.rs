//! Budgets: project, task and run, each a row within the next. What a call holds and is charged counts in all of them.

use crate::ledger::{NanoUsd, Scope};
use crate::project::Remaining;
use crate::store::{Result, Store, StoreError};
use sqlx::{Row, SqliteConnection};

/// A budget has at most three levels: project, task, run.
const BUDGET_DEPTH_MAX: usize = 4;

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

impl Store {
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
}

/// A budget and those around it, innermost first.
pub(super) async fn chain(tx: &mut SqliteConnection, leaf: &str) -> Result<Vec<(Scope, String, Budget)>> {
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

pub(in crate::store) async fn open_budget(
    tx: &mut SqliteConnection,
    id: &str,
    scope: &str,
    parent: Option<&str>,
    limit: NanoUsd,
) -> Result<()> {
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
pub(in crate::store) async fn set_ceiling(tx: &mut SqliteConnection, project: &str, ceiling: NanoUsd) -> Result<()> {
    let id = project_budget(project);
    let now = budget(&mut *tx, &id).await?;
    if ceiling < now.spent + now.held {
        return Err(StoreError::CeilingBelowSpent { spent: now.spent + now.held });
    }
    sqlx::query("update budget set limit_nano = ? where id = ?").bind(ceiling.0).bind(&id).execute(tx).await?;
    Ok(())
}

pub(super) async fn add_held(tx: &mut SqliteConnection, wallet: &str, chain: &[(Scope, String, Budget)], amount: NanoUsd) -> Result<()> {
    sqlx::query("update wallet set held = held + ? where id = ?").bind(amount.0).bind(wallet).execute(&mut *tx).await?;
    for (_, id, _) in chain {
        sqlx::query("update budget set held = held + ? where id = ?").bind(amount.0).bind(id).execute(&mut *tx).await?;
    }
    Ok(())
}

pub(super) async fn release_held(
    tx: &mut SqliteConnection,
    wallet: &str,
    chain: &[(Scope, String, Budget)],
    amount: NanoUsd,
) -> Result<()> {
    add_held(tx, wallet, chain, NanoUsd(-amount.0)).await
}
