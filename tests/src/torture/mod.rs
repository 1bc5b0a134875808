//! `kill -9` at random instants over real runs of the program, with a provider that keeps its own record on the disk. Whatever the
//! instant: the project is delivered in the end, every call that the provider served is in the ledger once, no user is charged twice for
//! one call or above the ceiling, and an undisturbed run costs the same.

pub mod bot;
mod workers;

use crate::conversation::Conversation;
use crate::database::Engine;
use crate::home::{Home, read};
use crate::model_server::{Answer, ModelServer};
use crate::program::{command, start};
use crate::root;
use crate::workshop::{Tasks, Workshop};
use anyhow::{Context, Result, ensure};
use atelier_host::app::Reader;
use atelier_host::ledger::NanoUsd;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// What is built while it is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// One task, whose first try is rejected: six calls, one after the other.
    OneTask,
    /// Tasks that are worked on at one time, between one that all need and one that needs them all. On a server by several workers.
    ManyTasks,
}

impl Work {
    /// Processes that work on a project at one time.
    pub fn workers(self) -> usize {
        match (self, Engine::of_tests()) {
            (Work::ManyTasks, Engine::Postgres) => WORKERS,
            _ => 1,
        }
    }
}

/// Workers beside each other, where the database lets them.
const WORKERS: usize = 3;

const ONE_TASK: &str = "tests/conversations/03-a-rejected-try-is-mended.md";
const MANY_TASKS: usize = 6;
const IDEA: &str = "add two numbers";
/// How long the provider thinks about an answer, at most.
const THINKING_MS_MAX: u64 = 40;
/// A run that takes longer than this hangs.
const RUN_TIME_MAX: Duration = Duration::from_secs(120);
/// After so many kills of one project it is left alone, so that it comes to its end.
const KILLS_OF_ONE_PROJECT_MAX: u32 = 12;

/// What an undisturbed run makes, takes and costs.
#[derive(Clone, Debug)]
struct Undisturbed {
    duration: Duration,
    calls: u64,
    charged: NanoUsd,
    tree: String,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Processes killed.
    pub kills: u32,
    /// Of these, while a request was with the provider.
    pub kills_during_a_call: u32,
    /// Projects delivered.
    pub projects: u32,
    /// Requests that the provider served.
    pub calls: u32,
    /// Calls made again because their answer died with a process; the house paid for the first.
    pub repeated: u32,
    /// Served requests that are not in the ledger, and projects that did not come out whole or with other files.
    pub lost: u32,
    /// Calls charged more than once, or projects charged other than an undisturbed run.
    pub doubled: u32,
    /// Nano-USD charged above a ceiling or a wallet.
    pub overshoot: i64,
}

/// Pseudo-random numbers that a seed repeats.
pub struct Dice(u64);

impl Dice {
    /// From a seed.
    pub fn new(seed: u64) -> Dice {
        Dice(seed ^ 0x9E37_79B9_7F4A_7C15)
    }

    /// Below a limit.
    pub fn below(&mut self, limit: u64) -> u64 {
        // Marsaglia's xorshift; good enough to choose instants.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit.max(1)
    }
}

/// Kills until there were so many kills and the last project is whole.
pub async fn torture(work: Work, kills: u32, seed: u64, mut progress: impl FnMut(&Figures)) -> Result<Figures> {
    let mut dice = Dice::new(seed);
    let undisturbed = undisturbed(work).await?;
    let mut figures = Figures::default();
    while figures.kills < kills {
        match work.workers() {
            1 => one_project(work, &mut figures, kills, &undisturbed, &mut dice).await?,
            count => workers::one_project(count, work, &mut figures, kills, &undisturbed, &mut dice).await?,
        }
        progress(&figures);
    }
    Ok(figures)
}

async fn undisturbed(work: Work) -> Result<Undisturbed> {
    let (home, server) = (Home::shipped(), provider(work, 1).await?);
    // Making the database is not part of the run.
    home.environment(&server.url);
    let began = Instant::now();
    let mut child = start(&home, &server.url, &arguments(&home.beside("out")));
    ensure!(wait(&mut child, RUN_TIME_MAX).await? == Some(0), "the undisturbed run failed");
    let duration = began.elapsed();
    let reader = Reader::open(home.settings(&server.url)).await?;
    let project = reader.store.history(1).await?.remove(0).id;
    let receipt = reader.store.receipt(&project).await?;
    Ok(Undisturbed { duration, calls: receipt.calls, charged: receipt.charged, tree: tree(&reader, &project).await? })
}

/// The digest of a project's finished files.
async fn tree(reader: &Reader, project: &str) -> Result<String> {
    Ok(reader.store.snapshots(project).await?.pop().map(|snapshot| snapshot.tree).unwrap_or_default())
}

async fn one_project(work: Work, figures: &mut Figures, kills: u32, undisturbed: &Undisturbed, dice: &mut Dice) -> Result<()> {
    let (home, server) = (Home::shipped(), provider(work, dice.below(u64::MAX)).await?);
    server.log_to(&home.beside("provider.jsonl"));
    let mut killed = 0;
    let exit = loop {
        let project = project(&home, &server.url).await?;
        // A folder of its own: one that a killed process had just filled is refused by the next.
        let out = home.beside(&format!("out-{killed}"));
        let mut child = match &project {
            Some(id) => start(&home, &server.url, &["resume", id, "--yes", "--out", &out.display().to_string()]),
            None => start(&home, &server.url, &arguments(&out)),
        };
        let disturbed = figures.kills < kills && killed < KILLS_OF_ONE_PROJECT_MAX;
        let patience = match disturbed {
            true => Duration::from_micros(dice.below(u64::try_from(undisturbed.duration.as_micros())?)),
            false => RUN_TIME_MAX,
        };
        if let Some(code) = wait(&mut child, patience).await? {
            break Some(code);
        }
        child.kill().context("kill -9")?;
        child.wait()?;
        ensure!(disturbed, "a run did not end in {RUN_TIME_MAX:?}");
        figures.kills += 1;
        killed += 1;
        figures.kills_during_a_call += u32::from(is_call_open(&home, &server.url).await?);
        check_books(&home, &server.url, figures).await?;
    };
    if exit != Some(0) {
        let resumed = project(&home, &server.url).await?.unwrap_or_default();
        let output = tokio::task::block_in_place(|| command(&home, &server.url, &["status", &resumed]).stdin(Stdio::null()).output())?;
        eprintln!("ended with {exit:?}: {}", String::from_utf8_lossy(&output.stdout));
        figures.lost += 1;
        return Ok(());
    }
    server.asked();
    judge(work, &home, &server, figures, undisturbed, &home.beside(&format!("out-{killed}"))).await
}

/// What must hold when everything is over.
async fn judge(work: Work, home: &Home, server: &ModelServer, figures: &mut Figures, undisturbed: &Undisturbed, out: &Path) -> Result<()> {
    let reader = Reader::open(home.settings(&server.url)).await?;
    let project = reader.store.history(1).await?.remove(0).id;
    let receipt = reader.store.receipt(&project).await?;
    figures.projects += 1;
    figures.repeated += u32::try_from(receipt.lost_calls)?;
    // What a prompt shows, and so costs, depends on which of several tasks came first; how many calls there are does not.
    let same_price = work == Work::ManyTasks || receipt.charged == undisturbed.charged;
    figures.doubled += u32::from(!same_price || receipt.calls != undisturbed.calls);
    figures.lost += u32::from(tree(&reader, &project).await? != undisturbed.tree);
    let record = read(&home.beside("provider.jsonl"));
    let lines: Vec<_> = record.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let comparison = reader.store.compare_with_provider(&lines).await?;
    figures.calls += u32::try_from(comparison.served)?;
    for violation in &comparison.violations {
        eprintln!("{violation}");
        figures.lost += 1;
    }
    for invariant in reader.store.audit(&reader.store.living_boots().await?).await? {
        for violation in invariant.violations {
            eprintln!("{}: {violation}", invariant.id);
            figures.lost += 1;
        }
    }
    let whole = ["project.zip", "repository", "REPORT.md"].iter().all(|name| out.join(name).exists());
    figures.lost += u32::from(!whole);
    Ok(())
}

/// What must hold right after a kill, before anything is recovered: everything but that the open holds have a living process.
async fn check_books(home: &Home, url: &str, figures: &mut Figures) -> Result<()> {
    let Ok(reader) = Reader::open(home.settings(url)).await else {
        anyhow::bail!("the database can't be opened after a kill");
    };
    for invariant in reader.store.audit(&[]).await?.into_iter().filter(|invariant| invariant.id != "I11") {
        for violation in invariant.violations {
            eprintln!("after a kill, {}: {violation}", invariant.id);
            figures.lost += 1;
        }
    }
    if let Some(project) = reader.store.history(1).await?.first() {
        let budget = reader.store.project_budget(&project.id).await?;
        figures.overshoot += (budget.spent - budget.limit).0.max(0);
        let balance = reader.store.balance("local").await?;
        figures.overshoot += (NanoUsd::ZERO - balance.balance).0.max(0);
        let mut charges: BTreeMap<String, u32> = BTreeMap::new();
        for entry in reader.store.entries("local", 1_000).await?.into_iter().filter(|entry| entry.kind == "charge") {
            let call = entry.reference.rsplit_once('/').map_or(entry.reference.clone(), |(call, _)| call.to_owned());
            *charges.entry(call).or_default() += 1;
        }
        figures.doubled += u32::try_from(charges.values().filter(|times| **times > 1).count())?;
    }
    Ok(())
}

async fn is_call_open(home: &Home, url: &str) -> Result<bool> {
    let reader = Reader::open(home.settings(url)).await?;
    Ok(reader.store.call_counts().await?.iter().any(|count| count.state == "dispatched"))
}

async fn project(home: &Home, url: &str) -> Result<Option<String>> {
    let reader = Reader::open(home.settings(url)).await?;
    Ok(reader.store.history(1).await?.pop().map(|project| project.id))
}

fn arguments(out: &Path) -> [String; 5] {
    ["run".to_owned(), IDEA.to_owned(), "--yes".to_owned(), "--out".to_owned(), out.display().to_string()]
}

/// The end of a process, or nothing if it takes longer.
async fn wait(child: &mut Child, patience: Duration) -> Result<Option<i32>> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status.code().unwrap_or(-1)));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        tokio::time::sleep(left.min(Duration::from_millis(1))).await;
    }
}

/// Answers by what is asked, since a call may come twice, after a while of its own each time.
async fn provider(work: Work, seed: u64) -> Result<ModelServer> {
    if work == Work::ManyTasks {
        let mut dice = Dice::new(seed);
        // Among several workers, the longer an answer takes the more of them have one under way.
        let most = THINKING_MS_MAX * work.workers() as u64;
        let thinking = move || Duration::from_millis(dice.below(most));
        return Ok(Workshop::new(MANY_TASKS, Tasks::Diamond, thinking).await.server);
    }
    let text = read(&root().join(ONE_TASK));
    let replies = Conversation::read(&text).map_err(anyhow::Error::msg)?.texts("model");
    let mut seen: Vec<String> = Vec::new();
    let mut dice = Dice::new(seed);
    let server = ModelServer::scripted(move |asked, _| {
        let asked = asked.text();
        let number = seen.iter().position(|known| *known == asked).unwrap_or_else(|| {
            seen.push(asked);
            seen.len() - 1
        });
        let answer = replies.get(number).map_or(Answer::Status(500), |reply| Answer::Text(reply.clone()));
        Answer::Slow(Duration::from_millis(dice.below(THINKING_MS_MAX)), Box::new(answer))
    })
    .await;
    Ok(server)
}
