//! `make bench-gateway`: what the ledger costs a model call. The same requests over the same dialect go out bare, through the gateway on
//! SQLite (synchronous, FULL) and on PostgreSQL (durable), and through LiteLLM's proxy where it is installed, in turns and at 1, 8 and 32
//! clients; then fifty calls race for a budget that fits three. The model is a process of its own, whose time is nobody's. Prints tables
//! and, last, one line of figures; ends with 1 where a target is missed.

use anyhow::{Context, Result, ensure};
use atelier_host::app::App;
use atelier_host::ledger::NanoUsd;
use atelier_host::llm::dialects::{self, Dialect, Endpoint, Wire};
use atelier_host::llm::gateway::{CallContext, Gateway};
use atelier_host::llm::providers::Providers;
use atelier_host::llm::{Completion, Message, Request, Role};
use atelier_host::project::State;
use atelier_host::store::ledger::run_budget;
use atelier_host::store::runs::NewRun;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tests::database::Cluster;
use tests::home::{Home, assert_sound};
use tests::model_server::{Answer, ModelServer};
use tests::root;

/// Clients at once.
const CLIENTS: [usize; 3] = [1, 8, 32];
/// Calls of a round of ours, and of the peer's, which takes far longer for each.
const CALLS: usize = 640;
const PEER_CALLS: usize = 128;
/// Rounds of each kind; the median is shown. One more, the first, does not count.
const ROUNDS: usize = 5;
const PROMPT_BYTES: usize = 4_000;
const MAX_TOKENS: u32 = 300;
/// Calls that race for a budget, and how many of them it fits.
const RACERS: usize = 50;
const FITS: [f64; 2] = [3.0, 3.2];
/// What a model in a race thinks about each answer.
const RACE_DELAY: Duration = Duration::from_millis(200);

/// What a metered call on SQLite may add to a bare one, at one client.
const ADDED_CPU_MS_MAX: f64 = 0.5;
const ADDED_P50_MS_MAX: f64 = 2.0;
/// Metered calls a second on SQLite, at the best number of clients.
const CALLS_PER_S_MIN: f64 = 1_000.0;
/// How much more CPU the peer takes for a call.
const PEER_CPU_RATIO_MIN: f64 = 15.0;

/// What a round came to.
#[derive(Clone, Copy, Debug, Default)]
struct Round {
    calls_per_s: f64,
    p50_ms: f64,
    p99_ms: f64,
    cpu_ms: f64,
    /// Of the database's server, where it is one.
    server_cpu_ms: f64,
    rss_mib: f64,
}

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let result = match std::env::args().nth(1).as_deref() {
        Some("model") => runtime.block_on(model(std::env::args().nth(2).and_then(|delay| delay.parse().ok()).unwrap_or(0))),
        _ => runtime.block_on(bench()),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The process that answers: at once or after so many milliseconds, with all the tokens that it was allowed.
async fn model(delay_ms: u64) -> Result<bool> {
    let server = ModelServer::scripted(move |asked, _| {
        let allowed = asked.body["max_tokens"].as_u64().unwrap_or(0);
        let answer = Answer::Usage("word ".repeat(60), PROMPT_BYTES as u64 / 4, allowed);
        if delay_ms == 0 { answer } else { Answer::Slow(Duration::from_millis(delay_ms), Box::new(answer)) }
    })
    .await;
    println!("{}", server.url);
    // It ends when nobody holds its input any more.
    tokio::task::spawn_blocking(|| std::io::stdin().lines().count()).await?;
    Ok(true)
}

/// A model process, ended with this value.
struct Model {
    url: String,
    _process: Child,
}

impl Model {
    fn start(delay: Duration) -> Result<Model> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(["model", &delay.as_millis().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut url = String::new();
        BufReader::new(process.stdout.take().context("its output")?).read_line(&mut url)?;
        Ok(Model { url: url.trim().to_owned(), _process: process })
    }
}

async fn bench() -> Result<bool> {
    let model = Model::start(Duration::ZERO)?;
    let cluster = Cluster::start(true);
    let sqlite = Meter::new(&model.url, None).await?;
    let postgres = Meter::new(&model.url, Some(&cluster)).await?;
    let mut peer = Peer::start()?;
    let mut rounds: BTreeMap<(&str, usize), Vec<Round>> = BTreeMap::new();
    for number in 0..=ROUNDS {
        for clients in CLIENTS {
            let mut note = |name, round| {
                if number > 0 {
                    rounds.entry((name, clients)).or_default().push(round);
                }
            };
            note("bare", bare(&model.url, clients).await?);
            note("sqlite", sqlite.round(clients).await?);
            note("postgres", postgres.round(clients).await?);
            if let Some(peer) = &mut peer {
                note("litellm", peer.round(clients)?);
            }
        }
    }
    for meter in [&sqlite, &postgres] {
        assert_sound(&meter.app).await;
    }
    let rounds: BTreeMap<_, _> = rounds.into_iter().map(|(key, rounds)| (key, median(&rounds))).collect();
    show(&rounds);
    let races = race(peer.as_mut(), &cluster).await?;
    let good = judge(&rounds, &races);
    drop(peer);
    Ok(good)
}

/// The same requests without anything around them.
async fn bare(url: &str, clients: usize) -> Result<Round> {
    let client = dialects::client()?;
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let endpoint = Endpoint {
        url: url.to_owned(),
        key: None,
        key_header: None,
        first_byte_timeout: Duration::from_secs(30),
        idle_timeout: Duration::from_secs(30),
    };
    measure(clients, None, |_, _| {
        let (client, endpoint) = (client.clone(), endpoint.clone());
        async move {
            let id = format!("bare-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
            let messages = [message()];
            let wire = Wire { model: "story", messages: &messages, max_output_tokens: MAX_TOKENS.into(), stop: &[], request_id: &id };
            let answer = Dialect::OpenAi.send(&client, &endpoint, &wire, |_, _| {}).await;
            answer.map(|_| ()).map_err(|failed| anyhow::anyhow!("{failed:?}"))
        }
    })
    .await
}

/// A gateway over a store, with a user for each client.
struct Meter {
    app: App,
    gateway: Arc<Gateway>,
    name: String,
    runs: Vec<String>,
    seq: AtomicU32,
    server: Option<u32>,
    _home: Home,
}

impl Meter {
    async fn new(url: &str, cluster: Option<&Cluster>) -> Result<Meter> {
        let mut home = Home::empty();
        home.variables.push(("ATELIER_CALLS_PER_PROJECT", "1000000".to_owned()));
        if let Some(cluster) = cluster {
            home.variables.push(("ATELIER_DATABASE_URL", cluster.create()));
        }
        let app = App::build(home.settings(url)).await?;
        let store = &app.reader.store;
        // The model refuses an id that it has seen, and ids are made from the run's.
        static METERS: AtomicU32 = AtomicU32::new(0);
        let name = format!("meter{}", METERS.fetch_add(1, Ordering::Relaxed));
        let mut runs = Vec::new();
        for user in 0..CLIENTS[CLIENTS.len() - 1] {
            runs.push(open(&app, &format!("{name}-user{user}"), NanoUsd(500_000_000_000_000)).await?);
        }
        store.register_boot("bench").await?;
        let providers = Arc::new(Providers::open(&app.reader.settings, store, None).await?);
        let gateway = Arc::new(Gateway::new(store.clone(), "bench".to_owned(), app.reader.settings.clone(), providers)?);
        Ok(Meter { app, gateway, name, runs, seq: AtomicU32::new(0), server: cluster.map(Cluster::postmaster), _home: home })
    }

    async fn call(&self, client: usize) -> Result<Completion> {
        let (run, seq) = (self.runs[client].clone(), self.seq.fetch_add(1, Ordering::Relaxed));
        let request = Request { class: "coder".to_owned(), messages: vec![message()], max_output_tokens: MAX_TOKENS, stop: vec![] };
        let wallet = run.split('.').next().unwrap_or_default().to_owned();
        let context = CallContext { lease: None, budget: run_budget(&run), run, seq, fingerprint: "f".to_owned(), wallet };
        Ok(self.gateway.complete(context, request, &mut Vec::new()).await?)
    }

    async fn round(&self, clients: usize) -> Result<Round> {
        measure(clients, self.server, |client, _| async move {
            match self.call(client).await? {
                Completion::Stored(Ok(_)) => Ok(()),
                other => Err(anyhow::anyhow!("{other:?}")),
            }
        })
        .await
    }
}

/// A wallet and a project of the same name with so much in it, and an open run.
async fn open(app: &App, name: &str, limit: NanoUsd) -> Result<String> {
    let store = &app.reader.store;
    store.open_wallet(name, limit).await?;
    store.create_project(name, name, &State::new("a benchmark"), limit).await?;
    let new = NewRun {
        project: name,
        step: "bench",
        task: None,
        attempt: 1,
        plugin: "bench",
        plugin_sha256: "0",
        base_tree: "",
        task_limit: limit,
        run_limit: limit,
        lease: None,
    };
    Ok(store.begin_run(&new, "").await?.id)
}

fn message() -> Message {
    Message { role: Role::User, text: "x".repeat(PROMPT_BYTES), cache_prefix: false }
}

/// So many clients share the calls of a round.
async fn measure<F: Future<Output = Result<()>>>(clients: usize, server: Option<u32>, call: impl Fn(usize, usize) -> F) -> Result<Round> {
    let (cpu, server_cpu, began) = (cpu_ms(std::process::id()), server.map_or(0.0, family_cpu_ms), Instant::now());
    let each = CALLS / clients;
    let call = &call;
    let one = |client: usize| async move {
        let mut times = Vec::with_capacity(each);
        for number in 0..each {
            let began = Instant::now();
            call(client, number).await?;
            times.push(began.elapsed());
        }
        anyhow::Ok(times)
    };
    let mut times: Vec<Duration> = futures_util::future::try_join_all((0..clients).map(one)).await?.into_iter().flatten().collect();
    let seconds = began.elapsed().as_secs_f64();
    times.sort();
    let calls = times.len() as f64;
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e3;
    Ok(Round {
        calls_per_s: calls / seconds,
        p50_ms: at(0.5),
        p99_ms: at(0.99),
        cpu_ms: (cpu_ms(std::process::id()) - cpu) / calls,
        server_cpu_ms: server.map_or(0.0, |server| (family_cpu_ms(server) - server_cpu) / calls),
        rss_mib: rss_mib(),
    })
}

/// User and system time of a process, in milliseconds. The kernel counts in hundredths of a second.
fn cpu_ms(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks = |place: usize| fields.get(place).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) * 10.0
}

/// The same of a process and its children.
fn family_cpu_ms(parent: u32) -> f64 {
    let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
    cpu_ms(parent) + children.split_whitespace().filter_map(|child| child.parse().ok()).map(cpu_ms).sum::<f64>()
}

fn rss_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}

fn median(rounds: &[Round]) -> Round {
    let of = |value: fn(&Round) -> f64| {
        let mut values: Vec<f64> = rounds.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    Round {
        calls_per_s: of(|round| round.calls_per_s),
        p50_ms: of(|round| round.p50_ms),
        p99_ms: of(|round| round.p99_ms),
        cpu_ms: of(|round| round.cpu_ms),
        server_cpu_ms: of(|round| round.server_cpu_ms),
        rss_mib: of(|round| round.rss_mib),
    }
}

fn show(rounds: &BTreeMap<(&str, usize), Round>) {
    println!("{ROUNDS} rounds of {CALLS} calls ({PEER_CALLS} of the peer's), in turns; medians");
    println!(
        "{:<10} {:>7} {:>9} {:>9} {:>9} {:>12} {:>10} {:>9}",
        "", "clients", "calls/s", "p50 ms", "p99 ms", "CPU ms/call", "server", "RSS MiB"
    );
    for name in ["bare", "sqlite", "postgres", "litellm"] {
        for clients in CLIENTS {
            let Some(round) = rounds.get(&(name, clients)) else { continue };
            println!(
                "{name:<10} {clients:>7} {:>9.0} {:>9.2} {:>9.2} {:>12.2} {:>10.2} {:>9.0}",
                round.calls_per_s, round.p50_ms, round.p99_ms, round.cpu_ms, round.server_cpu_ms, round.rss_mib
            );
        }
    }
}

/// A race: how much was spent of a budget, in hundredths of it above.
#[derive(Debug)]
struct Race {
    name: &'static str,
    fits: f64,
    answered: u64,
    overshoot_percent: f64,
}

/// Fifty calls at once for a budget that fits about three: ours on both stores, and the peer's.
async fn race(peer: Option<&mut Peer>, cluster: &Cluster) -> Result<Vec<Race>> {
    let model = Model::start(RACE_DELAY)?;
    let mut races = Vec::new();
    for (name, cluster) in [("sqlite", None), ("postgres", Some(cluster))] {
        for fits in FITS {
            let mut meter = Meter::new(&model.url, cluster).await?;
            // Every token costs 1,000 nano-USD in a story; the model uses all that it is allowed.
            let cost = (PROMPT_BYTES as f64 / 4.0 + f64::from(MAX_TOKENS)) * 1_000.0;
            let budget = NanoUsd((cost * fits) as i64);
            let racer = format!("{}-racer", meter.name);
            meter.runs = vec![open(&meter.app, &racer, budget).await?; RACERS];
            let meter = Arc::new(meter);
            let calls: Vec<_> = (0..RACERS)
                .map(|number| {
                    let meter = meter.clone();
                    tokio::spawn(async move { meter.call(number).await })
                })
                .collect();
            let mut answered = 0;
            for call in calls {
                answered += u64::from(matches!(call.await??, Completion::Stored(Ok(_))));
            }
            let spent = meter.app.reader.store.project_budget(&racer).await?.spent;
            let overshoot_percent = (spent - budget).0.max(0) as f64 * 100.0 / budget.0 as f64;
            assert_sound(&meter.app).await;
            races.push(Race { name, fits, answered, overshoot_percent });
        }
    }
    if let Some(peer) = peer {
        for fits in FITS {
            let answer = peer.ask(&json!({ "race": { "calls": RACERS, "fits": fits } }))?;
            let number = |name: &str| answer[name].as_f64().unwrap_or(f64::NAN);
            races.push(Race { name: "litellm", fits, answered: number("answered") as u64, overshoot_percent: number("overshoot_percent") });
        }
    }
    println!("\n{RACERS} calls at once for a budget");
    for race in &races {
        println!("{:<10} fits {:>4}: {:>2} answered, overshoot {:.1} %", race.name, race.fits, race.answered, race.overshoot_percent);
    }
    Ok(races)
}

fn judge(rounds: &BTreeMap<(&str, usize), Round>, races: &[Race]) -> bool {
    let at = |name, clients| rounds.get(&(name, clients)).copied().unwrap_or_default();
    let best = |name| CLIENTS.iter().map(|clients| at(name, *clients).calls_per_s).fold(0.0, f64::max);
    let (one, bare) = (at("sqlite", 1), at("bare", 1));
    let ratio = rounds.contains_key(&("litellm", 8)).then(|| at("litellm", 8).cpu_ms / at("sqlite", 8).cpu_ms);
    let overshoot = races.iter().filter(|race| race.name != "litellm").map(|race| race.overshoot_percent).fold(0.0, f64::max);
    let peer_overshoot = races.iter().filter(|race| race.name == "litellm").map(|race| race.overshoot_percent).fold(0.0, f64::max);
    let (cpu, p50) = (one.cpu_ms - bare.cpu_ms, one.p50_ms - bare.p50_ms);
    let targets = [
        ("CPU ms added on SQLite", cpu, cpu <= ADDED_CPU_MS_MAX),
        ("p50 ms added on SQLite", p50, p50 <= ADDED_P50_MS_MAX),
        ("calls a second on SQLite", best("sqlite"), best("sqlite") >= CALLS_PER_S_MIN),
        ("overshoot of ours, %", overshoot, overshoot == 0.0),
    ];
    println!();
    for (name, figure, good) in
        targets.into_iter().chain(ratio.map(|ratio| ("times the CPU at the peer", ratio, ratio >= PEER_CPU_RATIO_MIN)))
    {
        println!("{name:<28} {figure:>8.2} {}", if good { "met" } else { "TARGET MISSED" });
    }
    println!(
        "bench-gateway cpu_ms_added={cpu:.2} p50_ms_added={p50:.2} calls_per_s={:.0} postgres_calls_per_s={:.0} peer_cpu_ratio={} overshoot={overshoot:.1} peer_overshoot={}",
        best("sqlite"),
        best("postgres"),
        ratio.map_or("none".to_owned(), |ratio| format!("{ratio:.1}")),
        ratio.map_or("none".to_owned(), |_| format!("{peer_overshoot:.1}")),
    );
    targets.iter().all(|(_, _, good)| *good) && ratio.is_none_or(|ratio| ratio >= PEER_CPU_RATIO_MIN)
}

/// LiteLLM's proxy, driven line by line.
struct Peer {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Peer {
    /// Where `PEER` names a folder that `tests/peer/setup.sh` has filled.
    fn start() -> Result<Option<Peer>> {
        let Some(folder) = std::env::var_os("PEER").map(PathBuf::from).filter(|folder| folder.join("bin/python").exists()) else {
            println!("The peer is not installed, so nothing is measured beside it (tests/peer/setup.sh DIR, then PEER=DIR).");
            return Ok(None);
        };
        let mut process = Command::new(folder.join("bin/python"))
            .arg(root().join("tests/peer/drive.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()?;
        let (input, output) = (process.stdin.take().context("its input")?, process.stdout.take().context("its output")?);
        let mut peer = Peer { process, input, output: BufReader::new(output) };
        ensure!(peer.answer()?["ready"] == true, "the peer is not ready");
        Ok(Some(peer))
    }

    fn ask(&mut self, command: &Value) -> Result<Value> {
        writeln!(self.input, "{command}")?;
        self.answer()
    }

    fn answer(&mut self) -> Result<Value> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let answer: Value = serde_json::from_str(&line).with_context(|| format!("the peer says `{line}`"))?;
        ensure!(answer.get("error").is_none(), "the peer says {answer}");
        Ok(answer)
    }

    fn round(&mut self, clients: usize) -> Result<Round> {
        let round = json!({ "clients": clients, "calls": PEER_CALLS, "prompt_bytes": PROMPT_BYTES, "max_tokens": MAX_TOKENS });
        let answer = self.ask(&json!({ "round": round }))?;
        ensure!(answer["failed"] == 0 && answer["refused"] == 0, "the peer failed: {answer}");
        let number = |pointer: &str| answer.pointer(pointer).and_then(Value::as_f64).unwrap_or(f64::NAN);
        Ok(Round {
            calls_per_s: number("/calls") / number("/seconds"),
            p50_ms: number("/latency_us/p50") / 1e3,
            p99_ms: number("/latency_us/p99") / 1e3,
            cpu_ms: number("/cpu_ms_per_call"),
            server_cpu_ms: 0.0,
            rss_mib: number("/rss_mib"),
        })
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = writeln!(self.input, "{}", json!({ "quit": true }));
        let _ = self.process.wait();
    }
}
