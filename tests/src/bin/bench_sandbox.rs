//! What the sandbox costs: calls, host calls by import, memory of live instances, and loading; each beside a bare wasmtime program that
//! does the same, for guests in Rust, JavaScript and Python. Prints tables and, last, one line of figures; ends with 1 where a target is missed.

use anyhow::Context as _;
use atelier_host::plugins::limits::AGENT_RUNS_MAX;
use atelier_host::plugins::registry::Registry;
use atelier_host::plugins::run::Export;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};
use tests::bare::{self, plain};
use tests::home::{Home, component};
use tests::measure::{Line, figures, median, pair, table};
use tests::sandboxed::Sandboxed;
use wasmtime::component::Component;
use wasmtime::{Cache, CacheConfig, Config, Engine};

/// Calls within one round.
const BATCH: u32 = 50;
/// Host calls of the guest, as in `tests/guests/src/many_calls.rs`: most, and those that ask the database.
const GUEST_CALLS: u32 = 4_000;
const GUEST_STORED_CALLS: u32 = 200;
/// Instantiate and call with all limits on, at most so many times a bare program.
const RUN_RATIO_MAX: f64 = 2.0;
/// What the host may add to a call of an import that needs no database.
const ADDED_MAX: Duration = Duration::from_micros(3);
/// Runs in the middle of their work that have room in one GiB, at least.
const LIVE_PER_GIB_MIN: u64 = 5_000;
/// So many are really held.
const LIVE: usize = 5_000;
/// Interpreters; the memory of fewer tells as much.
const LIVE_INTERPRETERS: usize = 100;
const GIB: u64 = 1024 * 1024 * 1024;
/// Linux counts resident memory in these.
const PAGE_BYTES: u64 = 4096;
const NOWHERE: &str = "http://127.0.0.1:9/v1";
/// The agents in every language: the component, and what they are called here.
const AGENTS: [(&str, &str); 3] = [("guest", "Rust"), ("architect-javascript", "JavaScript"), ("architect-python", "Python")];

#[tokio::main]
async fn main() -> anyhow::Result<std::process::ExitCode> {
    let home = home();
    let host = Sandboxed::new(&home, NOWHERE, AGENT_RUNS_MAX).await?;
    let calls = calls(&host).await?;
    let imports = imports(&host).await?;
    let crowded = self::home();
    let live = live(&Sandboxed::new(&crowded, NOWHERE, LIVE).await?).await?;
    let loads = loads().await?;
    let fast = table(&calls);
    println!();
    let cheap = show_imports(&imports);
    println!();
    let small = show_live(&live);
    println!();
    table(&loads);
    println!();
    println!("sandbox {} {} {}", figures(&calls), import_figures(&imports), live_figures(&live));
    Ok(if fast && cheap && small { std::process::ExitCode::SUCCESS } else { std::process::ExitCode::FAILURE })
}

fn home() -> Home {
    let home = Home::guest();
    AGENTS.iter().filter(|(name, _)| *name != "guest").for_each(|(name, _)| home.pin_example(name));
    home
}

/// Instances and calls, in every language.
async fn calls(host: &Sandboxed) -> anyhow::Result<Vec<Line>> {
    let engine = Engine::default();
    let text = "def greet(name):\n    return f\"Hello, {name}!\"\n".to_owned();
    let (indexer, bare) = (host.registry.get("indexer")?, bare::Indexer::new(&engine, &component("indexer"))?);
    let ours = || host.index(&indexer, &text);
    let mut lines = vec![pair("instantiate + call, indexer", RUN_RATIO_MAX, BATCH, || bare.index(&text), ours).await?];
    for (name, language) in AGENTS {
        let (plugin, bare) = (host.registry.get(name)?, bare::Architect::new(&engine, &component(name), "")?);
        let ours = || host.call(&plugin, Export::Verify, "");
        let both = format!("instantiate + call, {language} agent");
        lines.push(pair(both, RUN_RATIO_MAX, BATCH, || bare.verify(), ours).await?);
        let ours = || async { host.instance(&plugin, "").await.map(drop) };
        let alone = format!("instantiate, {language} agent");
        lines.push(pair(alone, f64::INFINITY, BATCH, || async { bare.instance().await.map(drop) }, ours).await?);
        let again = format!("a call more of the same instance, {language} agent");
        lines.push(Line { name: again, bare: Some(bare_again(&bare).await?), ours: our_again(host, &plugin).await?, good: true });
    }
    Ok(lines)
}

async fn bare_again(bare: &bare::Architect) -> anyhow::Result<Duration> {
    let (mut store, instance) = bare.instance().await?;
    let began = Instant::now();
    for _ in 0..BATCH {
        let _ = instance.call_verify(&mut store).await.map_err(plain)?;
    }
    Ok(began.elapsed() / BATCH)
}

async fn our_again(host: &Sandboxed, plugin: &atelier_host::plugins::registry::Loaded) -> anyhow::Result<Duration> {
    let (mut store, instance) = host.instance(plugin, "").await?;
    let began = Instant::now();
    for _ in 0..BATCH {
        let _ = instance.call_verify(&mut store).await.map_err(plain)?;
    }
    Ok(began.elapsed() / BATCH)
}

/// A call of an import.
struct Import {
    name: &'static str,
    bare: Option<Duration>,
    ours: Duration,
}

impl Import {
    fn added(&self) -> Option<Duration> {
        self.bare.map(|bare| self.ours.saturating_sub(bare))
    }
}

async fn imports(host: &Sandboxed) -> anyhow::Result<Vec<Import>> {
    let (engine, guest) = (Engine::default(), host.registry.get("guest")?);
    let writer = host.registry.get("guest-implementer")?;
    let mut all = Vec::new();
    for (name, idea) in [
        ("job.attempt", "verify job-calls"),
        ("log.write", "verify log-calls"),
        ("workspace.list-files", "verify file-calls"),
        ("workspace.read, 1 kB", "verify read-calls"),
    ] {
        let bare = bare::Architect::new(&engine, &component("guest"), idea)?;
        let line = pair(name, f64::INFINITY, 1, || bare.verify(), || host.call(&guest, Export::Verify, idea)).await?;
        all.push(Import { name, bare: line.bare.map(|bare| bare / GUEST_CALLS), ours: line.ours / GUEST_CALLS });
    }
    for (name, idea) in [("credits.left", "implement left-calls"), ("index.search", "implement search-calls")] {
        let ours = median(1, || host.call(&writer, Export::Implement, idea)).await? / GUEST_STORED_CALLS;
        all.push(Import { name, bare: None, ours });
    }
    Ok(all)
}

fn show_imports(imports: &[Import]) -> bool {
    println!("{:<54} {:>14} {:>14} {:>14}", "a host call of", "bare", "atelier", "added");
    let micros = |time: Option<Duration>| time.map_or("-".to_owned(), |time| format!("{:.2} µs", time.as_secs_f64() * 1e6));
    let mut good = true;
    for import in imports {
        let is_cheap = import.added().is_none_or(|added| added <= ADDED_MAX);
        good &= is_cheap;
        let mark = if is_cheap { "" } else { "  TARGET MISSED" };
        println!("{:<54} {:>14} {:>14} {:>14}{mark}", import.name, micros(import.bare), micros(Some(import.ours)), micros(import.added()));
    }
    good
}

/// Runs that are in the middle of their work, each on a stack of its own.
struct Live {
    name: String,
    held: usize,
    bytes: u64,
    good: bool,
}

type Run<'a> = Pin<Box<dyn Future<Output = anyhow::Result<()>> + 'a>>;

async fn live(host: &Sandboxed) -> anyhow::Result<Vec<Live>> {
    let guest = host.registry.get("guest")?;
    let mut config = Config::new();
    config.epoch_interruption(true);
    let engine = Engine::new(&config).map_err(plain)?;
    let ticked = engine.clone();
    let (over, ended) = std::sync::mpsc::channel::<()>();
    let ticker = std::thread::spawn(move || {
        while ended.recv_timeout(Duration::from_millis(10)) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            ticked.increment_epoch();
        }
    });
    let bare = bare::Architect::new(&engine, &component("guest"), "verify spin")?;
    let mut all = vec![
        held("bare, Rust agent at work".to_owned(), LIVE, || Box::pin(bare.verify_in_turns()))?,
        held("atelier, Rust agent at work".to_owned(), LIVE, || Box::pin(host.call(&guest, Export::Verify, "verify spin")))?,
    ];
    all[1].good = GIB / all[1].bytes.max(1) >= LIVE_PER_GIB_MIN;
    drop(over);
    ticker.join().map_err(|_| anyhow::anyhow!("the ticker panicked"))?;
    for (name, language) in AGENTS {
        let plugin = host.registry.get(name)?;
        let instance = || async {
            let (mut store, instance) = host.instance(&plugin, "").await?;
            let _ = instance.call_verify(&mut store).await.map_err(plain)?;
            std::future::pending::<()>().await;
            drop(store);
            Ok(())
        };
        all.push(held(format!("atelier, {language} agent after a call"), LIVE_INTERPRETERS, || Box::pin(instance()))?);
    }
    Ok(all)
}

/// Begins so many and holds them all, each until it gives the thread back for the first time with its guest at work.
fn held<'a>(name: String, count: usize, mut begin: impl FnMut() -> Run<'a>) -> anyhow::Result<Live> {
    let mut context = std::task::Context::from_waker(Waker::noop());
    let mut runs = Vec::with_capacity(count);
    // The first loads what all share.
    let mut first = begin();
    let _ = first.as_mut().poll(&mut context);
    let before = resident_bytes()?;
    for _ in 0..count {
        let mut run = begin();
        if let Poll::Ready(ended) = run.as_mut().poll(&mut context) {
            ended.context("it should be at work")?;
            anyhow::bail!("{name}: it was to be held, and ended");
        }
        runs.push(run);
    }
    let bytes = resident_bytes()?.saturating_sub(before) / count as u64;
    Ok(Live { name, held: runs.len(), bytes, good: true })
}

fn show_live(live: &[Live]) -> bool {
    println!("{:<54} {:>14} {:>14} {:>14}", "live runs", "held", "each", "in one GiB");
    for one in live {
        let mark = if one.good { "" } else { "  TARGET MISSED" };
        println!("{:<54} {:>14} {:>10} KiB {:>14}{mark}", one.name, one.held, one.bytes / 1024, GIB / one.bytes.max(1));
    }
    live.iter().all(|one| one.good)
}

fn resident_bytes() -> anyhow::Result<u64> {
    let pages = std::fs::read_to_string("/proc/self/statm")?;
    Ok(pages.split(' ').nth(1).context("statm has a second field")?.parse::<u64>()? * PAGE_BYTES)
}

/// Loading with an empty compile cache and with a full one.
async fn loads() -> anyhow::Result<Vec<Line>> {
    let mut lines = Vec::new();
    for (name, language) in AGENTS {
        let home = home();
        let (cache, bytes) = (tempfile::tempdir()?, component(name));
        std::fs::remove_file(home.data().join("cache"))?;
        let bare = || -> anyhow::Result<Duration> {
            let mut settings = CacheConfig::new();
            settings.with_directory(cache.path());
            let mut config = Config::new();
            config.cache(Some(Cache::new(settings).map_err(plain)?));
            let engine = Engine::new(&config).map_err(plain)?;
            let began = Instant::now();
            Component::from_binary(&engine, &bytes).map_err(plain)?;
            Ok(began.elapsed())
        };
        let ours = || -> anyhow::Result<Duration> {
            let registry = Arc::new(Registry::open(&home.data())?);
            let began = Instant::now();
            registry.get(name)?;
            Ok(began.elapsed())
        };
        for kind in ["cold", "cached"] {
            lines.push(Line { name: format!("load, {kind}, {language} agent"), bare: Some(bare()?), ours: ours()?, good: true });
            // The cache is written beside the work.
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
    }
    Ok(lines)
}

fn import_figures(imports: &[Import]) -> String {
    let figure = |import: &Import| Some(format!("added_us_{}={:.2}", import.name.split(',').next()?, import.added()?.as_secs_f64() * 1e6));
    imports.iter().filter_map(figure).collect::<Vec<_>>().join(" ")
}

fn live_figures(live: &[Live]) -> String {
    let name = |one: &Live| one.name.replace(", ", "_").replace(' ', "_");
    live.iter().map(|one| format!("live_per_gib_{}={}", name(one), GIB / one.bytes.max(1))).collect::<Vec<_>>().join(" ")
}
