//! The report: each requirement with what was run on it, and what the project took. The same facts as text and as JSON.

use crate::ledger::NanoUsd;
use crate::project::evidence::{Claim, RequirementEvidence, evidence};
use crate::project::{Acceptance, CheckStatus, TaskStatus};
use crate::store::ledger::Receipt;
use crate::store::runs::RunRecord;
use crate::store::{Store, projects::Project};
use crate::workspace::{Files, tree_entries, tree_sha256};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write;

/// A table cell that is longer is cut; `report.json` has all of it.
const CELL_CHARS_MAX: usize = 600;
/// The version of `report.json`.
const SCHEMA: u32 = 1;

/// Everything that is known of a project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The version of this form.
    pub schema: u32,
    /// The project's id.
    pub project: String,
    /// Its title.
    pub title: String,
    /// How it ended, one word.
    pub phase: String,
    /// How to run the result.
    pub run_command: String,
    /// What it began from, in words, where it was handed over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handed_over: Option<String>,
    /// Each requirement with its evidence.
    pub requirements: Vec<RequirementEvidence>,
    /// Each task with how it ended.
    pub tasks: Vec<TaskLine>,
    /// What it took, in nano-USD and tokens.
    pub receipt: Receipt,
    /// What the user accepted to spend at most, in nano-USD.
    pub ceiling: Option<NanoUsd>,
    /// Which plugins did the work: name → digests.
    pub plugins: BTreeMap<String, Vec<String>>,
    /// Every check of an accepted task, whole, so that it can be run again from the delivery alone.
    pub acceptance: Vec<Acceptance>,
    /// The delivered files: path → sha256.
    pub files: BTreeMap<String, String>,
    /// The digest of the delivered files.
    pub tree_sha256: String,
}

/// A task as reported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskLine {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// How it ended.
    pub status: String,
    /// Tries that were rejected.
    pub rejected_tries: u32,
    /// What was done, or why not.
    pub note: String,
    /// What it left open and its implementer decided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assumptions: Vec<String>,
}

impl Report {
    /// The report of a project as it is stored.
    pub async fn of(store: &Store, project: &Project) -> crate::store::Result<Report> {
        let state = &project.state;
        let runs = store.runs(&project.id).await?;
        let files = match store.snapshots(&project.id).await?.pop() {
            Some(snapshot) => super::as_it_is(state, store.files(&snapshot.tree).await?),
            None => Files::new(),
        };
        let tree = if files.is_empty() { String::new() } else { tree_sha256(&files) };
        let tasks = state.plan.iter().flat_map(|plan| &plan.tasks).zip(&state.tasks);
        let files = tree_entries(&files);
        Ok(Report {
            acceptance: tasks
                .clone()
                .filter(|(_, progress)| progress.status == TaskStatus::Accepted)
                .flat_map(|(task, _)| task.acceptance.clone())
                .collect(),
            files: files.into_iter().map(|(path, (digest, _))| (path, digest)).collect(),
            schema: SCHEMA,
            project: project.id.clone(),
            title: state.brief.as_ref().map_or_else(String::new, |brief| brief.title.clone()),
            phase: state.phase.word().to_owned(),
            run_command: state.plan.as_ref().map_or_else(String::new, |plan| plan.run_command.clone()),
            handed_over: state.handed_over.as_ref().map(ToString::to_string),
            requirements: evidence(state),
            tasks: tasks
                .map(|(task, progress)| {
                    let (status, note) = match &progress.status {
                        TaskStatus::Accepted => ("accepted", progress.summary.clone()),
                        TaskStatus::Failed(why) => ("failed", why.clone()),
                        TaskStatus::Skipped => ("skipped", "it needs a task that failed".to_owned()),
                        TaskStatus::Waiting | TaskStatus::Written => ("open", String::new()),
                    };
                    TaskLine {
                        id: task.id.clone(),
                        title: task.title.clone(),
                        status: status.to_owned(),
                        rejected_tries: progress.attempt,
                        note,
                        assumptions: progress.assumptions.clone(),
                    }
                })
                .collect(),
            receipt: store.receipt(&project.id).await?,
            ceiling: state.ceiling,
            plugins: plugins(&runs),
            tree_sha256: tree,
        })
    }

    /// How many requirements carry this claim.
    pub fn count(&self, claim: Claim) -> usize {
        self.requirements.iter().filter(|requirement| requirement.claim == claim).count()
    }

    /// For programs.
    pub fn json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a report always serializes");
        text.push('\n');
        text
    }

    /// For people.
    pub fn markdown(&self) -> String {
        let mut out = String::new();
        // Writing to a string can't fail.
        let _ = self.write_markdown(&mut out);
        out
    }

    fn write_markdown(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "# Report: {}\n", self.title)?;
        writeln!(out, "Project `{}`, {}. Run it with `{}`.\n", self.project, self.phase, self.run_command)?;
        if let Some(handed) = &self.handed_over {
            writeln!(out, "It began from a project that was handed over: {handed}.\n")?;
        }
        writeln!(out, "## Requirements\n")?;
        let counts = [Claim::Verified, Claim::Partly, Claim::Failed, Claim::Unverified]
            .map(|claim| format!("{} {}", self.count(claim), claim.as_str()));
        writeln!(
            out,
            "{}. *Unverified* means that nothing could be run on it here; it says nothing against the code.\n",
            counts.join(", ")
        )?;
        writeln!(out, "| | requirement | status | check | result |\n| --- | --- | --- | --- | --- |")?;
        for requirement in &self.requirements {
            let mut lead = format!("| {} | {} | **{}** ", requirement.id, cell(&requirement.text), requirement.claim.as_str());
            if requirement.checks.is_empty() {
                writeln!(out, "{lead}| | |")?;
            }
            for check in &requirement.checks {
                let status = match check.status {
                    CheckStatus::Passed => "passed",
                    CheckStatus::Failed => "failed",
                    CheckStatus::NotRun => "not run",
                };
                let output = check.ran.as_ref().map_or_else(String::new, |ran| format!(" (output `{}`)", &ran.output_sha256[..12]));
                writeln!(out, "{lead}| {} | {status}: {}{output} |", cell(&check.check), cell(&check.detail))?;
                lead = "| | | ".to_owned();
            }
        }
        writeln!(out, "\n## Tasks\n\n| | task | status | rejected tries | |\n| --- | --- | --- | --- | --- |")?;
        for task in &self.tasks {
            writeln!(out, "| {} | {} | {} | {} | {} |", task.id, cell(&task.title), task.status, task.rejected_tries, cell(&task.note))?;
        }
        let assumed: Vec<_> =
            self.tasks.iter().filter(|task| task.status == "accepted").flat_map(|task| &task.assumptions).map(|text| cell(text)).collect();
        if !assumed.is_empty() {
            writeln!(out, "\n## What was assumed\n\nThe requirements leave this open, and those who built it decided:\n")?;
            assumed.iter().try_for_each(|text| writeln!(out, "- {text}"))?;
        }
        let receipt = &self.receipt;
        writeln!(out, "\n## What it took\n\n| | |\n| --- | --- |")?;
        writeln!(out, "| model calls | {} |", receipt.calls)?;
        writeln!(out, "| calls repeated after a crash (not charged) | {} |", receipt.lost_calls)?;
        writeln!(out, "| tokens in / out | {} / {} |", receipt.input_tokens, receipt.output_tokens)?;
        writeln!(out, "| charged | {} |", receipt.charged)?;
        writeln!(out, "| refunded | {} |", receipt.refunded)?;
        writeln!(out, "| paid by the house | {} |", receipt.house)?;
        if let Some(ceiling) = self.ceiling {
            writeln!(out, "| accepted ceiling | {ceiling} |")?;
        }
        writeln!(out, "\n## Made by\n\n| plugin | sha256 |\n| --- | --- |")?;
        for (name, digests) in &self.plugins {
            writeln!(out, "| {name} | `{}` |", digests.join("`, `"))?;
        }
        let mut runners: BTreeMap<&str, &str> = BTreeMap::new();
        for ran in self.requirements.iter().flat_map(|requirement| &requirement.checks).filter_map(|check| check.ran.as_ref()) {
            runners.insert(&ran.runner, &ran.runner_sha256);
        }
        for (name, digest) in runners {
            writeln!(out, "| {name} (ran the checks) | `{digest}` |")?;
        }
        writeln!(out, "\nFiles: `{}` (sha256 over the sorted list of paths and digests).", self.tree_sha256)
    }
}

fn plugins(runs: &[RunRecord]) -> BTreeMap<String, Vec<String>> {
    let mut plugins: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for run in runs {
        let digests = plugins.entry(run.plugin.clone()).or_default();
        if !digests.contains(&run.plugin_sha256) {
            digests.push(run.plugin_sha256.clone());
        }
    }
    plugins
}

/// Text that stays within its table cell.
fn cell(text: &str) -> String {
    let line = text.lines().map(str::trim).collect::<Vec<_>>().join(" ").replace(char::is_control, "");
    let short: String = line.chars().take(CELL_CHARS_MAX).collect();
    let short = if short.len() < line.len() { format!("{short}…") } else { short };
    short.replace('|', "\\|")
}
