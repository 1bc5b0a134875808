//! A runner: an interpreter as a component, which executes a project's own code in memory. It imports nothing, or WASI with nothing
//! behind it ([`super::wasi`]). Every call gets a fresh instance that is thrown away. What a runner reports is typed here; what it means is decided in [`crate::checks`].

use super::PluginError;
use super::api::v0_1_0::runner as api;
use super::api::words::{line, prose};
use super::limits::{Limits, Meter};
use super::manifest::{Executes, OperatorEntry, Wasi};
use super::wasi::EmptyWasi;
use crate::checks::outcome::{CommandOutcome, SyntaxProblem, TestOutcome, TestRun, TestStatus};
use crate::project::SourceFile;
use crate::workspace::path::ProjectPath;
use crate::workspace::{Files, sha256};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Store, Trap};
use wasmtime_wasi::{WasiCtxView, WasiView};

/// What a program may print, as shown; the runner cuts earlier.
const OUTPUT_CHARS_MAX: usize = 300_000;
/// What is said of one test.
const DETAIL_CHARS_MAX: usize = 4_000;
/// Tests of one file.
const TESTS_MAX: usize = 2_000;

/// A runner that can run.
pub struct Runner {
    /// Its name.
    pub name: String,
    /// The digest of its bytes.
    pub sha256: String,
    /// What it executes.
    pub executes: Executes,
    limits: Limits,
    engine: Engine,
    pre: api::RunnerPre<Ward>,
    memory_peak_bytes: AtomicUsize,
    /// Tests by the digest of their file: the names follow from its text alone, and the same file is judged again and again.
    listed: Mutex<BTreeMap<String, Result<Vec<String>, String>>>,
}

/// Files whose tests are remembered; then all are forgotten.
const LISTED_MAX: usize = 1_000;

/// Why a call came back without a result: what the program did that no program may.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Contained(pub String);

/// What belongs to one call.
struct Ward {
    meter: Meter,
    wasi: EmptyWasi,
}

impl WasiView for Ward {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.wasi.view()
    }
}

impl Runner {
    /// Links the component. With `wasi = "none"` nothing is linked, so that an import is an error here.
    pub fn new(entry: &OperatorEntry, sha256: &str, component: &Component) -> Result<Runner, PluginError> {
        let engine = component.engine().clone();
        let mut linker = Linker::<Ward>::new(&engine);
        let wrong = |error: wasmtime::Error| PluginError::engine(&entry.name, &error);
        if entry.executes.wasi == Wasi::Empty {
            wasmtime_wasi::p2::add_to_linker_async(&mut linker).map_err(wrong)?;
        }
        let pre = linker.instantiate_pre(component).and_then(api::RunnerPre::new).map_err(wrong)?;
        Ok(Runner {
            name: entry.name.clone(),
            sha256: sha256.to_owned(),
            executes: entry.executes.clone(),
            limits: entry.limits,
            engine,
            pre,
            memory_peak_bytes: AtomicUsize::new(0),
            listed: Mutex::default(),
        })
    }

    /// Files that do not parse.
    pub async fn parse(&self, files: &Files) -> Result<Vec<SyntaxProblem>, Contained> {
        let files = to_wire(files);
        let found = self.call(async |runner, store| runner.call_parse(store, &files).await).await?;
        let problem = |found: api::SyntaxProblem| SyntaxProblem { path: found.path, line: found.line, message: line(&found.message, 500) };
        Ok(found.into_iter().map(problem).collect())
    }

    /// The tests of a file, from its source alone; the error says why there are none.
    pub async fn list_tests(&self, test: &SourceFile) -> Result<Result<Vec<String>, String>, Contained> {
        let digest = sha256(format!("{}\n{}", test.path, test.text).as_bytes());
        if let Some(known) = self.listed().get(&digest) {
            return Ok(known.clone());
        }
        let files = [api::File { path: test.path.clone(), bytes: test.text.clone().into_bytes() }];
        let listed = self.call(async |runner, store| runner.call_list_tests(store, &files, &test.path).await).await?;
        let listed = listed.map_err(|why| line(&why, 500));
        let mut known = self.listed();
        if known.len() >= LISTED_MAX {
            known.clear();
        }
        known.insert(digest, listed.clone());
        Ok(listed)
    }

    fn listed(&self) -> MutexGuard<'_, BTreeMap<String, Result<Vec<String>, String>>> {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a test file.
    pub async fn run_tests(&self, files: &Files, test_file: &str) -> Result<TestRun, Contained> {
        let files = to_wire(files);
        let run = self.call(async |runner, store| runner.call_run_tests(store, &files, test_file).await).await?;
        let test = |test: api::TestOutcome| TestOutcome {
            name: line(&test.name, 300),
            status: match test.status {
                api::TestStatus::Passed => TestStatus::Passed,
                api::TestStatus::Failed => TestStatus::Failed,
                api::TestStatus::Errored => TestStatus::Errored,
                api::TestStatus::Skipped => TestStatus::Skipped,
            },
            detail: prose(&test.detail, DETAIL_CHARS_MAX),
        };
        Ok(TestRun {
            tests: run.tests.into_iter().take(TESTS_MAX).map(test).collect(),
            stdout: prose(&run.stdout, OUTPUT_CHARS_MAX),
            stderr: prose(&run.stderr, OUTPUT_CHARS_MAX),
            problem: run.problem.map(|problem| prose(&problem, DETAIL_CHARS_MAX)),
        })
    }

    /// Runs a command line. The files are changed as the program changed them.
    pub async fn run_command(&self, files: &mut Files, arguments: &[String], stdin: &str) -> Result<CommandOutcome, Contained> {
        let wire = to_wire(files);
        let outcome = self.call(async |runner, store| runner.call_run_command(store, &wire, arguments, stdin).await).await?;
        for path in outcome.removed.iter().filter_map(|path| ProjectPath::parse(path).ok()) {
            files.remove(&path);
        }
        for file in outcome.written {
            // A program may write what no project may hold, such as `.git`; the next step just does not see it.
            if let Ok(path) = ProjectPath::parse(&file.path) {
                files.insert(path, crate::workspace::File { bytes: file.bytes.into(), executable: false });
            }
        }
        Ok(CommandOutcome {
            exit_code: outcome.exit_code,
            stdout: outcome.stdout.chars().take(OUTPUT_CHARS_MAX).collect(),
            stderr: prose(&outcome.stderr, OUTPUT_CHARS_MAX),
        })
    }

    /// The most memory that a call has used so far.
    pub fn memory_peak_bytes(&self) -> usize {
        self.memory_peak_bytes.load(Ordering::Relaxed)
    }

    /// One call in a fresh instance, within the limits.
    async fn call<T>(&self, work: impl AsyncFnOnce(&api::Runner, &mut Store<Ward>) -> wasmtime::Result<T>) -> Result<T, Contained> {
        let mut store = self.store()?;
        let started = Instant::now();
        let limit = Duration::from_secs(self.limits.guest_seconds);
        let result = {
            let run = async {
                let runner = self.pre.instantiate_async(&mut store).await?;
                work(&runner, &mut store).await
            };
            tokio::time::timeout(limit, run).await
        };
        match result {
            Err(_) => Err(Contained(format!("it ran for more than {} s (limit guest_seconds)", limit.as_secs()))),
            Ok(Ok(value)) => {
                self.memory_peak_bytes.fetch_max(store.data().meter.memory_peak_bytes, Ordering::Relaxed);
                tracing::debug!(runner = %self.name, ms = started.elapsed().as_millis(), memory = store.data().meter.memory_peak_bytes, "ran");
                Ok(value)
            }
            Ok(Err(error)) => Err(Contained(reason(&error, store.data()))),
        }
    }

    fn store(&self) -> Result<Store<Ward>, Contained> {
        let ward = Ward { meter: Meter::new(&self.limits), wasi: EmptyWasi::new() };
        let mut store = Store::new(&self.engine, ward);
        store.limiter(|ward| &mut ward.meter);
        store.epoch_deadline_async_yield_and_update(1);
        store.set_epoch_deadline(1);
        store.set_hostcall_fuel(self.limits.argument_bytes);
        store.set_fuel(self.limits.fuel()).map_err(|error| Contained(format!("{error:#}")))?;
        Ok(store)
    }
}

fn to_wire(files: &Files) -> Vec<api::File> {
    files.iter().map(|(path, file)| api::File { path: path.to_string(), bytes: file.bytes.to_vec() }).collect()
}

fn reason(error: &wasmtime::Error, ward: &Ward) -> String {
    match (error.downcast_ref::<Trap>(), ward.meter.refused) {
        (Some(Trap::OutOfFuel), _) => "it used up its CPU time (limit fuel_millions)".to_owned(),
        (Some(Trap::StackOverflow), _) => "its stack overflowed".to_owned(),
        (_, Some(refused)) => refused.to_string(),
        (Some(trap), None) => format!("the interpreter ended: {trap}"),
        (None, None) => line(&format!("{error:#}"), 300),
    }
}
