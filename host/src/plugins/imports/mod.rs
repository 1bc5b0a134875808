//! What a guest can ask of the host: one file per interface of `wit/`. Every call is numbered in the journal, counted and, where
//! it carries authority, checked against the grants of the export that runs.

mod checks;
mod credits;
mod dialogue;
mod index;
mod job;
mod llm;
mod log;
mod workspace;

use super::api::v0_1_0::interfaces::HostImports;
use super::journal::{Call, Diverged, Journal};
use super::limits::{Limits, Meter};
use super::manifest::{Grant, Granted};
use super::run::{Ending, HostClock};
use super::wasi::EmptyWasi;
use crate::checks::Checks;
use crate::index::pool::Pool;
use crate::llm::gateway::Gateway;
use crate::project::{AcceptedTask, Brief, CheckResult, Finding, Plan, Refusal, SourceFile, Task};
use crate::store::Store;
use crate::store::runs::JournalRow;
use crate::store::steps::Lease;
use crate::workspace::Files;
use crate::workspace::overlay::Overlay;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;
use tokio::sync::mpsc;
use wasmtime::component::{HasSelf, Linker};
use wasmtime_wasi::{WasiCtxView, WasiView};

/// A run may call beyond its limit so often, getting a refusal each time, before it is ended.
const CALLS_AFTER_LIMIT_MAX: u32 = 1_000;

/// What a run is about; see `wit/v0.1.0/job.wit`. It is stored with the run, so that a replay gets the same.
#[derive(Clone, Debug, Default, Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Job {
    /// The user's idea.
    pub idea: String,
    /// The user's language.
    pub locale: String,
    /// Languages with a runner.
    pub languages: Vec<String>,
    /// The brief, once there is one.
    pub brief: Option<Brief>,
    /// The plan, once there is one.
    pub plan: Option<Plan>,
    /// The task at hand.
    pub task: Option<Task>,
    /// Its try.
    pub attempt: u32,
    /// Why the last try was rejected.
    pub findings: Vec<Finding>,
    /// What the checks did.
    pub results: Vec<CheckResult>,
    /// What was done before.
    pub accepted: Vec<AcceptedTask>,
    /// Files sent with the idea.
    pub attachments: Vec<SourceFile>,
    /// The operator's settings for the plugin.
    pub settings: Vec<(String, String)>,
    /// The brief before the change that is asked for.
    pub previous_brief: Option<Brief>,
    /// What the user wants changed.
    pub change_request: Option<String>,
}

/// What the host offers to a run.
#[derive(Clone)]
pub struct Services {
    /// Stored things.
    pub store: Store,
    /// Model calls.
    pub gateway: Arc<Gateway>,
    /// Executes checks.
    pub checks: Arc<Checks>,
    /// Whether files that do not parse are refused.
    pub parse_gate: bool,
    /// The code indexes; without them every answer is empty.
    pub indexes: Option<Pool>,
    /// Hears what guests say to the user.
    pub progress: Option<mpsc::Sender<Progress>>,
    /// Somebody wants the project to wait: no model call begins any more.
    pub pausing: Arc<AtomicBool>,
}

/// Something a guest says to the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The words.
    pub text: String,
    /// Of this run.
    pub percent: u8,
}

/// Whom a run works for.
#[derive(Clone, Debug)]
pub struct Owner {
    /// The project.
    pub project: String,
    /// The run.
    pub run: String,
    /// Who pays.
    pub wallet: String,
    /// The right to work on the run's step, where workers share the work.
    pub lease: Option<Lease>,
    /// The class of model that is used, whatever the guest asks for, if the user chose one.
    pub class: Option<String>,
}

/// Everything that belongs to one run.
pub struct Context {
    pub(super) meter: Meter,
    pub(super) clock: Arc<HostClock>,
    pub(super) started: Instant,
    pub(super) journal: Journal,
    pub(super) overlay: Overlay,
    job: Arc<Job>,
    granted: Granted,
    /// None where nothing is granted, so that nothing can be asked for either.
    services: Option<Services>,
    owner: Owner,
    limits: Limits,
    log_bytes_left: usize,
    questions_left: u32,
    may_ask: bool,
    /// How often the model was asked the same.
    asked: BTreeMap<String, u32>,
    /// Made when a guest first asks for it; most can't.
    wasi: Option<EmptyWasi>,
}

impl WasiView for Context {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.wasi.get_or_insert_with(EmptyWasi::new).view()
    }
}

impl Context {
    /// A run that is about to begin, or to be replayed from these rows.
    pub fn new(
        owner: Owner,
        limits: Limits,
        granted: Granted,
        job: Job,
        overlay: Overlay,
        services: Services,
        recorded: Vec<JournalRow>,
    ) -> Context {
        Context {
            meter: Meter::new(&limits),
            clock: Arc::default(),
            started: Instant::now(),
            journal: Journal::new(owner.run.clone(), recorded),
            overlay,
            job: Arc::new(job),
            granted,
            services: Some(services),
            owner,
            limits,
            log_bytes_left: limits.log_bytes,
            questions_left: limits.questions,
            may_ask: true,
            asked: BTreeMap::new(),
            wasi: None,
        }
    }

    /// A run that is granted nothing at all and belongs to nobody: whatever it asks for is refused. `export` of `plugin` is called.
    pub fn of_nobody(plugin: &str, export: &str, limits: Limits) -> Context {
        let owner =
            Owner { project: String::new(), run: format!("smoke call of {plugin}"), wallet: String::new(), lease: None, class: None };
        Context {
            meter: Meter::new(&limits),
            clock: Arc::default(),
            started: Instant::now(),
            journal: Journal::new(owner.run.clone(), Vec::new()),
            overlay: Overlay::new(Files::new(), Vec::new(), BTreeSet::new()),
            job: Arc::default(),
            granted: Granted::nothing(plugin, export),
            services: None,
            owner,
            limits,
            log_bytes_left: limits.log_bytes,
            questions_left: 0,
            may_ask: false,
            asked: BTreeMap::new(),
            wasi: None,
        }
    }

    /// A run in which the user is not asked anything: the project is being built.
    pub fn without_questions(mut self) -> Context {
        self.may_ask = false;
        self
    }

    /// A run that is only replayed: nothing goes on live after the record.
    pub fn closed(mut self) -> Context {
        self.journal = self.journal.closed();
        self
    }

    /// Set when somebody wants the project to wait.
    pub fn pausing(&self) -> Arc<AtomicBool> {
        self.services.as_ref().map(|services| services.pausing.clone()).unwrap_or_default()
    }

    /// What the host offers; asked for after the grant was checked, so a run of nobody never comes here.
    fn services(&self) -> wasmtime::Result<&Services> {
        self.services.as_ref().ok_or_else(|| Ending::HostFailed("this run is offered nothing".to_owned()).into())
    }

    /// Numbers a call, within the limit.
    fn open(&mut self, name: &'static str, arguments: &impl Serialize) -> wasmtime::Result<Call> {
        if self.journal.calls() >= self.limits.host_calls.saturating_add(CALLS_AFTER_LIMIT_MAX) {
            return Err(Ending::CallStorm.into());
        }
        if self.journal.bytes() > self.limits.journal_bytes() {
            return Err(Ending::JournalFull.into());
        }
        self.journal.call(name, arguments).map_err(diverged)
    }

    /// Whether this call may do what it asks.
    fn allow(&self, call: &Call, grant: Grant) -> Result<(), Refusal> {
        if call.seq >= self.limits.host_calls {
            return Err(Refusal::CallLimit);
        }
        self.granted.check(grant).map_err(|line| {
            // Where nothing is granted to anybody there is nothing to tell an operator.
            if self.services.is_some() {
                tracing::warn!(run = %self.owner.run, "denied: {}; this would allow it: {line}", call.name);
            }
            Refusal::Denied(line)
        })
    }

    /// A call whose answer follows from what the run was given: made again in a replay, and compared.
    fn local<T: Serialize>(
        &mut self,
        name: &'static str,
        arguments: &impl Serialize,
        grant: Grant,
        make: impl FnOnce(&mut Self) -> Result<T, Refusal>,
    ) -> wasmtime::Result<Result<T, Refusal>> {
        let call = self.open(name, arguments)?;
        let answer = self.allow(&call, grant).and_then(|()| make(self));
        self.journal.compare(&call, &answer).map_err(diverged)?;
        Ok(answer)
    }
}

/// Adds every interface to the linker, once.
pub fn add_to_linker(linker: &mut Linker<Context>) -> wasmtime::Result<()> {
    HostImports::add_to_linker::<_, HasSelf<_>>(linker, |context| context)
}

fn diverged(error: Diverged) -> wasmtime::Error {
    Ending::Diverged(error).into()
}

fn host_failed(error: impl std::fmt::Display) -> wasmtime::Error {
    Ending::HostFailed(error.to_string()).into()
}
