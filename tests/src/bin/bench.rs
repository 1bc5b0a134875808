//! What the sandbox and the ledger cost, beside the same work without them: the same component in a bare wasmtime program, and
//! the same HTTP request without a ledger. Prints a table and, last, one line of figures; ends with 1 where a target is missed.

use atelier_host::checks::Checks;
use atelier_host::ledger::NanoUsd;
use atelier_host::llm::dialects::{self, Dialect, Endpoint, Wire};
use atelier_host::llm::gateway::{CallContext, Gateway};
use atelier_host::llm::providers::Providers;
use atelier_host::llm::{Message, Request, Role};
use atelier_host::plugins::api::v0_1_0 as api;
use atelier_host::plugins::imports::{Context, Job, Owner, Services};
use atelier_host::plugins::registry::{Loaded, Registry};
use atelier_host::plugins::run::{self, Export};
use atelier_host::project::State;
use atelier_host::store::ledger::run_budget;
use atelier_host::store::runs::NewRun;
use atelier_host::workspace::overlay::Overlay;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tests::home::{Home, component};
use tests::model_server::{Answer, ModelServer};
use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Store};

/// Rounds of each pair; the median is shown.
const ROUNDS: usize = 15;
/// Calls within one round of the short ones.
const BATCH: u32 = 50;
/// Host calls of the guest, as in `tests/guests/src/many_calls.rs`.
const GUEST_CALLS: u32 = 4_000;

/// Instantiate and call with all limits on, at most so many times a bare program.
const RUN_RATIO_MAX: f64 = 3.0;
/// Long work inside the guest, metered, at most so many times a bare program.
const WORK_RATIO_MAX: f64 = 2.0;
/// A host call through our bindings, at most so many times one in a bare program.
const CALL_RATIO_MAX: f64 = 3.0;
/// A journaled host call, at most.
const JOURNALED_CALL_MAX: Duration = Duration::from_micros(20);
/// What reserve, dispatch and settle add to a model call, at most.
const LEDGER_MAX: Duration = Duration::from_millis(25);

struct Line {
    name: &'static str,
    bare: Option<Duration>,
    ours: Duration,
    good: bool,
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    match bench().await {
        Ok(true) => std::process::ExitCode::SUCCESS,
        Ok(false) => std::process::ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}

async fn bench() -> anyhow::Result<bool> {
    let server = ModelServer::scripted(|_, _| Answer::Usage("ok".to_owned(), 10, 10)).await;
    let home = Home::guest();
    let app = home.app(&server.url).await;
    let providers = Arc::new(Providers::open(&app.reader.settings, &app.reader.store, None).await?);
    let gateway = Arc::new(Gateway::new(app.reader.store.clone(), "bench".to_owned(), app.reader.settings.clone(), providers)?);
    let registry = Arc::new(Registry::open(&home.data())?);
    let checks = Arc::new(Checks::new(registry.clone()));
    let services = Services {
        store: app.reader.store.clone(),
        gateway: gateway.clone(),
        checks,
        parse_gate: true,
        index: true,
        progress: None,
        pausing: Arc::default(),
    };
    let (indexer, guest) = (registry.get("indexer")?, registry.get("guest")?);
    let engine = Engine::default();
    let mut lines = Vec::new();

    let short = "def greet(name):\n    return f\"Hello, {name}!\"\n".to_owned();
    let bare = indexer_pre(&engine)?;
    lines.push(
        pair(
            "instantiate + call, all limits on",
            RUN_RATIO_MAX,
            BATCH,
            || bare_index(&engine, &bare, &short),
            || our_index(&indexer, &services, &short),
        )
        .await?,
    );
    let long: String = (0..6_000).map(|number| format!("def function_{number}(a, b):\n    return a * {number} + b\n\n")).collect();
    lines.push(
        pair(
            "the same on a file of 300 kB",
            WORK_RATIO_MAX,
            1,
            || bare_index(&engine, &bare, &long),
            || our_index(&indexer, &services, &long),
        )
        .await?,
    );
    let bare = architect_pre(&engine)?;
    let mut call = pair(
        "a host call",
        CALL_RATIO_MAX,
        1,
        || bare_calls(&engine, &bare),
        || our_calls(&guest, &services, Export::Elicit, "elicit job-calls"),
    )
    .await?;
    call.ours /= GUEST_CALLS;
    call.bare = call.bare.map(|bare| bare / GUEST_CALLS);
    lines.push(call);
    let journaled = median(1, || our_calls(&guest, &services, Export::Verify, "verify file-calls")).await? / GUEST_CALLS;
    lines.push(Line { name: "a host call, granted and journaled", bare: None, ours: journaled, good: journaled <= JOURNALED_CALL_MAX });
    lines.push(metered_call(&app, &gateway, &server).await?);

    Ok(show(&lines))
}

fn show(lines: &[Line]) -> bool {
    let micros = |time: Duration| format!("{:.1} µs", time.as_secs_f64() * 1e6);
    println!("{:<38} {:>14} {:>14} {:>8}", "", "bare", "atelier", "ratio");
    let mut figures = Vec::new();
    for line in lines {
        let ratio = line.bare.map(|bare| line.ours.as_secs_f64() / bare.as_secs_f64());
        let shown = ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.2}"));
        let bare = line.bare.map_or("-".to_owned(), micros);
        let mark = if line.good { "" } else { "  TARGET MISSED" };
        println!("{:<38} {bare:>14} {:>14} {shown:>8}{mark}", line.name, micros(line.ours));
        figures.push(format!("{}={}", line.name.replace([' ', ','], "_"), ratio.map_or(micros(line.ours), |ratio| format!("{ratio:.2}x"))));
    }
    println!("bench {}", figures.join(" "));
    lines.iter().all(|line| line.good)
}

/// Both sides in turn, round by round, so that a slow moment of the machine hits both.
async fn pair<A, B>(
    name: &'static str,
    ratio_max: f64,
    batch: u32,
    mut bare: impl FnMut() -> A,
    mut ours: impl FnMut() -> B,
) -> anyhow::Result<Line>
where
    A: Future<Output = anyhow::Result<()>>,
    B: Future<Output = anyhow::Result<()>>,
{
    let (mut bare_times, mut our_times) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        bare_times.push(timed(batch, &mut bare).await?);
        our_times.push(timed(batch, &mut ours).await?);
    }
    let (bare, ours) = (middle(bare_times), middle(our_times));
    Ok(Line { name, bare: Some(bare), ours, good: ours.as_secs_f64() <= bare.as_secs_f64() * ratio_max })
}

async fn median<F: Future<Output = anyhow::Result<()>>>(batch: u32, mut work: impl FnMut() -> F) -> anyhow::Result<Duration> {
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        times.push(timed(batch, &mut work).await?);
    }
    Ok(middle(times))
}

async fn timed<F: Future<Output = anyhow::Result<()>>>(batch: u32, work: &mut impl FnMut() -> F) -> anyhow::Result<Duration> {
    let started = Instant::now();
    for _ in 0..batch {
        work().await?;
    }
    Ok(started.elapsed() / batch)
}

fn plain(error: wasmtime::Error) -> anyhow::Error {
    anyhow::anyhow!("{error:#}")
}

fn middle(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn indexer_pre(engine: &Engine) -> anyhow::Result<api::indexer::IndexerPre<()>> {
    let component = Component::from_binary(engine, &component("indexer")).map_err(plain)?;
    let mut linker = Linker::<()>::new(engine);
    linker.define_unknown_imports_as_traps(&component).map_err(plain)?;
    let pre = linker.instantiate_pre(&component).map_err(plain)?;
    api::indexer::IndexerPre::new(pre).map_err(plain)
}

async fn bare_index(engine: &Engine, pre: &api::indexer::IndexerPre<()>, text: &str) -> anyhow::Result<()> {
    let mut store = Store::new(engine, ());
    let instance = pre.instantiate_async(&mut store).await.map_err(plain)?;
    instance.call_index_file(&mut store, "a.py", text).await.map_err(plain)?;
    Ok(())
}

fn context(plugin: &Loaded, services: &Services, job: Job, export: &str) -> Context {
    let owner = Owner { project: "bench".to_owned(), run: "bench".to_owned(), wallet: "bench".to_owned(), lease: None, class: None };
    Context::new(owner, plugin.limits, plugin.granted(export), job, Overlay::default(), services.clone(), Vec::new())
}

async fn our_index(plugin: &Loaded, services: &Services, text: &str) -> anyhow::Result<()> {
    let context = context(plugin, services, Job::default(), "index-file");
    run::index_file(plugin, context, "a.py", text).await.map_err(anyhow::Error::msg)?;
    Ok(())
}

/// The guest's component, with the two imports that it will call and nothing around them.
fn architect_pre(engine: &Engine) -> anyhow::Result<api::architect::ArchitectPre<()>> {
    let component = Component::from_binary(engine, &component("guest")).map_err(plain)?;
    let mut linker = Linker::<()>::new(engine);
    linker.define_unknown_imports_as_traps(&component).map_err(plain)?;
    linker.allow_shadowing(true);
    let mut job = linker.instance("atelier:agent/job@0.1.0").map_err(plain)?;
    job.func_wrap("idea", |_, (): ()| Ok(("elicit job-calls".to_owned(),))).map_err(plain)?;
    job.func_wrap("attempt", |_, (): ()| Ok((1_u32,))).map_err(plain)?;
    let pre = linker.instantiate_pre(&component).map_err(plain)?;
    api::architect::ArchitectPre::new(pre).map_err(plain)
}

async fn bare_calls(engine: &Engine, pre: &api::architect::ArchitectPre<()>) -> anyhow::Result<()> {
    let mut store = Store::new(engine, ());
    let instance = pre.instantiate_async(&mut store).await.map_err(plain)?;
    let _ = instance.call_elicit(&mut store).await.map_err(plain)?;
    Ok(())
}

async fn our_calls(plugin: &Loaded, services: &Services, export: Export, idea: &str) -> anyhow::Result<()> {
    let job = Job { idea: idea.to_owned(), attempt: 1, ..Job::default() };
    let name = idea.split(' ').next().unwrap_or_default();
    let (_stop, stopped) = tokio::sync::watch::channel(false);
    let ended = run::call(plugin, export, context(plugin, services, job, name), stopped).await;
    match ended.outcome {
        // The guest reports through its failure.
        run::Outcome::Returned(Err(atelier_host::project::Failure::Impossible(_))) => Ok(()),
        other => Err(anyhow::anyhow!("the guest ended otherwise: {other:?}")),
    }
}

/// The same request over the same dialect, with and without the ledger around it.
async fn metered_call(app: &atelier_host::app::App, gateway: &Arc<Gateway>, server: &ModelServer) -> anyhow::Result<Line> {
    let store = &app.reader.store;
    store.open_wallet("bench", NanoUsd(i64::MAX / 4)).await?;
    store.create_project("bench", "bench", &State::new("bench"), NanoUsd(i64::MAX / 8)).await?;
    let new = NewRun {
        project: "bench",
        step: "bench",
        task: None,
        attempt: 1,
        plugin: "bench",
        plugin_sha256: "0",
        base_tree: "",
        task_limit: NanoUsd(i64::MAX / 8),
        run_limit: NanoUsd(i64::MAX / 8),
        lease: None,
    };
    let run = store.begin_run(&new, "").await?.id;
    store.register_boot("bench").await?;
    let messages = vec![Message { role: Role::User, text: "x".repeat(4_000), cache_prefix: false }];
    let endpoint = Endpoint {
        url: server.url.clone(),
        key: None,
        key_header: None,
        first_byte_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_secs(10),
    };
    let client = dialects::client()?;
    let (mut number, mut seq) = (0, 0);
    let bare = || {
        number += 1;
        let (client, endpoint, messages, id) = (client.clone(), endpoint.clone(), messages.clone(), format!("bare-{number}"));
        async move {
            let wire = Wire { model: "story", messages: &messages, max_output_tokens: 100, stop: &[], request_id: &id };
            let answer = Dialect::OpenAi.send(&client, &endpoint, &wire, |_, _| {}).await;
            answer.map(|_| ()).map_err(|failed| anyhow::anyhow!("{failed:?}"))
        }
    };
    let ours = || {
        seq += 1;
        let request = Request { class: "coder".to_owned(), messages: messages.clone(), max_output_tokens: 100, stop: vec![] };
        let context = CallContext {
            run: run.clone(),
            seq,
            fingerprint: "f".to_owned(),
            wallet: "bench".to_owned(),
            budget: run_budget(&run),
            lease: None,
        };
        let gateway = gateway.clone();
        async move {
            gateway.complete(context, request, &mut Vec::new()).await?;
            Ok(())
        }
    };
    let mut line = pair("a model call, with its ledger", f64::INFINITY, 5, bare, ours).await?;
    let added = line.ours.saturating_sub(line.bare.unwrap_or_default());
    line.good = added <= LEDGER_MAX;
    println!("The ledger adds {:.2} ms to a model call: two transactions, each written through to the disk.", added.as_secs_f64() * 1e3);
    Ok(line)
}
