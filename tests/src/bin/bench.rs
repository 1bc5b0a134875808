//! What the sandbox and the ledger cost, beside the same work without them: the same component in a bare wasmtime program, and
//! the same HTTP request without a ledger. Prints a table and, last, one line of figures; ends with 1 where a target is missed.

use atelier_host::ledger::NanoUsd;
use atelier_host::llm::dialects::{self, Dialect, Endpoint, Wire};
use atelier_host::llm::gateway::{CallContext, Gateway};
use atelier_host::llm::{Message, Request, Role};
use atelier_host::plugins::limits::AGENT_RUNS_MAX;
use atelier_host::plugins::run::Export;
use atelier_host::project::State;
use atelier_host::store::ledger::run_budget;
use atelier_host::store::runs::NewRun;
use std::sync::Arc;
use std::time::Duration;
use tests::bare;
use tests::home::{Home, component};
use tests::measure::{Line, median, pair, show};
use tests::model_server::{Answer, ModelServer};
use tests::sandboxed::Sandboxed;
use wasmtime::Engine;

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
    let host = Sandboxed::new(&home, &server.url, AGENT_RUNS_MAX).await?;
    let (indexer, guest) = (host.registry.get("indexer")?, host.registry.get("guest")?);
    let engine = Engine::default();
    let bare = bare::Indexer::new(&engine, &component("indexer"))?;
    let short = "def greet(name):\n    return f\"Hello, {name}!\"\n".to_owned();
    let mut lines = vec![
        pair("instantiate + call, all limits on", RUN_RATIO_MAX, BATCH, || bare.index(&short), || host.index(&indexer, &short)).await?,
    ];
    let long: String = (0..6_000).map(|number| format!("def function_{number}(a, b):\n    return a * {number} + b\n\n")).collect();
    lines.push(pair("the same on a file of 300 kB", WORK_RATIO_MAX, 1, || bare.index(&long), || host.index(&indexer, &long)).await?);
    let bare = bare::Architect::new(&engine, &component("guest"), "elicit job-calls")?;
    let mut call =
        pair("a host call", CALL_RATIO_MAX, 1, || bare.elicit(), || host.call(&guest, Export::Elicit, "elicit job-calls")).await?;
    call.ours /= GUEST_CALLS;
    call.bare = call.bare.map(|bare| bare / GUEST_CALLS);
    lines.push(call);
    let journaled = median(1, || host.call(&guest, Export::Verify, "verify file-calls")).await? / GUEST_CALLS;
    lines.push(Line {
        name: "a host call, granted and journaled".to_owned(),
        bare: None,
        ours: journaled,
        good: journaled <= JOURNALED_CALL_MAX,
    });
    lines.push(metered_call(&host.app, &host.services.gateway, &server).await?);
    Ok(show("bench", &lines))
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
