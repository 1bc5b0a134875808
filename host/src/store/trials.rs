//! What came of the work of plugin versions: the figures of a trial.

use super::{Result, Store, query};
use crate::ledger::NanoUsd;
use crate::plugins::trial::Record;
use std::collections::{BTreeMap, BTreeSet};

/// The newest runs that are looked at; more say nothing that these don't.
const RUNS_MAX: u32 = 5_000;

/// A run, as far as it matters here.
struct Row {
    project: String,
    phase: String,
    task: Option<String>,
    attempt: u32,
    plugin: String,
    sha256: String,
    charged: NanoUsd,
    is_accepted: bool,
}

impl Store {
    /// The record of each version that played this role since then, the newest first. `plugins` are those of the role.
    pub async fn records(&self, plugins: &[String], since_ms: i64) -> Result<Vec<Record>> {
        let sql = "select run.project, project.phase, run.task, run.attempt, run.plugin, run.plugin_sha256,
                          cast((select coalesce(sum(charged), 0) from hold where hold.run = run.id and hold.state = 'settled') as bigint) as charged,
                          cast(case when exists (select 1 from snapshot where snapshot.project = run.project and snapshot.accepted_ms >= run.created_ms
                                    and (snapshot.task = run.task or run.task like snapshot.task || ' (anew %')) then 1 else 0 end as bigint) as is_accepted
                   from run join project on project.id = run.project
                   where run.created_ms >= $1 and run.plugin = $2 order by run.created_ms desc, run.number desc limit $3";
        let mut rows = Vec::new();
        for plugin in plugins {
            let found = query(sql).bind(since_ms).bind(plugin).bind(RUNS_MAX).all(&mut self.read().await?).await?;
            rows.extend(found.iter().map(|row| Row {
                project: row.get("project"),
                phase: row.get("phase"),
                task: row.get("task"),
                attempt: row.get("attempt"),
                plugin: row.get("plugin"),
                sha256: row.get("plugin_sha256"),
                charged: row.get("charged"),
                is_accepted: row.get("is_accepted"),
            }));
        }
        Ok(counted(&rows))
    }
}

/// Counts tries of tasks, or whole projects where nobody works on tasks: an architect's runs of a task are of its project.
fn counted(rows: &[Row]) -> Vec<Record> {
    let is_architect = rows.iter().any(|row| row.task.is_none());
    let mut records: Vec<Record> = Vec::new();
    let mut projects: BTreeSet<(&str, &str, &str)> = BTreeSet::new();
    // The last run of each unit of work is first in the list; earlier ones of the same try were begun again for no fault of theirs.
    let mut units: BTreeMap<(&str, &str, u32), &Row> = BTreeMap::new();
    let mut last: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    for row in rows {
        let task = row.task.as_deref().filter(|_| !is_architect).unwrap_or_default();
        let attempt = if is_architect { 0 } else { row.attempt };
        units.entry((&row.project, task, attempt)).or_insert(row);
        let known = last.entry((&row.project, task)).or_default();
        *known = attempt.max(*known);
        let record = of(&mut records, row);
        record.charged += row.charged;
        if projects.insert((&row.project, &row.plugin, &row.sha256)) {
            record.projects += 1;
        }
    }
    for ((project, task, attempt), row) in units {
        let good = if is_architect { row.phase == "delivered" } else { row.is_accepted && last[&(project, task)] == attempt };
        let is_over = row.phase == "failed" || !is_architect && row.phase == "delivered";
        let bad = is_over || !is_architect && last[&(project, task)] > attempt;
        let record = of(&mut records, row);
        match (good, bad) {
            (true, _) => record.good += 1,
            (false, true) => record.bad += 1,
            (false, false) => record.open += 1,
        }
    }
    records
}

fn of<'a>(records: &'a mut Vec<Record>, row: &Row) -> &'a mut Record {
    let at = records.iter().position(|record| record.plugin == row.plugin && record.sha256 == row.sha256).unwrap_or_else(|| {
        records.push(Record { plugin: row.plugin.clone(), sha256: row.sha256.clone(), ..Record::default() });
        records.len() - 1
    });
    &mut records[at]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(project: &str, phase: &str, task: Option<&str>, attempt: u32, sha256: &str, is_accepted: bool) -> Row {
        Row {
            project: project.into(),
            phase: phase.into(),
            task: task.map(str::to_owned),
            attempt,
            plugin: "p".into(),
            sha256: sha256.into(),
            charged: NanoUsd(10),
            is_accepted,
        }
    }

    fn figures(rows: &[Row], sha256: &str) -> (u64, u64, u64, u64, i64) {
        let records = counted(rows);
        let record = records.iter().find(|record| record.sha256 == sha256).expect("it worked");
        (record.projects, record.good, record.bad, record.open, record.charged.0)
    }

    #[test]
    fn a_try_is_good_where_its_task_was_accepted_with_it_and_bad_where_another_followed() {
        // The newest first, as they are read.
        let rows = [
            run("b", "working", Some("T1"), 1, "old", false),
            run("a", "delivered", Some("T1"), 3, "old", true),
            run("a", "delivered", Some("T1"), 2, "new", true),
            run("a", "delivered", Some("T1"), 1, "new", true),
            run("a", "delivered", Some("T1"), 1, "new", true),
            run("c", "failed", Some("T1"), 1, "new", false),
        ];
        assert_eq!(figures(&rows, "old"), (2, 1, 0, 1, 20));
        assert_eq!(figures(&rows, "new"), (2, 0, 3, 0, 40));
    }

    #[test]
    fn of_an_architect_projects_are_counted() {
        let rows = [
            run("a", "delivered", Some("T1"), 2, "old", true),
            run("a", "delivered", None, 1, "old", false),
            run("b", "failed", Some("T1"), 1, "new", false),
            run("b", "failed", None, 1, "new", false),
            run("c", "cancelled", None, 1, "new", false),
        ];
        assert_eq!(figures(&rows, "old"), (1, 1, 0, 0, 20));
        assert_eq!(figures(&rows, "new"), (2, 0, 1, 1, 30));
    }
}
