//! A plugin's cases: what a run is given, what the model says, and what has to come of it, in a file. The plugin runs as in production, with
//! every limit, grant and price, over a store that is thrown away; the one thing that is not real is the model, which speaks from the case over
//! a real connection. Each run is then replayed, since a run that can't be replayed can't be resumed.

use super::Orchestrator;
use super::step::{export, overlay, result_sha256};
use crate::app::App;
use crate::checks::Checks;
use crate::llm::dialects::Dialect;
use crate::plugins::imports::{Context as RunContext, Job, Owner, Services};
use crate::plugins::registry::{Loaded, Registry};
use crate::plugins::run::{self, Ended, Outcome};
use crate::project::{Answer, Refusal, State, Step};
use crate::recording::script::Script;
use crate::recording::server::{self, Source};
use crate::settings::Settings;
use crate::store::ledger::receipts::Receipt;
use crate::store::runs::{JournalRow, NewRun, Run};
use crate::workspace::path::ProjectPath;
use crate::workspace::{File, Files};
use anyhow::{Context, Result, anyhow, bail};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::watch;

/// A case file. The largest part of one is the model's replies.
const CASE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Whoever pays for it, and the project it is in.
const NOBODY: &str = "case";
/// Where the operator names no price, input and output in US dollars for a million tokens.
const PRICE: &str = "0.50/1.50";
/// What is told of a result.
const TOLD_CHARS_MAX: usize = 300;

/// A case.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// `elicit`, `make-plan`, `verify`, `implement` or `document`.
    pub export: String,
    /// What the model says, call by call.
    #[serde(default)]
    pub replies: Vec<String>,
    /// What the user answers to the plugin's questions; one that is missing is skipped.
    #[serde(default)]
    pub answers: Vec<String>,
    /// What has to come of it.
    #[serde(default)]
    pub expect: Expect,
    /// The project's files at the beginning.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    /// What the run is about, as `job` of the contract tells it.
    #[serde(default)]
    pub job: Job,
}

/// What has to come of a case. What is left out is not looked at; that all replies are used, always is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Expect {
    /// Words of what the export returns.
    pub returns: Option<String>,
    /// Words of the failure that it gives up with.
    pub gives_up: Option<String>,
    /// Words of each request to the model, in order.
    pub asks: Vec<String>,
    /// Words of files, by path.
    pub writes: BTreeMap<String, String>,
}

/// What came of a case.
#[derive(Clone, Debug, Serialize)]
pub struct Rehearsed {
    /// What is not as expected.
    pub problems: Vec<String>,
    /// How the run ended, in a line.
    pub end: String,
    /// Whether a replay came out the same.
    pub repeats: bool,
    /// Instructions, roughly.
    pub fuel: u64,
    /// All its memories together, at their largest.
    pub memory_peak_bytes: u64,
    /// Host calls.
    pub host_calls: u32,
    /// Model calls, tokens and credits, as the ledger has them.
    pub receipt: Receipt,
}

impl Rehearsed {
    /// Whether it came out as the case expects, and would again.
    pub fn is_good(&self) -> bool {
        self.problems.is_empty() && self.repeats
    }
}

impl Case {
    /// Reads a case, or says what is wrong with it.
    pub fn read(path: &Path) -> Result<Case> {
        let shown = path.display();
        let size = std::fs::metadata(path).with_context(|| format!("read {shown}"))?.len();
        if size > CASE_BYTES_MAX {
            bail!("{shown} has {size} bytes; a case has at most {CASE_BYTES_MAX}");
        }
        let text = std::fs::read_to_string(path).with_context(|| format!("read {shown}"))?;
        let case: Case = toml::from_str(&text).with_context(|| format!("{shown} is no case"))?;
        let table: toml::Table = toml::from_str(&text)?;
        let known = serde_json::to_value(Job::default())?;
        for name in table.get("job").and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::keys) {
            if known.get(name).is_none() {
                let known: Vec<&String> = known.as_object().into_iter().flat_map(serde_json::Map::keys).collect();
                bail!("{shown}: a job has no `{name}`; it has {known:?}");
            }
        }
        case.step().with_context(|| shown.to_string())?;
        Ok(case)
    }

    fn step(&self) -> Result<Step> {
        let task = || self.job.task.as_ref().map(|task| task.id.clone()).ok_or_else(|| anyhow!("`{}` needs a [job.task]", self.export));
        let attempt = self.job.attempt.max(1);
        Ok(match self.export.as_str() {
            "elicit" => Step::Elicit,
            "make-plan" => Step::MakePlan,
            "verify" => Step::Verify { task: task()?, attempt },
            "implement" => Step::Implement { task: task()?, attempt },
            "document" => task().map(|_| Step::Document)?,
            other => bail!("there is no export `{other}`; there are elicit, make-plan, verify, implement and document"),
        })
    }

    fn files(&self) -> Result<Files> {
        let file = |(path, text): (&String, &String)| {
            let path = ProjectPath::parse(path).map_err(|error| anyhow!("`{path}` of [files]: {error}"))?;
            Ok((path, File { bytes: text.clone().into_bytes().into(), executable: false }))
        };
        self.files.iter().map(file).collect()
    }
}

/// Runs a case with this plugin. The registry has the runners that its checks need; the settings' prices and bounds apply.
pub async fn rehearse(mut settings: Settings, registry: Arc<Registry>, plugin: &Loaded, case: &Case) -> Result<Rehearsed> {
    let folder = tempfile::tempdir().context("make a folder for the case")?;
    let script = Arc::new(Script::new(case.replies.iter().cloned()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.context("open a port on loopback")?;
    folder.path().clone_into(&mut settings.data_dir);
    settings.database_url = None;
    settings.providers.clear();
    settings.classes.clear();
    settings.model.url = Some(format!("http://{}/v1", listener.local_addr()?));
    settings.model.name = Some("case".to_owned());
    settings.model.price.get_or_insert_with(|| PRICE.to_owned());
    settings.model.key = None;
    settings.model.dialect = Dialect::OpenAi;
    let served = tokio::spawn(server::serve(Source::Script(script.clone()), listener));
    let app = App::build(settings).await?;
    let services = Services { checks: Arc::new(Checks::new(registry)), progress: None, ..app.orchestrator.services() };
    let stage = Stage { orchestrator: &app.orchestrator, plugin, case, services, step: case.step()?, files: case.files()? };
    let rehearsed = stage.play(&script).await;
    served.abort();
    rehearsed
}

/// Everything that a run of the case needs.
struct Stage<'a> {
    orchestrator: &'a Orchestrator,
    plugin: &'a Loaded,
    case: &'a Case,
    services: Services,
    step: Step,
    files: Files,
}

impl Stage<'_> {
    async fn play(&self, script: &Script) -> Result<Rehearsed> {
        let run = self.begin().await?;
        let (mut journal, mut answers) = (Vec::new(), self.case.answers.iter());
        let ended = loop {
            let mut ended = self.call(&run.id, journal.clone(), false).await;
            journal = self.services.store.journal(&run.id).await?;
            journal.append(&mut ended.pending);
            let Outcome::Asked { seq, fingerprint, .. } = &ended.outcome else { break ended };
            let answer = answers.next().map_or(Answer::Skipped, |text| Answer::Text(text.clone()));
            let answer = serde_json::to_string(&Ok::<_, Refusal>(answer))?;
            journal.push(JournalRow::kept(run.id.clone(), *seq, "dialogue.ask", fingerprint.clone(), answer));
        };
        let asked = script.asked();
        let again = self.call(&run.id, journal, true).await;
        Ok(Rehearsed {
            problems: self.problems(&ended, &asked, script.left()),
            end: crate::plugins::api::words::line(&told(&ended.outcome), TOLD_CHARS_MAX),
            repeats: !result_sha256(&ended).is_empty() && result_sha256(&ended) == result_sha256(&again),
            fuel: ended.fuel,
            memory_peak_bytes: ended.memory_peak_bytes,
            host_calls: ended.host_calls,
            receipt: self.services.store.receipt(NOBODY).await?,
        })
    }

    async fn begin(&self) -> Result<Run> {
        let (store, budget) = (&self.services.store, &self.orchestrator.budget);
        store.open_wallet(NOBODY, budget.run_limit).await?;
        store.create_project(NOBODY, NOBODY, &State::new(&self.case.job.idea), budget.run_limit).await?;
        let base_tree = store.save_files(&self.files).await?;
        let new = NewRun {
            project: NOBODY,
            step: &self.case.export,
            task: None,
            attempt: self.case.job.attempt.max(1),
            plugin: &self.plugin.name,
            plugin_sha256: &self.plugin.sha256,
            base_tree: &base_tree,
            task_limit: budget.task_limit,
            run_limit: budget.run_limit,
            lease: None,
        };
        Ok(store.begin_run(&new, "").await?)
    }

    async fn call(&self, run: &str, journal: Vec<JournalRow>, closed: bool) -> Ended {
        let owner = Owner { project: NOBODY.to_owned(), run: run.to_owned(), wallet: NOBODY.to_owned(), lease: None, class: None };
        let job = Job { attempt: self.case.job.attempt.max(1), ..self.case.job.clone() };
        let overlay = overlay(&job, &self.step, self.files.clone());
        let granted = self.plugin.granted(self.step.export());
        let mut context = RunContext::new(owner, self.plugin.limits, granted, job, overlay, self.services.clone(), journal);
        if self.case.job.task.is_some() {
            context = context.without_questions();
        }
        if closed {
            context = context.closed();
        }
        run::call(self.plugin, export(&self.step), context, watch::channel(false).1).await
    }

    /// What is not as the case expects.
    fn problems(&self, ended: &Ended, asked: &[String], left: usize) -> Vec<String> {
        let (expect, end) = (&self.case.expect, told(&ended.outcome));
        let mut problems = Vec::new();
        match (&ended.outcome, &expect.gives_up) {
            (Outcome::Returned(Ok(_)), None) => {
                let missing = expect.returns.as_ref().filter(|words| !end.contains(words.as_str()));
                problems.extend(missing.map(|words| format!("it should return something with `{words}`: {end}")));
            }
            (Outcome::Returned(Err(_)), Some(words)) if end.contains(words.as_str()) => {}
            (_, Some(words)) => problems.push(format!("it should give up with `{words}`: {end}")),
            _ => problems.push(format!("it should return: {end}")),
        }
        for (at, words) in expect.asks.iter().enumerate() {
            match asked.get(at) {
                None => problems.push(format!("it should ask the model {} times, and asked {}", expect.asks.len(), asked.len())),
                Some(text) if !text.contains(words.as_str()) => problems.push(format!("request {} should have `{words}`", at + 1)),
                Some(_) => {}
            }
        }
        for (path, words) in &expect.writes {
            let file = ended.overlay.files().iter().find(|(known, _)| known.as_ref() == path);
            match file.map(|(_, file)| String::from_utf8_lossy(&file.bytes)) {
                None => problems.push(format!("`{path}` should be there")),
                Some(text) if !text.contains(words.as_str()) => problems.push(format!("`{path}` should have `{words}`")),
                Some(_) => {}
            }
        }
        if left > 0 {
            problems.push(format!("{left} of {} replies were not asked for", self.case.replies.len()));
        }
        problems
    }
}

/// How a run ended, in words.
fn told(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Returned(Ok(value)) => format!("returned {}", serde_json::to_string(value).unwrap_or_default()),
        Outcome::Returned(Err(failure)) => format!("gave up: {failure}"),
        Outcome::Asked { question, .. } => format!("waits for an answer to: {}", question.text),
        Outcome::Suspended(pause) => format!("waits: {pause}"),
        Outcome::Killed(why) | Outcome::HostFailed(why) => format!("was ended: {why}"),
        Outcome::Diverged(diverged) => format!("diverged: {diverged}"),
        Outcome::Cancelled => "was stopped".to_owned(),
    }
}
