//! The ledger alone, over a real database: whatever happens in whatever order, it does what a model in memory does, and its invariants
//! hold after every step.

use crate::ledger_model::Model;
use atelier_host::ledger::{
    CallId, NanoUsd, PicoUsdPerToken, Price, Rates, Reserve, Reserved, Route, Settlement, Usage, UsageSource, UserLimits,
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
pub(crate) enum Step {
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

pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) price: Price,
    model: Model,
    pub(crate) runs: Vec<String>,
    /// Open calls and their request that is under way.
    open: Vec<(CallId, Option<String>)>,
    /// Settled calls.
    settled: Vec<CallId>,
    refunded: BTreeSet<String>,
    pub(crate) seq: u32,
    boot: String,
}

pub(crate) const WALLET: &str = "story";
pub(crate) const PROJECT: &str = "p1";
const BALANCE: i64 = 5_000_000;
const CEILING: i64 = 6_000_000;
pub(crate) const TASK_LIMIT: i64 = 2_000_000;
pub(crate) const RUN_LIMIT: i64 = 1_500_000;
const REFUND_LIMIT: i64 = 3_000_000;
const STEPS: [(&str, Option<&str>); 4] = [("one", None), ("two", Some("T1")), ("three", Some("T1")), ("four", Some("T2"))];

pub(crate) fn route() -> Route {
    Route { provider: "default".to_owned(), model: "m".to_owned(), key_id: None }
}

impl World {
    pub(crate) async fn new(directory: &Path) -> World {
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

    pub(crate) async fn open_run(&mut self, step: &str, task: Option<&'static str>) -> String {
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
            lease: None,
        };
        let run = self.store.begin_run(&new, "").await.expect("a run").id;
        self.model.open_run(&run, task, TASK_LIMIT, RUN_LIMIT);
        run
    }

    pub(crate) fn ask(&self, run: &str, input_tokens: u64, output_tokens: u64) -> Reserve {
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

    pub(crate) async fn apply(&mut self, step: Step) {
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
                let reserved = self.store.reserve(&self.boot, None, &ask).await.expect("answered");
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
                    self.store.end_run(None, &end).await.expect("ended");
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
        ("delete from step", vec!["I7", "I15"]),
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
    assert_eq!(other.recover_dead(None).await.expect("looked"), 0);
    assert_eq!(other.living_boots().await.expect("looked"), std::slice::from_ref(&boot.id));
    drop(boot);
    // A server notices a moment later that a session is gone.
    let mut recovered = 0;
    for _ in 0..100 {
        recovered += other.recover_dead(None).await.expect("looked");
        if recovered > 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(recovered, 1);
    assert_audit(&other, &[]).await;
}
