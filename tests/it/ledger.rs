//! The ledger alone, over a real database: whatever happens in whatever order, it does what a model in memory does, and its invariants
//! hold after every step.

use crate::ledger_model::Model;
use atelier_host::ledger::{
    CallId, NanoUsd, PicoUsdPerToken, Price, Rates, Reserve, Reserved, Route, Scope, Settlement, Usage, UsageSource, UserLimits,
};
use atelier_host::project::State;
use atelier_host::store::ledger::prices::NewPrice;
use atelier_host::store::ledger::run_budget;
use atelier_host::store::runs::{NewRun, RunEnd};
use atelier_host::store::{Policy, Store, StoreError};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::path::Path;
use tests::database::{Engine, store, tamper};
use tests::home::assert_audit;

/// Something that happens to the ledger. Numbers choose among what is there.
#[derive(Clone, Debug)]
enum Step {
    Grant(u32),
    Reserve { run: usize, input: u64, output: u64 },
    NotAccepted(usize),
    SentAgain(usize),
    Settle { call: usize, input: u64, output: u64, estimated: bool },
    Void(usize),
    Lose(usize),
    Adjust { call: usize, input: u64, output: u64 },
    Refund(usize),
    Ceiling(u32),
    HostDies,
    Adopt,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => (0u32..2_000_000).prop_map(Step::Grant),
        6 => (0usize..4, 0u64..3_000, 1u64..3_000).prop_map(|(run, input, output)| Step::Reserve { run, input, output }),
        2 => any::<usize>().prop_map(Step::NotAccepted),
        2 => any::<usize>().prop_map(Step::SentAgain),
        // More tokens than were held for: a provider may ignore the limit.
        4 => (any::<usize>(), 0u64..4_000, 0u64..9_000, any::<bool>())
            .prop_map(|(call, input, output, estimated)| Step::Settle { call, input, output, estimated }),
        1 => any::<usize>().prop_map(Step::Void),
        1 => any::<usize>().prop_map(Step::Lose),
        1 => (any::<usize>(), 0u64..4_000, 0u64..9_000).prop_map(|(call, input, output)| Step::Adjust { call, input, output }),
        1 => (0usize..4).prop_map(Step::Refund),
        1 => (0u32..9_000_000).prop_map(Step::Ceiling),
        1 => Just(Step::HostDies),
        1 => Just(Step::Adopt),
    ]
}

struct World {
    store: Store,
    price: Price,
    model: Model,
    runs: Vec<String>,
    /// Open calls and their request that is under way.
    open: Vec<(CallId, Option<String>)>,
    /// Settled calls.
    settled: Vec<CallId>,
    refunded: BTreeSet<String>,
    seq: u32,
    boot: String,
}

const WALLET: &str = "story";
const PROJECT: &str = "p1";
const BALANCE: i64 = 5_000_000;
const CEILING: i64 = 6_000_000;
const TASK_LIMIT: i64 = 2_000_000;
const RUN_LIMIT: i64 = 1_500_000;
const REFUND_LIMIT: i64 = 3_000_000;
const STEPS: [(&str, Option<&str>); 4] = [("one", None), ("two", Some("T1")), ("three", Some("T1")), ("four", Some("T2"))];

fn route() -> Route {
    Route { provider: "default".to_owned(), model: "m".to_owned(), key_id: None }
}

impl World {
    async fn new(directory: &Path) -> World {
        let policy = Policy { refund_limit: NanoUsd(REFUND_LIMIT), ..Policy::default() };
        let store = store(directory).await.under(policy);
        let rates = Rates::simple(PicoUsdPerToken(1_000_000), PicoUsdPerToken(2_000_000));
        let price = NewPrice { provider: "default".to_owned(), model: "m".to_owned(), rates, source: "a story".to_owned() };
        store.set_prices(&[price]).await.expect("a price");
        let price = store.price("default", "m").await.expect("read").expect("a price");
        store.open_wallet(WALLET, NanoUsd(BALANCE)).await.expect("a wallet");
        store.create_project(PROJECT, WALLET, &State::new("an idea"), NanoUsd(CEILING)).await.expect("a project");
        store.register_boot("boot0").await.expect("a boot");
        let model = Model::new(rates, BALANCE, CEILING, REFUND_LIMIT);
        let (open, settled, refunded) = Default::default();
        let mut world = World { store, price, model, runs: Vec::new(), open, settled, refunded, seq: 0, boot: "boot0".to_owned() };
        for (step, task) in STEPS {
            let run = world.open_run(step, task).await;
            world.runs.push(run);
        }
        world
    }

    async fn open_run(&mut self, step: &str, task: Option<&'static str>) -> String {
        let new = NewRun {
            project: PROJECT,
            step,
            task,
            attempt: 1,
            plugin: "a plugin",
            plugin_sha256: "0",
            base_tree: "",
            task_limit: NanoUsd(TASK_LIMIT),
            run_limit: NanoUsd(RUN_LIMIT),
        };
        let run = self.store.begin_run(&new, "").await.expect("a run").id;
        self.model.open_run(&run, task, TASK_LIMIT, RUN_LIMIT);
        run
    }

    fn ask(&self, run: &str, input_tokens: u64, output_tokens: u64) -> Reserve {
        Reserve {
            patient: false,
            budget: run_budget(run),
            run: run.to_owned(),
            seq: self.seq,
            fingerprint: String::new(),
            wallet: WALLET.to_owned(),
            price: self.price,
            input_tokens,
            output_tokens,
            output_tokens_min: 100,
            route: route(),
            limits: UserLimits::default(),
            at_ms: 1_000,
        }
    }

    async fn apply(&mut self, step: Step) {
        let picked = |open: &Vec<(CallId, Option<String>)>, number: usize, sent: bool| {
            (!open.is_empty()).then(|| number % open.len()).filter(|index| open[*index].1.is_some() == sent)
        };
        match step {
            Step::Grant(amount) => {
                self.seq += 1;
                self.store.grant(WALLET, NanoUsd(i64::from(amount)), &format!("g{}", self.seq)).await.expect("granted");
                self.model.grant(i64::from(amount));
            }
            Step::Reserve { run, input, output } => {
                self.seq += 1;
                let ask = self.ask(&self.runs[run].clone(), input, output);
                let expected = self.model.reserve(&ask);
                let reserved = self.store.reserve(&self.boot, &ask).await.expect("answered");
                let got = match &reserved {
                    Reserved::Held { amount, output_tokens, .. } => Some((amount.0, *output_tokens)),
                    Reserved::TooLittle { .. } => None,
                    other => panic!("{other:?}"),
                };
                assert_eq!(got, expected, "{ask:?}");
                self.model.reserved(&ask.run, &reserved);
                if let Reserved::Held { call, request_id, .. } = reserved {
                    self.open.push((call, Some(request_id)));
                }
            }
            Step::NotAccepted(number) => {
                if let Some(index) = picked(&self.open, number, true) {
                    let (call, request) = &mut self.open[index];
                    let request = request.take().expect("a request is under way");
                    self.store.void_attempt(call, &request, "status 503").await.expect("voided");
                }
            }
            Step::SentAgain(number) => {
                if let Some(index) = picked(&self.open, number, false) {
                    self.seq += 1;
                    let request = self.store.dispatch(&self.open[index].0, self.seq + 10, &route()).await.expect("dispatched");
                    self.open[index].1 = Some(request);
                }
            }
            Step::Settle { call, input, output, estimated } => {
                if let Some(index) = picked(&self.open, call, true) {
                    let source = if estimated { UsageSource::Estimated } else { UsageSource::Provider };
                    let usage = Usage { input, output, ..Usage::default() };
                    let settlement = Settlement { call: self.open.remove(index).0, usage, source };
                    let charged = self.store.settle(&settlement, |_| Vec::new()).await.expect("settled");
                    assert_eq!(charged.0, self.model.settle(&settlement.call, &usage, estimated));
                    // The same call again is no charge, whatever is asked.
                    assert!(self.store.settle(&settlement, |_| Vec::new()).await.is_err(), "settled twice");
                    self.settled.push(settlement.call);
                }
            }
            Step::Void(number) => {
                if let Some(index) = picked(&self.open, number, true).or(picked(&self.open, number, false)) {
                    let call = self.open.remove(index).0;
                    self.store.void(&call, &[]).await.expect("voided");
                    self.model.release(&call);
                }
            }
            Step::Lose(number) => {
                if let Some(index) = picked(&self.open, number, true) {
                    let usage = Usage { input: 10, ..Usage::default() };
                    let call = self.open.remove(index).0;
                    self.store.lose(&call, &usage, "silence").await.expect("lost");
                    self.model.release(&call);
                }
            }
            Step::Adjust { call, input, output } => {
                let Some(call) = (!self.settled.is_empty()).then(|| self.settled[call % self.settled.len()].clone()) else { return };
                let usage = Usage { input, output, ..Usage::default() };
                let expected = self.model.adjust(&call, &usage, self.refunded.contains(&call.run));
                let adjusted = self.store.adjust(&call, &usage).await;
                match (expected, adjusted) {
                    (Some(back), Ok(adjusted)) => assert_eq!(adjusted.user.0, back),
                    // A correction that moved nothing left no entry, so it can be made again; nothing was estimated otherwise.
                    (None, Err(StoreError::NotAdjustable { .. })) => {}
                    (None, Ok(adjusted)) => assert_eq!((adjusted.user.0, adjusted.house.0), (0, 0)),
                    (expected, adjusted) => panic!("{expected:?}, {adjusted:?}"),
                }
            }
            Step::Refund(run) => {
                let end = RunEnd {
                    run: self.runs[run].clone(),
                    outcome: "failed",
                    detail: String::new(),
                    fuel: 0,
                    memory_peak_bytes: 0,
                    host_calls: 0,
                    refund: true,
                    result_sha256: String::new(),
                };
                // A run is refunded when it has ended: its calls are over.
                if !self.open.iter().any(|(call, _)| call.run == end.run) {
                    let before = self.model.balance;
                    self.store.end_run(&end).await.expect("ended");
                    self.model.refund(&end.run);
                    if self.model.balance > before {
                        self.refunded.insert(end.run);
                    }
                    self.seq += 1;
                    self.runs[run] = self.open_run(&format!("again {}", self.seq), STEPS[run].1).await;
                }
            }
            Step::Ceiling(amount) => {
                // Below what is spent it is refused; otherwise it binds. Either way nothing breaks.
                let bound = self.store.set_project_limit(PROJECT, NanoUsd(i64::from(amount))).await;
                assert_eq!(bound.is_ok(), self.model.ceiling(i64::from(amount)), "{bound:?}");
            }
            Step::HostDies => {
                self.store.recover(&self.boot).await.expect("recovered");
                self.model.host_dies();
                self.open.clear();
                self.seq += 1;
                self.boot = format!("boot{}", self.seq);
                self.store.register_boot(&self.boot).await.expect("a boot");
            }
            Step::Adopt => {
                assert_eq!(self.store.recover("a boot that never was").await.expect("nothing to recover"), 0);
            }
        }
    }

    /// The database says what the model says, and every invariant holds.
    async fn check(&self) {
        let balance = self.store.balance(WALLET).await.expect("a balance");
        assert_eq!((balance.balance.0, balance.held.0), (self.model.balance, self.model.held));
        let budget = self.store.project_budget(PROJECT).await.expect("a budget");
        let expected = self.model.project;
        assert_eq!((budget.limit.0, budget.spent.0, budget.held.0), (expected.limit, expected.spent, expected.held));
        assert_audit(&self.store, std::slice::from_ref(&self.boot)).await;
        assert_eq!(self.store.recompute().await.expect("recomputed").1.violations, Vec::<String>::new());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn the_invariants_hold_after_every_step(steps in proptest::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let directory = tempfile::tempdir().expect("a folder");
            let mut world = World::new(directory.path()).await;
            for step in steps {
                world.apply(step).await;
                world.check().await;
            }
        });
    }
}

#[tokio::test]
async fn the_database_refuses_an_overshoot_even_if_the_code_asked_for_one() {
    let directory = tempfile::tempdir().expect("a folder");
    let mut world = World::new(directory.path()).await;
    world.apply(Step::Reserve { run: 0, input: 10, output: 1_000 }).await;
    world.apply(Step::Settle { call: 0, input: 10, output: 10, estimated: false }).await;
    // Another program, or a fault of ours, past every rule in Rust. PostgreSQL says "check", SQLite "CHECK".
    for (statement, refused_by) in [
        ("update wallet set held = balance + 1", "check"),
        ("update budget set spent = limit_nano + 1", "check"),
        ("update budget set held = -1", "check"),
        ("update budget set calls = calls_limit, calls_limit = calls_limit - 1", "check"),
        ("update entry set amount = 1", "append-only"),
        ("delete from entry", "append-only"),
        ("update price set rates = '{}'", "append-only"),
        ("update hold set charged = 0", "final"),
        ("update attempt set outcome = 'voided'", "final"),
        (
            "insert into entry (wallet, seq, kind, ref, debit, credit, amount, at_ms) values ('story', 9, 'grant', 'x', 'a', 'b', -1, 0)",
            "check",
        ),
    ] {
        let error = tamper(directory.path(), statement).expect_err(statement).to_lowercase();
        assert!(error.contains(refused_by), "`{statement}`: {error}");
    }
    assert_audit(&world.store, &[]).await;
}

#[tokio::test]
async fn the_audit_finds_what_is_wrong() {
    let directory = tempfile::tempdir().expect("a folder");
    let mut world = World::new(directory.path()).await;
    world.apply(Step::Reserve { run: 0, input: 10, output: 1_000 }).await;
    world.apply(Step::Settle { call: 0, input: 10, output: 10, estimated: false }).await;
    let found = |store: Store| async move {
        let invariants = store.audit(&[]).await.expect("the audit runs");
        invariants.into_iter().filter(|invariant| !invariant.violations.is_empty()).map(|invariant| invariant.id).collect::<Vec<_>>()
    };
    assert_eq!(found(world.store.clone()).await, Vec::<&str>::new());
    let trigger = match Engine::of_tests() {
        Engine::Sqlite => "drop trigger hold_is_final",
        Engine::Postgres => "drop trigger hold_is_final on hold",
    };
    for (statement, expected) in [
        // What the database would refuse has to be taken out of the way first.
        (trigger, vec![]),
        ("update wallet set balance = balance + 7", vec!["I1", "I8"]),
        ("update wallet set balance = balance - 7", vec![]),
        ("update hold set charged = charged - 1 where state = 'settled'", vec!["I5", "I6", "I12"]),
        ("update hold set charged = charged + 1 where state = 'settled'", vec![]),
        ("update budget set calls = calls + 1 where scope = 'run'", vec!["I12"]),
        ("update budget set calls = calls - 1 where scope = 'run'", vec![]),
        ("update wallet set seq = seq + 1", vec!["I7"]),
    ] {
        tamper(directory.path(), statement).expect(statement);
        assert_eq!(found(world.store.clone()).await, expected, "{statement}");
    }
    assert!(world.store.recompute().await.expect("recomputed").1.violations.is_empty());
    tamper(directory.path(), "update hold set actual = actual + 5 where state = 'settled'").expect("tampered");
    assert_eq!(world.store.recompute().await.expect("recomputed").1.violations.len(), 1);
}

#[tokio::test]
async fn a_grant_is_made_once_for_each_reference() {
    let directory = tempfile::tempdir().expect("a folder");
    let world = World::new(directory.path()).await;
    assert!(world.store.grant(WALLET, NanoUsd(10), "payment 1").await.expect("granted"));
    assert!(!world.store.grant(WALLET, NanoUsd(10), "payment 1").await.expect("known"));
    for (wallet, amount) in [(WALLET, 11), ("another", 10)] {
        let error =
            world.store.grant(wallet, NanoUsd(amount), "payment 1").await.expect_err("the same payment, other contents").to_string();
        assert!(error.contains("payment 1") && error.contains("another one"), "{error}");
    }
    assert_eq!(world.store.balance(WALLET).await.expect("a balance").balance, NanoUsd(BALANCE + 10));
}

#[tokio::test]
async fn an_amount_that_no_account_can_hold_is_refused() {
    let directory = tempfile::tempdir().expect("a folder");
    let world = World::new(directory.path()).await;
    for amount in [-1, i64::MIN, i64::MAX, 1_000_000_000_000_001] {
        let error = world.store.grant(WALLET, NanoUsd(amount), "too much").await.expect_err("a refusal").to_string();
        assert!(error.contains("more than an account can hold"), "{error}");
    }
    // Nor can many grants add up to more.
    let most = NanoUsd(1_000_000_000_000_000 - BALANCE);
    assert!(world.store.grant(WALLET, most, "a lot").await.expect("granted"));
    assert!(world.store.grant(WALLET, NanoUsd(1), "a little more").await.is_err());
    assert_audit(&world.store, &[]).await;
}

#[tokio::test]
async fn the_tightest_budget_binds_and_is_named() {
    let directory = tempfile::tempdir().expect("a folder");
    let world = World::new(directory.path()).await;
    let reserved = world.store.reserve("boot0", &world.ask(&world.runs[0], 3_000, 100)).await.expect("answered");
    assert!(matches!(reserved, Reserved::TooLittle { scope: Scope::Run, left: NanoUsd(RUN_LIMIT), .. }), "{reserved:?}");
}

#[tokio::test]
async fn a_limit_of_the_day_and_of_the_month_bind_and_start_anew() {
    let directory = tempfile::tempdir().expect("a folder");
    let mut world = World::new(directory.path()).await;
    let day_ms = 24 * 60 * 60 * 1000;
    let mut spend = async |at_ms: i64, tokens: u64| {
        world.seq += 1;
        let limits = UserLimits { day: Some(NanoUsd(300_000)), month: Some(NanoUsd(500_000)) };
        let ask = Reserve { limits, at_ms, output_tokens_min: tokens, ..world.ask(&world.runs[0], 0, tokens) };
        match world.store.reserve("boot0", &ask).await.expect("answered") {
            Reserved::Held { call, .. } => {
                let usage = Usage { output: tokens, ..Usage::default() };
                let settlement = Settlement { call, usage, source: UsageSource::Provider };
                world.store.settle(&settlement, |_| Vec::new()).await.expect("settled");
                None
            }
            Reserved::TooLittle { scope, .. } => Some(scope),
            other => panic!("{other:?}"),
        }
    };
    // A token of output costs 2,000: 150 of them fill a day, 250 the month.
    assert_eq!(spend(0, 140).await, None);
    assert_eq!(spend(1, 20).await, Some(Scope::Day), "the day is nearly full");
    assert_eq!(spend(day_ms, 100).await, None, "another day");
    assert_eq!(spend(2 * day_ms, 100).await, Some(Scope::Month));
    // A clock that goes back finds the day that it was in.
    assert_eq!(spend(5, 20).await, Some(Scope::Day));
    assert_eq!(spend(40 * day_ms, 100).await, None, "another month");
    assert_audit(&world.store, &[]).await;
}

#[tokio::test]
async fn a_project_makes_no_more_calls_than_it_may_even_if_they_are_free() {
    let directory = tempfile::tempdir().expect("a folder");
    let mut world = World::new(directory.path()).await;
    let free = NewPrice {
        provider: "default".to_owned(),
        model: "free".to_owned(),
        rates: Rates::simple(PicoUsdPerToken(0), PicoUsdPerToken(0)),
        source: "a story".to_owned(),
    };
    world.store.set_prices(&[free]).await.expect("a price");
    let price = world.store.price("default", "free").await.expect("read").expect("a price");
    let store = world.store.clone().under(Policy { calls_per_project: 3, ..Policy::default() });
    store.create_project("p2", WALLET, &State::new("an idea"), NanoUsd(0)).await.expect("a project");
    let new = NewRun {
        project: "p2",
        step: "one",
        task: None,
        attempt: 1,
        plugin: "a plugin",
        plugin_sha256: "0",
        base_tree: "",
        task_limit: NanoUsd(0),
        run_limit: NanoUsd(0),
    };
    let run = store.begin_run(&new, "").await.expect("a run").id;
    let mut last = None;
    for _ in 0..4 {
        world.seq += 1;
        let ask = Reserve { price, ..world.ask(&run, 10, 10) };
        let reserved = store.reserve("boot0", &ask).await.expect("answered");
        if let Reserved::Held { call, .. } = &reserved {
            let usage = Usage { input: 10, output: 10, ..Usage::default() };
            let settlement = Settlement { call: call.clone(), usage, source: UsageSource::Provider };
            assert_eq!(store.settle(&settlement, |_| Vec::new()).await.expect("settled"), NanoUsd::ZERO);
        }
        last = Some(reserved);
    }
    assert!(matches!(last, Some(Reserved::TooManyCalls { scope: Scope::Project })), "{last:?}");
    assert_audit(&store, &[]).await;
}

#[tokio::test]
async fn the_user_is_warned_once_and_asked_again_before_the_last_part_is_spent() {
    let directory = tempfile::tempdir().expect("a folder");
    let mut world = World::new(directory.path()).await;
    world.store = world.store.clone().under(Policy { pause_percent: 90, ..Policy::default() });
    world.store.set_project_limit(PROJECT, NanoUsd(1_000_000)).await.expect("a ceiling");
    let mut warnings = Vec::new();
    // 200,000 a call: the fourth one passes 75 %, the fifth reaches 90 %.
    for _ in 0..5 {
        world.apply(Step::Reserve { run: 0, input: 0, output: 100 }).await;
        world.apply(Step::Settle { call: 0, input: 0, output: 100, estimated: false }).await;
        let events = world.store.events(PROJECT, 0).await.expect("events");
        warnings.push(events.iter().filter(|event| event.kind == "warned").count());
    }
    assert_eq!(warnings, [0, 0, 0, 1, 1]);
    world.store.set_project_limit(PROJECT, NanoUsd(1_100_000)).await.expect("a ceiling");
    world.seq += 1;
    let ask = world.ask(&world.runs[0].clone(), 0, 10);
    let reserved = world.store.reserve("boot0", &ask).await.expect("answered");
    assert!(matches!(reserved, Reserved::NearCeiling { .. }), "{reserved:?}");
    world.store.spend_to_the_ceiling(PROJECT).await.expect("the user wants it");
    let reserved = world.store.reserve("boot0", &ask).await.expect("answered");
    assert!(matches!(reserved, Reserved::Held { .. }), "{reserved:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_that_leave_at_any_instant_leave_whole_transactions_behind() {
    let directory = tempfile::tempdir().expect("a folder");
    let world = World::new(directory.path()).await;
    let mut told = 0;
    for round in 0..40_u32 {
        let tasks: Vec<_> = (0..8_u32)
            .map(|number| {
                let store = world.store.clone();
                // From nothing to longer than a transaction takes.
                let patience = std::time::Duration::from_micros(u64::from((round * 8 + number) * 997 % 40_000));
                let reference = format!("r{round}-{number}");
                tokio::spawn(async move {
                    let granted = tokio::time::timeout(patience, store.grant(WALLET, NanoUsd(1), &reference)).await;
                    // A refused statement in the same group must not harm the others.
                    let _ = tokio::time::timeout(patience, store.set_project_limit(PROJECT, NanoUsd(-1))).await;
                    i64::from(matches!(granted, Ok(Ok(true))))
                })
            })
            .collect();
        for task in tasks {
            told += task.await.expect("no panic");
        }
    }
    assert_audit(&world.store, &[]).await;
    let granted = world.store.balance(WALLET).await.expect("it still works").balance.0 - BALANCE;
    assert!(granted >= told && told > 0, "{told} were told that it is done, {granted} are there");
    assert!(world.store.grant(WALLET, NanoUsd(1), "the last").await.expect("granted"));
}

#[tokio::test]
async fn two_processes_that_recover_at_once_recover_each_hold_once() {
    let directory = tempfile::tempdir().expect("a folder");
    let mut world = World::new(directory.path()).await;
    for run in [0, 1, 3] {
        world.apply(Step::Reserve { run, input: 10, output: 200 }).await;
    }
    let others = [store(directory.path()).await, store(directory.path()).await];
    let (one, two) = tokio::join!(others[0].recover("boot0"), others[1].recover("boot0"));
    assert_eq!(one.expect("recovered") + two.expect("recovered"), 3);
    assert_audit(&world.store, &[]).await;
    assert_eq!(world.store.balance(WALLET).await.expect("a balance").held, NanoUsd::ZERO);
}

#[tokio::test]
async fn a_living_process_keeps_its_holds() {
    let directory = tempfile::tempdir().expect("a folder");
    let mut world = World::new(directory.path()).await;
    let boot = world.store.begin_boot().await.expect("a boot");
    world.boot = boot.id.clone();
    world.apply(Step::Reserve { run: 0, input: 10, output: 200 }).await;
    let other = store(directory.path()).await;
    assert_eq!(other.recover_dead().await.expect("looked"), 0);
    assert_eq!(other.living_boots().await.expect("looked"), std::slice::from_ref(&boot.id));
    drop(boot);
    // A server notices a moment later that a session is gone.
    let mut recovered = 0;
    for _ in 0..100 {
        recovered += other.recover_dead().await.expect("looked");
        if recovered > 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(recovered, 1);
    assert_audit(&other, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_calls_never_pass_a_wallet_or_a_nested_budget() {
    // What binds: the wallet, the project, the task, the run. In each case three calls of 200,000 fit and forty race.
    for (wallet, project, task, run) in
        [(600_000, 9, 9, 9), (9, 600_000, 9, 9), (9, 9, 600_000, 9), (9, 9, 9, 600_000)].map(|limits: (i64, i64, i64, i64)| {
            let wide = |limit: i64| if limit == 9 { 100_000_000 } else { limit };
            (wide(limits.0), wide(limits.1), wide(limits.2), wide(limits.3))
        })
    {
        let directory = tempfile::tempdir().expect("a folder");
        let world = World::new(directory.path()).await;
        world.store.open_wallet("racer", NanoUsd(wallet)).await.expect("a wallet");
        world.store.create_project("race", "racer", &State::new("an idea"), NanoUsd(project)).await.expect("a project");
        let mut runs = Vec::new();
        for step in ["one", "two"] {
            let new = NewRun {
                project: "race",
                step,
                task: Some("T1"),
                attempt: 1,
                plugin: "a plugin",
                plugin_sha256: "0",
                base_tree: "",
                task_limit: NanoUsd(task),
                run_limit: NanoUsd(run),
            };
            runs.push(world.store.begin_run(&new, "").await.expect("a run").id);
        }
        // A budget of a run binds its own calls alone.
        let used = if run == 600_000 { 1 } else { 2 };
        let calls: Vec<_> = (0..40)
            .map(|number: u32| {
                let run = &runs[number as usize % used];
                let ask = Reserve { seq: number, wallet: "racer".to_owned(), output_tokens_min: 100, ..world.ask(run, 0, 100) };
                let ask = Reserve { run: run.clone(), budget: run_budget(run), ..ask };
                let store = world.store.clone();
                tokio::spawn(async move {
                    match store.reserve("boot0", &ask).await.expect("answered") {
                        Reserved::Held { call, .. } => {
                            tokio::time::sleep(std::time::Duration::from_millis(u64::from(number % 7))).await;
                            // The provider takes half as much again as was held.
                            let usage = Usage { output: 150, ..Usage::default() };
                            let settlement = Settlement { call, usage, source: UsageSource::Provider };
                            store.settle(&settlement, |_| Vec::new()).await.expect("settled").0
                        }
                        Reserved::TooLittle { .. } => 0,
                        other => panic!("{other:?}"),
                    }
                })
            })
            .collect();
        let mut charged = 0;
        for call in calls {
            charged += call.await.expect("no panic");
        }
        assert!(charged <= 600_000, "overshoot {}", charged - 600_000);
        assert!(charged >= 400_000, "only {charged} of 600000 were used");
        let spent = world.store.project_budget("race").await.expect("a budget").spent.0;
        assert_eq!(spent, charged);
        assert_audit(&world.store, &[]).await;
    }
}
