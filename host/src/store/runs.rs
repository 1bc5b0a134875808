//! Runs and the journal of their host calls. A run is one step of one project, stable across replays; the journal holds what
//! the host answered, so that a host that starts again can lead a fresh instance to the same point.

use super::steps::Lease;
use super::{Result, Store, Tx, now_ms, query, transaction};
use crate::ledger::NanoUsd;

/// One host call of one run, answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalRow {
    /// The run.
    pub run: String,
    /// The call's number, from 0.
    pub seq: u32,
    /// Such as `llm.complete`.
    pub call: String,
    /// SHA-256 of the arguments.
    pub fingerprint: String,
    /// The answer, where it can't be computed again.
    pub response: Option<String>,
    /// SHA-256 of the answer.
    pub response_sha256: String,
}

impl JournalRow {
    /// A call whose answer is kept.
    pub fn kept(run: String, seq: u32, call: &str, fingerprint: String, response: String) -> JournalRow {
        let response_sha256 = crate::workspace::sha256(response.as_bytes());
        JournalRow { run, seq, call: call.to_owned(), fingerprint, response: Some(response), response_sha256 }
    }

    /// A call that a replay makes again; only its answer's hash is kept, to notice a divergence.
    pub fn recomputed(run: String, seq: u32, call: &str, fingerprint: String, response_sha256: String) -> JournalRow {
        JournalRow { run, seq, call: call.to_owned(), fingerprint, response: None, response_sha256 }
    }
}

/// A run that is under way or was.
#[derive(Clone, Debug)]
pub struct Run {
    /// `PROJECT.NUMBER`.
    pub id: String,
    /// The tree it started from.
    pub base_tree: String,
    /// What else it was given, as whoever began it wrote it down.
    pub inputs: String,
    /// The plugin version that it began with.
    pub plugin_sha256: String,
    /// How often an instance was started for it.
    pub incarnations: u32,
}

/// What a new run needs.
#[derive(Clone, Debug)]
pub struct NewRun<'a> {
    /// Its project.
    pub project: &'a str,
    /// The step's name, unique within the project.
    pub step: &'a str,
    /// The task it works on.
    pub task: Option<&'a str>,
    /// The task's try.
    pub attempt: u32,
    /// The plugin's name.
    pub plugin: &'a str,
    /// The plugin's digest.
    pub plugin_sha256: &'a str,
    /// The tree it starts from.
    pub base_tree: &'a str,
    /// What its task may spend.
    pub task_limit: NanoUsd,
    /// What it may spend itself.
    pub run_limit: NanoUsd,
    /// The right to work on the step, where workers share the work.
    pub lease: Option<&'a Lease>,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct RunEnd {
    /// Which.
    pub run: String,
    /// `done`, `failed` or `diverged`.
    pub outcome: &'static str,
    /// Why, for people.
    pub detail: String,
    /// Instructions, roughly.
    pub fuel: u64,
    /// All its memories together, at their largest.
    pub memory_peak_bytes: u64,
    /// How many host calls it made.
    pub host_calls: u32,
    /// Give back what it was charged.
    pub refund: bool,
    /// Digest of what it returned; empty where it returned nothing.
    pub result_sha256: String,
}

/// A run that ended, with what a replay needs.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// `PROJECT.NUMBER`.
    pub id: String,
    /// The step.
    pub step: String,
    /// The plugin.
    pub plugin: String,
    /// Its digest.
    pub plugin_sha256: String,
    /// The tree it started from.
    pub base_tree: String,
    /// What else it was given.
    pub inputs: String,
    /// Digest of what it returned.
    pub result_sha256: String,
    /// Whether its journal was let go.
    pub is_forgotten: bool,
}

/// A run as the report shows it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct RunRecord {
    /// `PROJECT.NUMBER`.
    pub id: String,
    /// The step.
    pub step: String,
    /// The plugin.
    pub plugin: String,
    /// Its digest.
    pub plugin_sha256: String,
    /// How it ended.
    pub outcome: String,
    /// Why.
    pub detail: String,
    /// Instances started for it.
    pub incarnations: u32,
    /// Instructions, roughly.
    pub fuel: i64,
    /// Largest memory.
    pub memory_peak_bytes: i64,
    /// How long its step had waited for a worker, in milliseconds.
    pub waited_ms: i64,
}

impl Store {
    /// The open run of this step with its journal, one more incarnation counted. A run stays with the plugin version that it began with;
    /// where that is not kept any more, the run is closed, since its journal can't lead another version to the same point.
    ///
    /// Calls that an earlier worker left open end here: nobody will see their answers.
    pub async fn resume_run(&self, lease: &Lease, keeps: impl Fn(&str) -> bool) -> Result<Option<(Run, Vec<JournalRow>)>> {
        let Some(run) = transaction!(self, |tx| resume(&mut tx, self.policy.refund_limit, lease, &keeps))? else {
            return Ok(None);
        };
        let journal = self.journal(&run.id).await?;
        Ok(Some((run, journal)))
    }

    /// The plugin and its version with which the open run of a step began, if there is one.
    pub async fn version_of_open_run(&self, lease: &Lease) -> Result<Option<(String, String)>> {
        let row = query("select plugin, plugin_sha256 from run where project = $1 and step = $2 and outcome = 'open'")
            .bind(&lease.project)
            .bind(&lease.step)
            .optional(&mut self.read().await?)
            .await?;
        Ok(row.map(|row| (row.get("plugin"), row.get("plugin_sha256"))))
    }

    /// What the host answered to a run so far.
    pub async fn journal(&self, run: &str) -> Result<Vec<JournalRow>> {
        let rows = query("select * from journal where run = $1 order by seq").bind(run).all(&mut self.read().await?).await?;
        Ok(rows
            .iter()
            .map(|row| JournalRow {
                run: run.to_owned(),
                seq: row.get("seq"),
                call: row.get("call"),
                fingerprint: row.get("fingerprint"),
                response: row.get("response"),
                response_sha256: row.get("response_sha256"),
            })
            .collect())
    }

    /// Lets the journals go of so many runs whose projects came to their end before this time; says how many it found. What was paid is in
    /// the ledger, what was made in the project's files; only a replay needs a journal.
    pub async fn forget_journals(&self, before_ms: i64, most: u32) -> Result<u32> {
        transaction!(self, |tx| async {
            let runs: Vec<String> = query(
                "select id from run where exists (select 1 from journal where journal.run = run.id)
                 and project in (select id from project where phase in ('delivered', 'failed', 'cancelled') and updated_ms < $1) limit $2",
            )
            .bind(before_ms)
            .bind(most)
            .scalars(&mut tx)
            .await?;
            for run in &runs {
                query("delete from journal where run = $1").bind(run).later(&mut tx);
            }
            Ok(u32::try_from(runs.len()).unwrap_or(u32::MAX))
        })
    }

    /// The runs of a project that ended and returned something, in their order.
    pub async fn recorded_runs(&self, project: &str) -> Result<Vec<Recorded>> {
        let sql = "select *, cast(case when host_calls > 0 and not exists (select 1 from journal where journal.run = run.id)
                                       then 1 else 0 end as bigint) as is_forgotten
                   from run where project = $1 and outcome in ('done', 'failed') and result_sha256 <> '' order by number";
        let rows = query(sql).bind(project).all(&mut self.read().await?).await?;
        Ok(rows
            .iter()
            .map(|row| Recorded {
                id: row.get("id"),
                step: row.get("step"),
                plugin: row.get("plugin"),
                plugin_sha256: row.get("plugin_sha256"),
                base_tree: row.get("base_tree"),
                inputs: row.get("inputs"),
                result_sha256: row.get("result_sha256"),
                is_forgotten: row.get("is_forgotten"),
            })
            .collect())
    }

    /// A new run of a step that has none open.
    pub async fn begin_run(&self, new: &NewRun<'_>, inputs: &str) -> Result<Run> {
        transaction!(self, |tx| insert(&mut tx, new, inputs))
    }

    /// Ends a run without changing its project. Whoever does so for a step that somebody else has is refused.
    pub async fn end_run(&self, lease: Option<&Lease>, end: &RunEnd) -> Result<()> {
        transaction!(self, |tx| async {
            super::steps::check(&mut tx, lease).await?;
            self::end(&mut tx, self.policy.refund_limit, end).await
        })
    }

    /// How many runs of this step diverged from their journal.
    pub async fn diverged_runs(&self, project: &str, step: &str) -> Result<u32> {
        query("select count(*) from run where project = $1 and step = $2 and outcome = 'diverged'")
            .bind(project)
            .bind(step)
            .scalar(&mut self.read().await?)
            .await
    }

    /// All runs of a project, oldest first.
    pub async fn runs(&self, project: &str) -> Result<Vec<RunRecord>> {
        let rows = query("select * from run where project = $1 order by number").bind(project).all(&mut self.read().await?).await?;
        Ok(rows
            .iter()
            .map(|row| RunRecord {
                id: row.get("id"),
                step: row.get("step"),
                plugin: row.get("plugin"),
                plugin_sha256: row.get("plugin_sha256"),
                outcome: row.get("outcome"),
                detail: row.get("detail"),
                incarnations: row.get("incarnations"),
                fuel: row.get("fuel"),
                memory_peak_bytes: row.get("memory_peak_bytes"),
                waited_ms: row.get("waited_ms"),
            })
            .collect())
    }
}

async fn resume(tx: &mut Tx, refund_limit: NanoUsd, lease: &Lease, keeps: &impl Fn(&str) -> bool) -> Result<Option<Run>> {
    super::steps::check(tx, Some(lease)).await?;
    let open =
        query("select id, base_tree, inputs, incarnations, plugin_sha256 from run where project = $1 and step = $2 and outcome = 'open'")
            .bind(&lease.project)
            .bind(&lease.step)
            .optional(tx)
            .await?;
    let Some(row) = open else { return Ok(None) };
    let run = Run {
        id: row.get("id"),
        base_tree: row.get("base_tree"),
        inputs: row.get("inputs"),
        plugin_sha256: row.get("plugin_sha256"),
        incarnations: row.get::<u32>("incarnations") + 1,
    };
    super::ledger::recover_run(tx, &run.id).await?;
    if !keeps(&run.plugin_sha256) {
        query("update run set outcome = 'failed', detail = 'its plugin version is not kept any more', ended_ms = $1 where id = $2")
            .bind(now_ms())
            .bind(&run.id)
            .later(tx);
        super::ledger::refund_run(tx, refund_limit, &run.id).await?;
        return Ok(None);
    }
    query("update run set incarnations = $1 where id = $2").bind(run.incarnations).bind(&run.id).later(tx);
    Ok(Some(run))
}

async fn insert(tx: &mut Tx, new: &NewRun<'_>, inputs: &str) -> Result<Run> {
    if tx.is_shared() {
        query("select id from project where id = $1 for no key update").bind(new.project).later(tx);
    }
    super::steps::check(tx, new.lease).await?;
    let number: i64 = query("select coalesce(max(number), 0) + 1 from run where project = $1").bind(new.project).scalar(tx).await?;
    let id = format!("{}.{number}", new.project);
    query(
        "insert into run (id, project, number, step, task, attempt, plugin, plugin_sha256, base_tree, inputs, outcome, incarnations,
                          created_ms, waited_ms)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'open', 1, $11, $12)",
    )
    .bind(&id)
    .bind(new.project)
    .bind(number)
    .bind(new.step)
    .bind(new.task)
    .bind(new.attempt)
    .bind(new.plugin)
    .bind(new.plugin_sha256)
    .bind(new.base_tree)
    .bind(inputs)
    .bind(now_ms())
    .bind(new.lease.map_or(0, |lease| lease.waited_ms))
    .later(tx);
    let project = super::ledger::project_budget(new.project);
    let parent = match new.task {
        Some(task) => {
            let budget = super::ledger::task_budget(new.project, task);
            super::ledger::open_budget(tx, &budget, "task", Some(&project), new.task_limit).await?;
            budget
        }
        None => project,
    };
    super::ledger::open_budget(tx, &super::ledger::run_budget(&id), "run", Some(&parent), new.run_limit).await?;
    Ok(Run {
        id,
        base_tree: new.base_tree.to_owned(),
        inputs: inputs.to_owned(),
        plugin_sha256: new.plugin_sha256.to_owned(),
        incarnations: 1,
    })
}

/// Writes host calls of a run. A row that is there already is an error: a journal is never rewritten.
pub(super) fn flush(tx: &mut Tx, rows: &[JournalRow]) {
    for row in rows {
        query("insert into journal (run, seq, call, fingerprint, response, response_sha256) values ($1, $2, $3, $4, $5, $6)")
            .bind(&row.run)
            .bind(row.seq)
            .bind(&row.call)
            .bind(&row.fingerprint)
            .bind(&row.response)
            .bind(&row.response_sha256)
            .later(tx);
    }
}

/// Ends the open runs of steps that nobody will take again.
pub(super) fn end_steps(tx: &mut Tx, project: &str, steps: &[String]) {
    for step in steps {
        query("update question set answer = 'null' where answer is null and run in (select id from run where project = $1 and step = $2)")
            .bind(project)
            .bind(step)
            .later(tx);
        query(
            "update run set outcome = 'failed', detail = 'it was begun anew meanwhile', ended_ms = $1
             where project = $2 and step = $3 and outcome = 'open'",
        )
        .bind(now_ms())
        .bind(project)
        .bind(step)
        .later(tx);
    }
}

pub(super) async fn end(tx: &mut Tx, refund_limit: NanoUsd, end: &RunEnd) -> Result<()> {
    query("update run set outcome = $1, detail = $2, fuel = $3, memory_peak_bytes = $4, host_calls = $5, ended_ms = $6, result_sha256 = $7 where id = $8 and outcome = 'open'")
        .bind(end.outcome)
        .bind(&end.detail)
        .bind(end.fuel)
        .bind(end.memory_peak_bytes)
        .bind(end.host_calls)
        .bind(now_ms())
        .bind(&end.result_sha256)
        .bind(&end.run)
        .execute(tx)
        .await?;
    if end.refund {
        super::ledger::refund_run(tx, refund_limit, &end.run).await?;
    }
    Ok(())
}
