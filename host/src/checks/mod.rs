//! Runs acceptance checks on a set of files: the host's own verdict, which nobody's words can raise. A check is judged from what a
//! runner reports ([`unit_tests`], [`command`]); what has no runner here is reported as not run, with the reason, and never taken for
//! passed.

mod command;
pub mod outcome;
mod unit_tests;

use crate::plugins::limits::RUNNER_RUNS_MAX;
use crate::plugins::registry::Registry;
use crate::plugins::runner::Runner;
use crate::project::{Acceptance, Brief, Check, CheckResult, CheckStatus, Plan, Ran, SourceFile};
use crate::workspace::Files;
use crate::workspace::path::ProjectPath;
use outcome::SyntaxProblem;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// How much of a failure is told; the first lines help, the rest fills a prompt.
const DETAIL_CHARS_MAX: usize = 2_000;

/// Everything that can execute a check.
pub struct Checks {
    registry: Arc<Registry>,
    slots: Semaphore,
}

/// How one check ended.
#[derive(Clone, Debug)]
struct Seen {
    status: CheckStatus,
    detail: String,
    ran: Option<Ran>,
}

impl Seen {
    fn passed(detail: impl Into<String>) -> Seen {
        Seen { status: CheckStatus::Passed, detail: detail.into(), ran: None }
    }

    fn failed(detail: impl Into<String>) -> Seen {
        Seen { status: CheckStatus::Failed, detail: detail.into(), ran: None }
    }

    fn not_run(why: impl Into<String>) -> Seen {
        Seen { status: CheckStatus::NotRun, detail: why.into(), ran: None }
    }

    /// Notes by what it was found out. `output` is everything that was reported, in a form that repeats.
    fn by(self, runner: &Runner, command: String, output: &impl serde::Serialize) -> Seen {
        let output = serde_json::to_string(output).expect("reports always serialize");
        let ran = Ran {
            command,
            runner: runner.name.clone(),
            runner_sha256: runner.sha256.clone(),
            output_sha256: crate::workspace::sha256(output.as_bytes()),
        };
        Seen { ran: Some(ran), ..self }
    }
}

impl Checks {
    /// With the runners that are pinned.
    pub fn new(registry: Arc<Registry>) -> Checks {
        Checks { registry, slots: Semaphore::new(RUNNER_RUNS_MAX) }
    }

    /// Languages whose code this host can execute checks for.
    pub fn languages(&self) -> Vec<String> {
        let pins = self.registry.pins();
        let runners = pins.manifest.plugins.iter().filter(|entry| entry.world == "runner");
        runners.flat_map(|entry| entry.executes.languages.iter().cloned()).collect()
    }

    /// How many requirements no check of this plan can be executed for here.
    pub fn out_of_reach(&self, brief: &Brief, plan: &Plan) -> usize {
        let checked = |id: &str| {
            let own = plan.tasks.iter().flat_map(|task| &task.acceptance).filter(|check| check.requirement == id);
            own.into_iter().any(|check| self.can_execute(&check.check))
        };
        brief.requirements.iter().filter(|requirement| !checked(&requirement.id)).count()
    }

    /// Whether a check of this kind can be executed here, whatever comes of it.
    pub fn can_execute(&self, check: &Check) -> bool {
        match check {
            Check::FilePresent(_) => true,
            Check::UnitTest(file) => self.name_for_file(&file.path).is_some(),
            Check::Parses(paths) | Check::Loads(paths) => paths.iter().all(|path| self.name_for_file(path).is_some()),
            Check::Command(steps) => {
                steps.iter().all(|step| step.arguments.first().is_some_and(|program| self.name_for_program(program).is_some()))
            }
            Check::Judgement(_) => false,
        }
    }

    /// The result of each check, in order. A test file that serves several requirements is run once.
    pub async fn run(&self, files: &Files, acceptance: &[Acceptance]) -> Vec<CheckResult> {
        let mut results = Vec::new();
        let mut known: BTreeMap<String, Seen> = BTreeMap::new();
        for entry in acceptance {
            let key = serde_json::to_string(&entry.check).expect("a check always serializes");
            let seen = match known.get(&key) {
                Some(seen) => seen.clone(),
                None => self.run_one(files, &entry.check).await,
            };
            known.insert(key, seen.clone());
            results.push(CheckResult {
                check: entry.id.clone(),
                requirement: entry.requirement.clone(),
                status: seen.status,
                detail: shorten(&seen.detail),
                ran: seen.ran,
            });
        }
        results
    }

    /// Files that do not parse, of those that some runner reads. A file without a runner is nobody's problem.
    pub async fn parse(&self, files: &Files) -> Vec<SyntaxProblem> {
        // A runner gets all files: a link of a page leads to a file of another kind.
        let names: BTreeSet<String> = files.keys().filter_map(|path| self.name_for_file(path.as_ref())).collect();
        let mut problems = Vec::new();
        for name in names {
            let Ok(runner) = self.runner(&name) else { continue };
            let _slot = self.slots.acquire().await;
            // A parser that was brought down says nothing for any of these files.
            problems.extend(runner.parse(files).await.unwrap_or_else(|contained| {
                let message = format!("the parser did not come to an end: {contained}");
                let own = files.keys().filter(|path| self.name_for_file(path.as_ref()).as_deref() == Some(name.as_str()));
                own.map(|path| SyntaxProblem { path: path.to_string(), line: 0, message: message.clone() }).collect()
            }));
        }
        problems
    }

    /// Which tests of a file pass on these files, by name; the error says why none could be run.
    pub async fn tests_passed(&self, files: &Files, test: &SourceFile) -> Result<BTreeMap<String, bool>, String> {
        let runner = self.for_file(&test.path)?;
        let _slot = self.slots.acquire().await;
        unit_tests::outcomes(&runner, files, test).await
    }

    async fn run_one(&self, files: &Files, check: &Check) -> Seen {
        match check {
            Check::FilePresent(path) => match ProjectPath::parse(path).ok().and_then(|path| files.get(&path)) {
                Some(_) => Seen::passed(format!("`{path}` is there")),
                None => Seen::failed(format!("`{path}` is missing")),
            },
            Check::UnitTest(file) => match self.for_file(&file.path) {
                Ok(runner) => {
                    let _slot = self.slots.acquire().await;
                    unit_tests::judge(&runner, files, file).await
                }
                Err(why) => Seen::not_run(why),
            },
            Check::Command(steps) => {
                let program = steps.first().and_then(|step| step.arguments.first()).map_or("an empty command", String::as_str);
                match self.for_program(program) {
                    Ok(runner) => {
                        let _slot = self.slots.acquire().await;
                        command::judge(&runner, files, steps).await
                    }
                    Err(why) => Seen::not_run(why),
                }
            }
            Check::Parses(paths) => self.parses(files, paths).await,
            Check::Loads(paths) => self.loads(files, paths).await,
            Check::Judgement(reason) => Seen::not_run(format!("for a person to judge: {reason}")),
        }
    }

    async fn parses(&self, files: &Files, paths: &[String]) -> Seen {
        let Some(first) = paths.first() else { return Seen::not_run("no file is named") };
        if let Some(path) = paths.iter().find(|path| self.name_for_file(path).is_none()) {
            return Seen::not_run(format!("no parser for {}", language_of(path)));
        }
        if let Some(path) = paths.iter().find(|path| ProjectPath::parse(path).ok().is_none_or(|path| !files.contains_key(&path))) {
            return Seen::failed(format!("`{path}` is missing"));
        }
        let problems: Vec<SyntaxProblem> = self.parse(files).await.into_iter().filter(|problem| paths.contains(&problem.path)).collect();
        let lines: Vec<String> = problems.iter().map(|problem| format!("{}:{}: {}", problem.path, problem.line, problem.message)).collect();
        let seen = if lines.is_empty() { Seen::passed(format!("{} parse", paths.join(", "))) } else { Seen::failed(lines.join("\n")) };
        match self.for_file(first) {
            Ok(runner) => seen.by(&runner, format!("parse {}", paths.join(" ")), &problems),
            Err(why) => Seen::not_run(why),
        }
    }

    async fn loads(&self, files: &Files, paths: &[String]) -> Seen {
        let mut last = Seen::not_run("no file is named");
        for path in paths {
            let runner = match self.for_file(path) {
                Ok(runner) => runner,
                Err(why) => return Seen::not_run(why),
            };
            let _slot = self.slots.acquire().await;
            last = command::judge_load(&runner, files, path).await;
            if last.status != CheckStatus::Passed {
                return last;
            }
        }
        last
    }

    fn for_file(&self, path: &str) -> Result<Arc<Runner>, String> {
        let name = self.name_for_file(path).ok_or_else(|| format!("no runner for {}", language_of(path)))?;
        self.runner(&name)
    }

    fn for_program(&self, program: &str) -> Result<Arc<Runner>, String> {
        let name = self.name_for_program(program).ok_or_else(|| format!("no runner for `{program}`"))?;
        self.runner(&name)
    }

    fn runner(&self, name: &str) -> Result<Arc<Runner>, String> {
        self.registry.runner(name).map_err(|error| format!("the runner can't be used: {error}"))
    }

    fn name_for_file(&self, path: &str) -> Option<String> {
        self.find(|executes| executes.endings.iter().any(|ending| path.ends_with(ending.as_str())))
    }

    fn name_for_program(&self, program: &str) -> Option<String> {
        self.find(|executes| executes.programs.iter().any(|known| known == program))
    }

    fn find(&self, fits: impl Fn(&crate::plugins::manifest::Executes) -> bool) -> Option<String> {
        let pins = self.registry.pins();
        let mut runners = pins.manifest.plugins.iter().filter(|entry| entry.world == "runner");
        runners.find(|entry| fits(&entry.executes)).map(|entry| entry.name.clone())
    }
}

/// The beginning and the end of what was reported: the first failure and the last line of a trace.
fn shorten(text: &str) -> String {
    let letters: Vec<char> = text.trim_end().chars().collect();
    if letters.len() <= DETAIL_CHARS_MAX {
        return letters.into_iter().collect();
    }
    let (start, end) = (DETAIL_CHARS_MAX * 2 / 3, letters.len() - DETAIL_CHARS_MAX / 3);
    let (start, end): (String, String) = (letters[..start].iter().collect(), letters[end..].iter().collect());
    format!("{start}\n[…]\n{end}")
}

fn language_of(path: &str) -> &str {
    match path.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "py" => "python",
        "js" | "mjs" | "cjs" => "javascript",
        "ts" => "typescript",
        "rs" => "rust",
        "go" => "go",
        "" => "files without an ending",
        other => other,
    }
}
