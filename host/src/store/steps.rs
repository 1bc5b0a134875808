//! Steps as rows that workers take for a while. What can be done of a project is written down with every change of it
//! ([`write`], part of the commit), so a worker finds work without looking at projects, and any number of workers share it.
//!
//! A lease is of the database's clock, so the clocks of workers do not matter. A taking is named by its worker and a number, which
//! counts that worker's takings; every write for a step names them, and one that names others is refused: a worker that slept through its lease can't undo what its
//! successor did. Rows of a process that died are free as soon as somebody noticed (see [`presence`](super::presence)).
//!
//! Turns are fair between users: a user's steps are numbered on from the step that is being served, so who has one step waits
//! for one step of each other user, however many those have (start-time fair queueing).

use super::sql::Query;
use super::{Result, Store, StoreError, Tx, from_json, query, query_made, transaction};
use crate::project::State;

/// Until when a step waits that met a fault of the host, at first and at most. It doubles.
const BACKOFF_MS: (i64, i64) = (1_000, 60_000);

/// The right to work on one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Of this project.
    pub project: String,
    /// The step's name.
    pub step: String,
    /// Who has it.
    pub boot: String,
    /// Which taking of that process it is.
    pub number: i64,
    /// How long the step had waited.
    pub waited_ms: i64,
    /// How often it met a fault of the host.
    pub faults: u32,
}

/// What a worker is told of a step that it has.
#[derive(Clone, Debug)]
pub struct Held {
    /// The project.
    pub project: String,
    /// The step.
    pub step: String,
    /// Which taking.
    pub number: i64,
    /// The project is to end.
    pub cancel: bool,
    /// The project is to wait.
    pub pause: bool,
}

/// Whose a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Still the lease's.
    Held,
    /// Another worker's, or free for one.
    Taken,
    /// Nobody's: the project has no use for it as it is now.
    Gone,
}

/// Everything that waits or is under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Queue {
    /// Steps that wait for a worker.
    pub waiting: u64,
    /// How long the one has waited that has waited longest, in milliseconds.
    pub oldest_ms: i64,
    /// Steps under way.
    pub under_way: u64,
}

/// A process that takes steps of any project.
#[derive(Clone, Debug, serde::Serialize)]
pub struct WorkerRow {
    /// Its id.
    pub boot: String,
    /// How many steps it takes at one time.
    pub slots: u32,
    /// How many it has.
    pub busy: u32,
    /// Its version.
    pub version: String,
    /// How long ago it gave a sign of life, in milliseconds.
    pub seen_ms_ago: i64,
}

impl Store {
    /// Takes up to so many steps, those whose turn it is first; of one project alone where one is named.
    pub async fn claim(&self, boot: &str, only: Option<&str>, most: usize) -> Result<Vec<Lease>> {
        let number = self.claims.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let most = u32::try_from(most).unwrap_or(u32::MAX);
        transaction!(self, |tx| claim(&mut tx, self.policy.lease_ms, boot, number, only, most))
    }

    /// A sign of life for these steps, as far as they are still held.
    pub async fn renew(&self, leases: &[&Lease]) -> Result<()> {
        transaction!(self, |tx| async {
            let now = tx.clock();
            for lease in leases {
                let sql =
                    format!("update step set lease_until_ms = {now} + $1 where project = $2 and name = $3 and owner = $4 and fence = $5");
                query_made(sql)
                    .bind(self.policy.lease_ms)
                    .bind(&lease.project)
                    .bind(&lease.step)
                    .bind(&lease.boot)
                    .bind(lease.number)
                    .later(&mut tx);
            }
            Ok(())
        })
    }

    /// What this process has, with what is wanted of each project.
    pub async fn held(&self, boot: &str) -> Result<Vec<Held>> {
        let rows = query(
            "select step.project, step.name, step.fence, cancel_requested, pause_requested
             from step join project on project.id = step.project where owner = $1",
        )
        .bind(boot)
        .all(&mut self.read().await?)
        .await?;
        Ok(rows
            .iter()
            .map(|row| Held {
                project: row.get("project"),
                step: row.get("name"),
                number: row.get("fence"),
                cancel: row.get("cancel_requested"),
                pause: row.get("pause_requested"),
            })
            .collect())
    }

    /// Whose the step of this lease is by now.
    pub async fn standing(&self, lease: &Lease) -> Result<Standing> {
        let row = query("select owner, fence from step where project = $1 and name = $2")
            .bind(&lease.project)
            .bind(&lease.step)
            .optional(&mut self.read().await?)
            .await?;
        Ok(match row {
            None => Standing::Gone,
            Some(row) => match (row.get::<Option<String>>("owner"), row.get::<i64>("fence")) {
                (Some(owner), number) if owner == lease.boot && number == lease.number => Standing::Held,
                _ => Standing::Taken,
            },
        })
    }

    /// Gives a step back undone: to whoever takes it next, after a while where it met a fault.
    pub async fn hand_back(&self, lease: &Lease, fault: bool) -> Result<()> {
        transaction!(self, |tx| hand_back(&mut tx, lease, fault))?;
        self.wake();
        Ok(())
    }

    /// Writes down what can be done of a project, where a version that did not do so changed it last.
    pub async fn write_steps(&self, project: &str) -> Result<()> {
        let wrote = transaction!(self, |tx| rewrite(&mut tx, self.policy.parallel_tasks, project))?;
        if wrote {
            self.wake();
        }
        Ok(())
    }

    /// The same for all projects where that is so.
    pub async fn write_missing_steps(&self) -> Result<()> {
        let projects: Vec<String> = query("select id from project where has_steps = 0").scalars(&mut self.read().await?).await?;
        for project in projects {
            self.write_steps(&project).await?;
        }
        Ok(())
    }

    /// Whether a living worker has a step of this project.
    pub async fn is_under_way(&self, project: &str) -> Result<bool> {
        let mut read = self.read().await?;
        let sql = format!("select count(*) from step where project = $1 and owner is not null and lease_until_ms >= {}", read.clock());
        Ok(query_made(sql).bind(project).scalar::<i64>(&mut read).await? > 0)
    }

    /// Everything that waits or is under way.
    pub async fn queue(&self) -> Result<Queue> {
        let mut read = self.read().await?;
        let now = read.clock();
        let sql = format!(
            "select coalesce(sum(case when lease_until_ms < {now} then 1 else 0 end), 0) as waiting,
                    coalesce(sum(case when lease_until_ms < {now} then 0 else 1 end), 0) as under_way,
                    coalesce(max(case when lease_until_ms < {now} then {now} - ready_ms end), 0) as oldest from step"
        );
        let row = query_made(sql).one(&mut read).await?;
        Ok(Queue { waiting: row.get("waiting"), under_way: row.get("under_way"), oldest_ms: row.get("oldest") })
    }

    /// Says that this process takes steps of any project, and that it lives.
    pub async fn show_worker(&self, boot: &str, slots: usize) -> Result<()> {
        transaction!(self, |tx| async {
            let sql = format!(
                "insert into worker (boot, slots, version, seen_ms) values ($1, $2, $3, {now})
                 on conflict (boot) do update set seen_ms = {now}",
                now = tx.clock()
            );
            query_made(sql).bind(boot).bind(u32::try_from(slots).unwrap_or(u32::MAX)).bind(env!("CARGO_PKG_VERSION")).later(&mut tx);
            Ok(())
        })
    }

    /// Says that it does not any more, and gives back what it still has.
    pub async fn end_worker(&self, boot: &str) -> Result<()> {
        transaction!(self, |tx| async {
            free_steps(&mut tx, boot);
            Ok(())
        })?;
        self.wake();
        Ok(())
    }

    /// The processes that take steps of any project.
    pub async fn workers(&self) -> Result<Vec<WorkerRow>> {
        let mut read = self.read().await?;
        let sql = format!(
            "select boot, slots, version, {now} - seen_ms as ago,
                    (select count(*) from step where owner = boot) as busy from worker order by boot",
            now = read.clock()
        );
        let rows = query_made(sql).all(&mut read).await?;
        Ok(rows
            .iter()
            .map(|row| WorkerRow {
                boot: row.get("boot"),
                slots: row.get("slots"),
                busy: row.get("busy"),
                version: row.get("version"),
                seen_ms_ago: row.get("ago"),
            })
            .collect())
    }
}

async fn claim(tx: &mut Tx, lease_ms: i64, boot: &str, number: i64, only: Option<&str>, most: u32) -> Result<Vec<Lease>> {
    let (now, skip) = (tx.clock(), if tx.is_shared() { "for update skip locked" } else { "" });
    let sql = format!(
        "with picked as materialized (
             select project, name from step
             where lease_until_ms < {now} and not_before_ms <= {now} and ($1 is null or project = $1)
             order by turn, ready_ms, project, name limit $2 {skip})
         update step set owner = $3, fence = $4, lease_until_ms = {now} + $5
         where (project, name) in (select project, name from picked)
         returning project, name, {now} - ready_ms as waited, faults"
    );
    let rows = query_made(sql).bind(only).bind(most).bind(boot).bind(number).bind(lease_ms).all(tx).await?;
    Ok(rows
        .iter()
        .map(|row| Lease {
            project: row.get("project"),
            step: row.get("name"),
            boot: boot.to_owned(),
            number,
            waited_ms: row.get("waited"),
            faults: row.get("faults"),
        })
        .collect())
}

/// Selects the step's row if the lease still holds, and keeps it from being taken until the transaction ends.
pub(super) fn still_held(tx: &Tx, lease: &Lease) -> Query {
    tx.lock(
        "select 1 from step where project = $1 and name = $2 and owner = $3 and fence = $4",
        "select 1 from step where project = $1 and name = $2 and owner = $3 and fence = $4 for share",
    )
    .bind(&lease.project)
    .bind(&lease.step)
    .bind(&lease.boot)
    .bind(lease.number)
}

/// Refuses what a worker does whose step somebody else has by now.
pub(super) async fn check(tx: &mut Tx, lease: Option<&Lease>) -> Result<()> {
    match lease {
        Some(lease) if still_held(tx, lease).optional(tx).await?.is_none() => Err(lost(lease)),
        _ => Ok(()),
    }
}

pub(super) fn lost(lease: &Lease) -> StoreError {
    StoreError::LeaseLost(format!("{} of {}", lease.step, lease.project))
}

/// Ends the step of this lease.
pub(super) async fn finish(tx: &mut Tx, lease: &Lease) -> Result<()> {
    let ended = query("delete from step where project = $1 and name = $2 and owner = $3 and fence = $4")
        .bind(&lease.project)
        .bind(&lease.step)
        .bind(&lease.boot)
        .bind(lease.number)
        .execute(tx)
        .await?;
    if ended == 1 { Ok(()) } else { Err(lost(lease)) }
}

/// Makes the rows of a project what its state says: what nobody wants any more goes, what can be done is there, up to so many at one
/// time. A step that is under way stays as long as its result still counts.
pub(super) async fn write(tx: &mut Tx, parallel: usize, project: &str, wallet: &str, state: &State) -> Result<bool> {
    let (wanted, counting) = (state.steps(), state.counting_steps());
    let rows = query("select name, owner from step where project = $1").bind(project).all(tx).await?;
    let mut there = Vec::new();
    for row in &rows {
        let (name, owner) = (row.get::<String>("name"), row.get::<Option<String>>("owner"));
        if counting.contains(&name) && (owner.is_some() || wanted.contains(&name)) {
            there.push(name);
        } else {
            query("delete from step where project = $1 and name = $2").bind(project).bind(name).later(tx);
        }
    }
    let room = parallel.max(1).saturating_sub(there.len());
    let new: Vec<&String> = wanted.iter().filter(|name| !there.contains(name)).take(room).collect();
    for name in &new {
        insert(tx, project, name, wallet);
    }
    if !new.is_empty() && tx.is_shared() {
        query("select pg_notify($1, '')").bind(CHANNEL).later(tx);
    }
    Ok(!new.is_empty())
}

/// What workers of other processes listen to.
pub(super) const CHANNEL: &str = "atelier_steps";

/// A user's step comes after the user's others, and not before the one that is being served.
fn insert(tx: &mut Tx, project: &str, name: &str, wallet: &str) {
    let sql = format!(
        "insert into step (project, name, wallet, ready_ms, turn)
         values ($1, $2, $3, {now}, greatest_of(
             coalesce((select max(turn) + 1 from step where wallet = $3), 0),
             coalesce((select max(turn) from step where owner is not null), (select min(turn) from step), 0)))",
        now = tx.clock()
    );
    let greatest = if tx.is_shared() { "greatest" } else { "max" };
    query_made(sql.replace("greatest_of", greatest)).bind(project).bind(name).bind(wallet).later(tx);
}

async fn hand_back(tx: &mut Tx, lease: &Lease, fault: bool) -> Result<()> {
    let row = tx
        .lock("select state, wallet from project where id = $1", "select state, wallet from project where id = $1 for no key update")
        .bind(&lease.project)
        .one(tx)
        .await?;
    let state: State = from_json("project", &row.get::<String>("state"))?;
    if !state.steps().contains(&lease.step) {
        // Nobody wants it as things are; whoever changes that writes it down again.
        return match finish(tx, lease).await {
            Err(StoreError::LeaseLost(_)) => Ok(()),
            other => other,
        };
    }
    let wait = if fault { (BACKOFF_MS.0 << lease.faults.min(10)).min(BACKOFF_MS.1) } else { 0 };
    let sql = format!(
        "update step set owner = null, lease_until_ms = 0, ready_ms = {now} + $1, not_before_ms = {now} + $1, faults = faults + $2
         where project = $3 and name = $4 and owner = $5 and fence = $6",
        now = tx.clock()
    );
    query_made(sql).bind(wait).bind(i64::from(fault)).bind(&lease.project).bind(&lease.step).bind(&lease.boot).bind(lease.number).later(tx);
    Ok(())
}

async fn rewrite(tx: &mut Tx, parallel: usize, project: &str) -> Result<bool> {
    let row = tx
        .lock("select state, wallet from project where id = $1", "select state, wallet from project where id = $1 for no key update")
        .bind(project)
        .one(tx)
        .await?;
    query("update project set has_steps = 1 where id = $1").bind(project).later(tx);
    write(tx, parallel, project, &row.get::<String>("wallet"), &from_json("project", &row.get::<String>("state"))?).await
}

/// What a process had that has ended is anybody's.
pub(super) fn free_steps(tx: &mut Tx, boot: &str) {
    let sql = format!("update step set owner = null, lease_until_ms = 0, ready_ms = {} where owner = $1", tx.clock());
    query_made(sql).bind(boot).later(tx);
    query("delete from worker where boot = $1").bind(boot).later(tx);
}
