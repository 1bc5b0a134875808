//! Model calls through the gateway over HTTP, with nothing but the ledger between them and the budget.

use atelier_host::app::App;
use atelier_host::ledger::NanoUsd;
use atelier_host::llm::gateway::{CallContext, Gateway};
use atelier_host::llm::providers::Providers;
use atelier_host::llm::{Completion, Message, Reply, Request, Role};
use atelier_host::project::{Pause, Refusal, State};
use atelier_host::store::ledger::run_budget;
use atelier_host::store::runs::NewRun;
use std::sync::Arc;
use std::time::Duration;
use tests::home::{Home, assert_agrees, assert_sound};
use tests::model_server::{Answer, ModelServer};

/// One token costs 1,000 nano-USD here, in and out.
const TOKEN: i64 = 1_000;

struct Desk {
    app: App,
    gateway: Arc<Gateway>,
    run: String,
    _home: Home,
}

impl Desk {
    async fn new(server: &ModelServer, limit: NanoUsd) -> Desk {
        let mut home = Home::empty();
        home.variables.push(("ATELIER_MODEL_FIRST_BYTE_TIMEOUT_S", "1".to_owned()));
        home.variables.push(("ATELIER_MODEL_IDLE_TIMEOUT_S", "1".to_owned()));
        let app = home.app(&server.url).await;
        let store = &app.reader.store;
        store.open_wallet("local", NanoUsd(1_000_000_000)).await.expect("a wallet");
        store.create_project("p1", "local", &State::new("an idea"), limit).await.expect("a project");
        let run = NewRun {
            project: "p1",
            step: "elicit 1",
            task: None,
            attempt: 1,
            plugin: "none",
            plugin_sha256: "0",
            base_tree: "",
            task_limit: NanoUsd(1_000_000_000),
            run_limit: NanoUsd(1_000_000_000),
            lease: None,
        };
        let run = store.begin_run(&run, "").await.expect("a run").id;
        let boot = "the gateway of a story".to_owned();
        store.register_boot(&boot).await.expect("a boot");
        let providers = Arc::new(Providers::open(&app.reader.settings, store, None).await.expect("providers"));
        let gateway = Gateway::new(store.clone(), boot, app.reader.settings.clone(), providers).expect("a gateway");
        Desk { gateway: Arc::new(gateway), app, run, _home: home }
    }

    async fn call(&self, seq: u32, max_output_tokens: u32) -> Completion {
        let message = Message { role: Role::User, text: "x".repeat(300), cache_prefix: false };
        let request = Request { class: "coder".to_owned(), messages: vec![message], max_output_tokens, stop: vec![] };
        let context = CallContext {
            run: self.run.clone(),
            seq,
            fingerprint: "f".to_owned(),
            wallet: "local".to_owned(),
            budget: run_budget(&self.run),
            lease: None,
        };
        self.gateway.complete(context, request, &mut Vec::new()).await.expect("the store works")
    }

    async fn charged(&self) -> i64 {
        self.app.reader.store.receipt("p1").await.expect("a receipt").charged.0
    }
}

/// What the input of 300 letters is held for: a token for two letters, and eight for the message.
const HELD_INPUT: i64 = 158;
/// What it is estimated at: a token for three.
const INPUT: i64 = 108;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_calls_at_once_never_pass_a_budget_that_fits_three_of_them() {
    // 2.97 times the largest call: two whole ones, and one that is shortened to what is left.
    let limit = (HELD_INPUT + 1_000) * TOKEN * 297 / 100;
    for ignores_the_limit in [false, true] {
        let server = ModelServer::scripted(move |asked, _| {
            let allowed = asked.body["max_tokens"].as_u64().unwrap_or(0);
            let output = if ignores_the_limit { 5_000 } else { allowed };
            Answer::Slow(Duration::from_millis(50), Box::new(Answer::Usage("words".to_owned(), 158, output)))
        })
        .await;
        let desk = Arc::new(Desk::new(&server, NanoUsd(limit)).await);
        let calls: Vec<_> = (0..50)
            .map(|seq| {
                let desk = desk.clone();
                tokio::spawn(async move { desk.call(seq, 1_000).await })
            })
            .collect();
        let (mut answered, mut paused) = (0, 0);
        for call in calls {
            match call.await.expect("no panic") {
                Completion::Stored(Ok(_)) => answered += 1,
                Completion::Suspended(Pause::Ceiling) => paused += 1,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((answered, paused), (3, 47));
        let charged = desk.charged().await;
        println!("50 calls, budget {limit}, charged {charged}, overshoot {}", (charged - limit).max(0));
        assert!(charged <= limit && charged > limit - TOKEN, "charged {charged} of {limit}");
        assert_eq!(server.asked().len(), 3);
        assert_sound(&desk.app).await;
        assert_agrees(&desk.app.reader.store, &server.log()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_fit_one_after_the_other_wait_for_each_other_instead_of_the_user() {
    // Once and a half the largest call; what each really takes is a fraction of it.
    let limit = (HELD_INPUT + 1_000) * TOKEN * 3 / 2;
    let answer = || Answer::Slow(Duration::from_millis(50), Box::new(Answer::Usage("words".to_owned(), 158, 20)));
    let server = ModelServer::scripted(move |_, _| answer()).await;
    let desk = Arc::new(Desk::new(&server, NanoUsd(limit)).await);
    let calls: Vec<_> = (0..5)
        .map(|seq| {
            let desk = desk.clone();
            tokio::spawn(async move { desk.call(seq, 1_000).await })
        })
        .collect();
    for call in calls {
        let completion = call.await.expect("no panic");
        assert!(matches!(completion, Completion::Stored(Ok(_))), "{completion:?}");
    }
    let whole = server.asked().iter().filter(|asked| asked.body["max_tokens"].as_u64() >= Some(500)).count();
    assert_eq!(whole, 5, "none was cut short for what another one held");
    assert_sound(&desk.app).await;
    assert_agrees(&desk.app.reader.store, &server.log()).await;
}

/// How one answer of the server ends: what the caller gets, what the user pays, and what becomes of the attempt.
async fn check(answers: Vec<Answer>, expected: impl Fn(&Completion) -> bool, charged: i64) -> (Desk, ModelServer) {
    let name = format!("{answers:?}");
    let server = ModelServer::answering(answers).await;
    let desk = Desk::new(&server, NanoUsd(100_000_000)).await;
    let completion = desk.call(0, 1_000).await;
    assert!(expected(&completion), "{name}: {completion:?}");
    assert_eq!(desk.charged().await, charged, "{name}");
    assert_sound(&desk.app).await;
    assert_agrees(&desk.app.reader.store, &server.log()).await;
    (desk, server)
}

fn is_reply(wanted: &'static str) -> impl Fn(&Completion) -> bool {
    move |completion| matches!(completion, Completion::Stored(Ok(Reply { text, .. })) if text == wanted)
}

fn waits_for_the_provider(completion: &Completion) -> bool {
    matches!(completion, Completion::Suspended(Pause::Provider(_)))
}

fn waits_for_the_operator(completion: &Completion) -> bool {
    matches!(completion, Completion::Suspended(Pause::Operator(why)) if !why.contains("canary"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_costs_what_the_provider_counted() {
    // 300 letters are 75 tokens, `hello you` three.
    check(vec![Answer::Text("hello you".to_owned())], is_reply("hello you"), 78 * TOKEN).await;
    check(vec![Answer::Whole("hello you".to_owned())], is_reply("hello you"), 78 * TOKEN).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_without_usage_is_charged_by_the_text_that_was_seen() {
    check(vec![Answer::NoUsage("hello you".to_owned())], is_reply("hello you"), (INPUT + 3) * TOKEN).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_provider_takes_beyond_the_hold_is_paid_by_the_house() {
    let server = ModelServer::answering([Answer::Usage("a".to_owned(), 75, 1_000_000)]).await;
    let desk = Desk::new(&server, NanoUsd(2_000_000)).await;
    desk.call(0, 1_000).await;
    let receipt = desk.app.reader.store.receipt("p1").await.expect("a receipt");
    assert_eq!((receipt.charged, receipt.house), (NanoUsd(2_000_000), NanoUsd(1_000_075 * TOKEN - 2_000_000)));
    assert_sound(&desk.app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_provider_did_not_accept_is_sent_again_and_costs_nothing() {
    let answers = vec![Answer::Status(503), Answer::RateLimited(0), Answer::Text("hello you".to_owned())];
    let (_, server) = check(answers, is_reply("hello you"), 78 * TOKEN).await;
    assert_eq!(server.asked().len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stays_away_makes_the_run_wait() {
    let (_, server) = check(vec![Answer::Status(503); 9], waits_for_the_provider, 0).await;
    assert_eq!(server.asked().len(), 4, "tries are bounded");
    let (_, server) = check(vec![Answer::Status(500); 9], waits_for_the_provider, 0).await;
    assert_eq!(server.asked().len(), 1, "a server with a fault is not asked again at once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_never_came_is_the_houses_loss() {
    for answer in [Answer::Silence, Answer::Garbage, Answer::Cut(String::new())] {
        let (desk, _) = check(vec![answer], waits_for_the_provider, 0).await;
        let receipt = desk.app.reader.store.receipt("p1").await.expect("a receipt");
        assert_eq!((receipt.lost_calls, receipt.house), (1, NanoUsd(INPUT * TOKEN)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_stops_halfway_is_charged_for_what_was_seen() {
    let cut = |completion: &Completion| matches!(completion, Completion::Stored(Err(Refusal::Unavailable(_))));
    let timed_out = |completion: &Completion| matches!(completion, Completion::Stored(Err(Refusal::TimedOut)));
    check(vec![Answer::Cut("hello you".to_owned())], cut, (INPUT + 3) * TOKEN).await;
    check(vec![Answer::Stall("hello you".to_owned())], timed_out, (INPUT + 3) * TOKEN).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_that_would_come_again_is_not_tried_again() {
    let (_, server) = check(vec![Answer::Status(401); 2], waits_for_the_operator, 0).await;
    assert_eq!(server.asked().len(), 1);
    check(vec![Answer::Status(404)], waits_for_the_operator, 0).await;
    check(vec![Answer::Status(422)], waits_for_the_operator, 0).await;
    let too_long = |completion: &Completion| matches!(completion, Completion::Stored(Err(Refusal::ContextTooLong)));
    check(vec![Answer::ContextTooLong], too_long, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_down_makes_the_run_wait() {
    let server = ModelServer::answering([]).await;
    let desk = Desk::new(&server, NanoUsd(100_000_000)).await;
    drop(server);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(waits_for_the_provider(&desk.call(0, 1_000).await));
    assert_eq!(desk.charged().await, 0);
    assert_sound(&desk.app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_count_of_tokens_that_nobody_can_mean_is_replaced_by_an_estimate() {
    check(vec![Answer::Usage("hello you".to_owned(), u64::MAX, 3)], is_reply("hello you"), (INPUT + 3) * TOKEN).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_answer_counts_however_the_connection_ends() {
    // 300 letters are 75 tokens for the provider; without its count they are estimated.
    check(vec![Answer::NoEnd("hello you".to_owned())], is_reply("hello you"), (INPUT + 3) * TOKEN).await;
    check(vec![Answer::OddUsage("hello you".to_owned())], is_reply("hello you"), (INPUT + 3) * TOKEN).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_leaves_before_anything_was_seen_pays_nothing() {
    let server = ModelServer::answering([Answer::Silence]).await;
    let desk = Desk::new(&server, NanoUsd(100_000_000)).await;
    tokio::select! {
        completion = desk.call(0, 1_000) => panic!("{completion:?}"),
        () = tokio::time::sleep(Duration::from_millis(300)) => {}
    }
    desk.gateway.drain(Duration::from_secs(5)).await;
    assert_eq!(desk.charged().await, 0);
    assert_sound(&desk.app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_goes_away_stops_the_stream_and_pays_for_what_was_seen() {
    let server = ModelServer::answering([Answer::Stall("hello you".to_owned())]).await;
    let desk = Desk::new(&server, NanoUsd(100_000_000)).await;
    tokio::select! {
        completion = desk.call(0, 1_000) => panic!("{completion:?}"),
        () = tokio::time::sleep(Duration::from_millis(400)) => {}
    }
    desk.gateway.drain(Duration::from_secs(5)).await;
    assert_eq!(desk.charged().await, (INPUT + 3) * TOKEN);
    assert_sound(&desk.app).await;
}
