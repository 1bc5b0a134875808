//! Whether a try is good: the host's own checks on its files, and what a verdict means where other tasks were accepted meanwhile.

use super::Orchestrator;
use super::step::Inputs;
use crate::plugins::api::words::line;
use crate::project::{Acceptance, Check, CheckResult, CheckStatus, Event, SUMMARY_CHARS_MAX, Verdict};
use crate::store::projects::{Change, Project};
use crate::workspace::merge::merge;
use crate::workspace::path::ProjectPath;
use crate::workspace::{Files, tree_sha256};
use anyhow::Result;

impl Orchestrator {
    /// What a verdict means on the files as they are now. Where other tasks were accepted while this one was judged, its checks are run
    /// once more on all of it together: what fitted the old files need not fit the new ones.
    pub(super) async fn verified(
        &self,
        project: &Project,
        task: &str,
        inputs: &Inputs,
        judged: &Files,
        verdict: Verdict,
        change: &mut Change,
    ) -> Result<Event> {
        let accepted = self.accepted_files(project).await?;
        let (mut results, mut files) = (inputs.job.results.clone(), judged.clone());
        if matches!(verdict, Verdict::Accepted(_)) && tree_sha256(&accepted) != inputs.accepted {
            match merge(&self.store.files(&inputs.accepted).await?, &accepted, judged) {
                Ok(merged) => files = merged,
                Err(paths) => return Ok(conflicted(task, &paths, change)),
            }
            let acceptance = inputs.job.task.as_ref().map(|task| task.acceptance.as_slice()).unwrap_or_default();
            results = self.judge(&self.starting_files(project).await?, &files, acceptance).await;
        }
        let failed = results.iter().find(|result| result.status == CheckStatus::Failed);
        change.event = Some(match (&verdict, failed) {
            (_, Some(failed)) => ("rejected", format!("check {} failed: {}", failed.check, line(&failed.detail, SUMMARY_CHARS_MAX))),
            (Verdict::Accepted(why), None) => ("accepted", why.clone()),
            (Verdict::Rejected(findings), None) => {
                ("rejected", findings.first().map(|finding| finding.message.clone()).unwrap_or_default())
            }
        });
        let tree = tree_sha256(&files);
        change.files = Some(files);
        Ok(Event::Verified { task: task.to_owned(), tree, results, verdict })
    }

    /// The project as it was handed over; empty where it begins from nothing.
    pub(super) async fn handed_over_files(&self, project: &Project) -> Result<Files> {
        match &project.state.handed_over {
            Some(handed) => Ok(self.store.files(&handed.tree).await?),
            None => Ok(Files::new()),
        }
    }

    /// What the project's tasks begin from.
    pub(super) async fn starting_files(&self, project: &Project) -> Result<Files> {
        let mut files = self.handed_over_files(project).await?;
        if let (Some(brief), Some(plan)) = (&project.state.brief, &project.state.plan) {
            files.extend(crate::delivery::files_made_for(brief, plan, project.state.handed_over.is_some()));
        }
        Ok(files)
    }

    /// The host's own results on these files. A check that holds before any work was done shows nothing.
    pub(super) async fn judge(&self, before: &Files, files: &Files, acceptance: &[Acceptance]) -> Vec<CheckResult> {
        let mut results = self.checks.run(files, acceptance).await;
        let passed: Vec<Acceptance> = acceptance
            .iter()
            .zip(&results)
            .filter(|(entry, result)| result.status == CheckStatus::Passed && could_run_before(&entry.check, before))
            .map(|(entry, _)| entry.clone())
            .collect();
        for vacuous in self.checks.run(before, &passed).await.into_iter().filter(|result| result.status == CheckStatus::Passed) {
            if let Some(result) = results.iter_mut().find(|result| result.check == vacuous.check) {
                result.status = CheckStatus::NotRun;
                result.detail = "it held before any work was done, so it shows nothing".to_owned();
            }
        }
        results
    }
}

/// Both changed these files, so the task is written again.
pub(super) fn conflicted(task: &str, paths: &[ProjectPath], change: &mut Change) -> Event {
    let paths: Vec<String> = paths.iter().map(ToString::to_string).collect();
    change.event = Some(("conflict", format!("another task changed {} meanwhile", paths.join(", "))));
    Event::Conflicted { task: task.to_owned(), paths }
}

/// A command whose script is not there yet fails as expected failures do; that says nothing about the check.
fn could_run_before(check: &Check, before: &Files) -> bool {
    let Check::Command(steps) = check else { return true };
    let script = |word: &String| ProjectPath::parse(word).ok().filter(|path| path.as_ref().contains('.'));
    steps.iter().all(|step| step.arguments.iter().skip(1).find_map(script).is_none_or(|path| before.contains_key(&path)))
}
