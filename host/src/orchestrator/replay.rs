//! A recorded project once more: its agents run again with what the journal says they were answered. Nothing leaves the machine, nothing
//! is charged and nothing is stored. With the versions that made it, everything comes out the same; with another version, this shows
//! where it would have asked for something else.

use super::Orchestrator;
use super::step::{Inputs, overlay, result_sha256};
use crate::plugins::imports::{Context as RunContext, Owner, Services};
use crate::plugins::journal::Diverged;
use crate::plugins::registry::Loaded;
use crate::plugins::run::{self, Ended, Export, Outcome, Value};
use crate::project::{CheckStatus, Step};
use crate::store::projects::Project;
use crate::store::runs::Recorded;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch;

/// Of a line that is shown of a request.
const LINE_CHARS_MAX: usize = 160;

/// What came of a run that was replayed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finding {
    /// It returned the same, and left the same files.
    Same,
    /// It made every recorded call, and returned something else.
    OtherResult,
    /// It asked for something else than is recorded.
    Diverged {
        /// The host call's number.
        call: u32,
        /// Its name, and that of the recorded one where it differs.
        what: String,
        /// Where the two requests part: the line as it was recorded.
        recorded: String,
        /// The line as it is now.
        now: String,
    },
    /// It ended otherwise, for this reason.
    Ended(String),
    /// A version of Atelier made it that wrote down too little.
    NotRecorded,
    /// What it was answered is not kept any more.
    Forgotten,
}

/// One run, replayed.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Replayed {
    /// Its id.
    pub run: String,
    /// The step.
    pub step: String,
    /// The plugin.
    pub plugin: String,
    /// The version that ran now.
    pub plugin_sha256: String,
    /// What came of it.
    pub finding: Finding,
    /// Host calls that it made.
    pub host_calls: u32,
    /// Instructions, roughly.
    pub fuel: u64,
    /// All its memories together, at their largest.
    pub memory_peak_bytes: u64,
    /// Of the checks on the files that it wrote: how many passed, of how many that could be run.
    pub checks: Option<(usize, usize)>,
}

impl Orchestrator {
    /// Replays every run of a project that returned something. `instead` are versions to use in place of the recorded ones, by name.
    pub async fn replay(&self, project: &Project, instead: &BTreeMap<String, Arc<Loaded>>) -> Result<Vec<Replayed>> {
        let mut all = Vec::new();
        for recorded in self.store.recorded_runs(&project.id).await? {
            let plugin = match instead.get(&recorded.plugin) {
                Some(plugin) => plugin.clone(),
                None => self.registry.of_digest(&recorded.plugin, &recorded.plugin_sha256).with_context(|| {
                    format!("run {} needs the version that made it; name another one with --plugin {}=FILE", recorded.id, recorded.plugin)
                })?,
            };
            all.push(self.replay_run(project, &recorded, &plugin).await?);
        }
        Ok(all)
    }

    async fn replay_run(&self, project: &Project, recorded: &Recorded, plugin: &Loaded) -> Result<Replayed> {
        let mut replayed = Replayed {
            run: recorded.id.clone(),
            step: recorded.step.clone(),
            plugin: plugin.name.clone(),
            plugin_sha256: plugin.sha256.clone(),
            finding: Finding::NotRecorded,
            host_calls: 0,
            fuel: 0,
            memory_peak_bytes: 0,
            checks: None,
        };
        let Ok(inputs) = serde_json::from_str::<Inputs>(&recorded.inputs) else { return Ok(replayed) };
        if recorded.is_forgotten {
            return Ok(Replayed { finding: Finding::Forgotten, ..replayed });
        }
        let ended = self.call_closed(project, recorded, plugin, &inputs).await?;
        (replayed.host_calls, replayed.fuel, replayed.memory_peak_bytes) = (ended.host_calls, ended.fuel, ended.memory_peak_bytes);
        if let (Outcome::Returned(Ok(Value::Work(_))), Some(task)) = (&ended.outcome, &inputs.job.task) {
            let results = self.judge(&self.starting_files(project).await?, ended.overlay.files(), &task.acceptance).await;
            let passed = results.iter().filter(|result| result.status == CheckStatus::Passed).count();
            replayed.checks = Some((passed, results.iter().filter(|result| result.status != CheckStatus::NotRun).count()));
        }
        replayed.finding = match &ended.outcome {
            Outcome::Returned(_) if result_sha256(&ended) == recorded.result_sha256 => Finding::Same,
            Outcome::Returned(_) => Finding::OtherResult,
            Outcome::Diverged(diverged) => self.explain(project, recorded, &inputs, diverged, &ended.requests).await?,
            Outcome::Killed(why) | Outcome::HostFailed(why) => Finding::Ended(why.clone()),
            Outcome::Asked { .. } | Outcome::Suspended(_) | Outcome::Cancelled => Finding::Ended("it was suspended".to_owned()),
        };
        Ok(replayed)
    }

    /// A journal keeps a request's digest, not its text; the version that made it says it again, where it is still kept.
    async fn explain(
        &self,
        project: &Project,
        recorded: &Recorded,
        inputs: &Inputs,
        diverged: &Diverged,
        now: &[String],
    ) -> Result<Finding> {
        let before = match self.registry.of_digest(&recorded.plugin, &recorded.plugin_sha256) {
            Ok(plugin) => self.call_closed(project, recorded, &plugin, inputs).await?.requests,
            Err(_) => Vec::new(),
        };
        let at = diverged.seq as usize;
        let (recorded, now) = match (before.get(at), now.get(at)) {
            (Some(before), Some(now)) => first_difference(before, now),
            (None, Some(now)) => (diverged.recorded.clone(), shortened(now)),
            _ => (diverged.recorded.clone(), diverged.made.clone()),
        };
        let name = |text: &str| text.split(' ').next().unwrap_or_default().to_owned();
        let what = match (name(&diverged.recorded), name(&diverged.made)) {
            (was, is) if was == is => is,
            (was, is) if was == "nothing" => format!("{is}, after the end of the record"),
            (was, is) => format!("{is}, recorded was {was}"),
        };
        Ok(Finding::Diverged { call: diverged.seq, what, recorded, now })
    }

    async fn call_closed(&self, project: &Project, recorded: &Recorded, plugin: &Loaded, inputs: &Inputs) -> Result<Ended> {
        let files = self.store.files(&recorded.base_tree).await?;
        let (export, step) = step_of(recorded, inputs);
        let overlay = overlay(&inputs.job, &step, files);
        let owner =
            Owner { project: project.id.clone(), run: recorded.id.clone(), wallet: project.wallet.clone(), lease: None, class: None };
        let journal = self.store.journal(&recorded.id).await?;
        let services = Services { progress: None, ..self.services() };
        let granted = plugin.granted(step.export());
        let mut context = RunContext::new(owner, plugin.limits, granted, inputs.job.clone(), overlay, services, journal).closed();
        if inputs.job.task.is_some() {
            context = context.without_questions();
        }
        let _slot = self.agent_runs.acquire().await;
        // Nobody stops a replay, and a sender that is gone says so.
        Ok(run::call(plugin, export, context, watch::channel(false).1).await)
    }
}

/// The export's name begins the step's.
fn step_of(recorded: &Recorded, inputs: &Inputs) -> (Export, Step) {
    let attempt = inputs.job.attempt;
    let task = inputs.job.task.as_ref().map(|task| task.id.clone()).unwrap_or_default();
    match recorded.step.split(' ').next().unwrap_or_default() {
        "elicit" => (Export::Elicit, Step::Elicit),
        "make-plan" => (Export::MakePlan, Step::MakePlan),
        "document" => (Export::Document, Step::Document),
        "verify" => (Export::Verify, Step::Verify { task, attempt }),
        _ => (Export::Implement, Step::Implement { task, attempt }),
    }
}

/// The first line in which two requests differ.
fn first_difference(one: &str, other: &str) -> (String, String) {
    let (one, other) = (lines(one), lines(other));
    let at = one.iter().zip(&other).position(|(one, other)| one != other).unwrap_or(one.len().min(other.len()));
    let line = |lines: &[String]| lines.get(at).map_or_else(|| "(its end)".to_owned(), |line| shortened(line));
    (line(&one), line(&other))
}

/// A request as a person reads it: its texts, line by line, and whatever else it holds.
fn lines(request: &str) -> Vec<String> {
    fn collect(value: &serde_json::Value, into: &mut Vec<String>) {
        match value {
            serde_json::Value::String(text) => into.extend(text.lines().map(str::to_owned)),
            serde_json::Value::Array(values) => values.iter().for_each(|value| collect(value, into)),
            serde_json::Value::Object(values) => values.iter().for_each(|(name, value)| match value {
                serde_json::Value::String(_) | serde_json::Value::Array(_) | serde_json::Value::Object(_) => collect(value, into),
                plain => into.push(format!("{name}: {plain}")),
            }),
            plain => into.push(plain.to_string()),
        }
    }
    let mut all = Vec::new();
    match serde_json::from_str(request) {
        Ok(value) => collect(&value, &mut all),
        Err(_) => all.push(request.to_owned()),
    }
    all
}

fn shortened(text: &str) -> String {
    crate::plugins::api::words::line(text, LINE_CHARS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_requests_part_at_a_line_that_is_shown() {
        let request = |text: &str, tokens: u32| serde_json::json!({ "messages": [{ "text": text }], "max": tokens }).to_string();
        let (one, other) = first_difference(&request("# Goal\nadd\n# Rules", 10), &request("# Goal\nadd two\n# Rules", 10));
        assert_eq!((one.as_str(), other.as_str()), ("add", "add two"));
        let (one, other) = first_difference(&request("a", 10), &request("a", 20));
        assert_eq!((one.as_str(), other.as_str()), ("max: 10", "max: 20"));
        let (one, other) = first_difference("[\"a\"]", "[\"a\", \"b\"]");
        assert_eq!((one.as_str(), other.as_str()), ("(its end)", "b"));
    }
}
