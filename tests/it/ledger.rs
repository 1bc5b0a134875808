//! The ledger alone, over a real database: whatever happens in whatever order, its invariants hold after every step.

use atelier_host::ledger::{CallId, NanoUsd, PicoUsdPerToken, Price, Rates, Reserve, Reserved, Scope, Settlement, Usage, UsageSource};
use atelier_host::project::State;
use atelier_host::store::Store;
use atelier_host::store::ledger::run_budget;
use atelier_host::store::runs::{NewRun, RunEnd};
use proptest::prelude::*;
use std::collections::BTreeMap;
use tests::home::assert_audit;

/// Something that happens to the ledger. Numbers choose among what is there.
#[derive(Clone, Debug)]
enum Step {
    Grant(u32),
    Reserve { run: usize, input: u64, output: u64 },
    Dispatch(usize),
    VoidAttempt(usize),
    Settle { call: usize, input: u64, output: u64, estimated: bool },
    Void(usize),
    Lose(usize),
    Refund(usize),
    Ceiling(u32),
    HostDies,
    Adopt,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => (0u32..2_000_000).prop_map(Step::Grant),
        6 => (0usize..4, 0u64..3_000, 1u64..3_000).prop_map(|(run, input, output)| Step::Reserve { run, input, output }),
        4 => any::<usize>().prop_map(Step::Dispatch),
        1 => any::<usize>().prop_map(Step::VoidAttempt),
        // More tokens than were held for: a provider may ignore the limit.
        4 => (any::<usize>(), 0u64..4_000, 0u64..9_000, any::<bool>())
            .prop_map(|(call, input, output, estimated)| Step::Settle { call, input, output, estimated }),
        1 => any::<usize>().prop_map(Step::Void),
        1 => any::<usize>().prop_map(Step::Lose),
        1 => (0usize..4).prop_map(Step::Refund),
        1 => (0u32..9_000_000).prop_map(Step::Ceiling),
        1 => Just(Step::HostDies),
        1 => Just(Step::Adopt),
    ]
}

struct World {
    store: Store,
    price: Price,
    runs: Vec<String>,
    /// Open calls and whether each was dispatched.
    open: Vec<(CallId, bool)>,
    seq: u32,
    boot: String,
}

const WALLET: &str = "story";
const PROJECT: &str = "p1";

impl World {
    async fn new(directory: &std::path::Path) -> World {
        let store = Store::open(&directory.join("ledger.sqlite")).await.expect("a database");
        let rates = Rates::simple(PicoUsdPerToken(1_000_000), PicoUsdPerToken(2_000_000));
        store.set_prices(&BTreeMap::from([("m".to_owned(), rates)]), "a story").await.expect("a price");
        let price = store.price("m").await.expect("read").expect("a price");
        store.open_wallet(WALLET, NanoUsd(5_000_000)).await.expect("a wallet");
        store.create_project(PROJECT, WALLET, &State::new("an idea"), NanoUsd(6_000_000)).await.expect("a project");
        let mut runs = Vec::new();
        for (step, task) in [("one", None), ("two", Some("T1")), ("three", Some("T1")), ("four", Some("T2"))] {
            runs.push(open_run(&store, step, task).await);
        }
        store.register_boot("boot0").await.expect("a boot");
        World { store, price, runs, open: Vec::new(), seq: 0, boot: "boot0".to_owned() }
    }

    async fn apply(&mut self, step: Step) {
        let picked = |open: &Vec<(CallId, bool)>, number: usize| (!open.is_empty()).then(|| number % open.len());
        match step {
            Step::Grant(amount) => {
                self.seq += 1;
                self.store.grant(WALLET, NanoUsd(i64::from(amount)), &format!("g{}", self.seq)).await.expect("granted");
            }
            Step::Reserve { run, input, output } => {
                self.seq += 1;
                let run = self.runs[run].clone();
                let ask = Reserve {
                    budget: run_budget(&run),
                    run,
                    seq: self.seq,
                    fingerprint: String::new(),
                    wallet: WALLET.to_owned(),
                    price: self.price,
                    input_tokens: input,
                    output_tokens: output,
                    output_tokens_min: 100,
                };
                if let Reserved::Held { call, .. } = self.store.reserve(&self.boot, &ask).await.expect("reserved") {
                    self.open.push((call, false));
                }
            }
            Step::Dispatch(number) => {
                if let Some(index) = picked(&self.open, number).filter(|index| !self.open[*index].1) {
                    self.seq += 1;
                    self.store.dispatch(&self.open[index].0, self.seq, "m").await.expect("dispatched");
                    self.open[index].1 = true;
                }
            }
            Step::VoidAttempt(number) => {
                if let Some(index) = picked(&self.open, number).filter(|index| self.open[*index].1) {
                    self.seq += 1;
                    let call = self.open[index].0.clone();
                    let id = self.store.dispatch(&call, self.seq, "m").await.expect("dispatched");
                    self.store.void_attempt(&call, &id, "status 503").await.expect("voided");
                    self.store.dispatch(&call, self.seq + 10_000, "m").await.expect("dispatched");
                }
            }
            Step::Settle { call, input, output, estimated } => {
                if let Some(index) = picked(&self.open, call).filter(|index| self.open[*index].1) {
                    let source = if estimated { UsageSource::Estimated } else { UsageSource::Provider };
                    let usage = Usage { input, output, ..Usage::default() };
                    let settlement = Settlement { call: self.open.remove(index).0, usage, source };
                    self.store.settle(&settlement, |_| Vec::new()).await.expect("settled");
                    // The same call again is no charge, whatever is asked.
                    assert!(self.store.settle(&settlement, |_| Vec::new()).await.is_err(), "settled twice");
                }
            }
            Step::Void(number) => {
                if let Some(index) = picked(&self.open, number) {
                    self.store.void(&self.open.remove(index).0, &[]).await.expect("voided");
                }
            }
            Step::Lose(number) => {
                if let Some(index) = picked(&self.open, number).filter(|index| self.open[*index].1) {
                    let usage = Usage { input: 10, ..Usage::default() };
                    self.store.lose(&self.open.remove(index).0, &usage, "silence").await.expect("lost");
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
                };
                // A run is refunded when it has ended: its calls are over.
                if !self.open.iter().any(|(call, _)| call.run == end.run) {
                    self.store.end_run(&end).await.expect("ended");
                    let task = [None, Some("T1"), Some("T1"), Some("T2")][run];
                    self.seq += 1;
                    self.runs[run] = open_run(&self.store, &format!("again {}", self.seq), task).await;
                }
            }
            Step::Ceiling(amount) => {
                // Below what is spent it is refused; otherwise it binds. Either way nothing breaks.
                let _ = self.store.set_project_limit(PROJECT, NanoUsd(i64::from(amount))).await;
            }
            Step::HostDies => {
                self.store.recover(&self.boot).await.expect("recovered");
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
}

async fn open_run(store: &Store, step: &str, task: Option<&str>) -> String {
    let new = NewRun {
        project: PROJECT,
        step,
        task,
        attempt: 1,
        plugin: "a plugin",
        plugin_sha256: "0",
        base_tree: "",
        task_limit: NanoUsd(2_000_000),
        run_limit: NanoUsd(1_500_000),
    };
    store.open_run(&new).await.expect("a run").0.id
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
                assert_audit(&world.store, std::slice::from_ref(&world.boot)).await;
            }
        });
    }
}

#[tokio::test]
async fn the_database_refuses_an_overshoot_even_if_the_code_asked_for_one() {
    let directory = tempfile::tempdir().expect("a folder");
    let path = directory.path().join("ledger.sqlite");
    let world = World::new(directory.path()).await;
    // Another program, or a fault of ours, past every rule in Rust.
    let sqlite = |statement: &str| {
        let program = format!("import sqlite3,sys\nc=sqlite3.connect(sys.argv[1])\nc.execute({statement:?})\nc.commit()");
        let output = std::process::Command::new("python3").args(["-c", &program]).arg(&path).output().expect("python3 runs");
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for (statement, refused_by) in [
        ("update wallet set held = balance + 1", "CHECK"),
        ("update budget set spent = limit_nano + 1", "CHECK"),
        ("update budget set held = -1", "CHECK"),
        ("update entry set amount = 0", "append-only"),
        ("delete from entry", "append-only"),
        ("update price set rates = '{}'", "append-only"),
    ] {
        let (worked, error) = sqlite(statement);
        assert!(!worked && error.contains(refused_by), "`{statement}`: {error}");
    }
    assert_audit(&world.store, &[]).await;
}

#[tokio::test]
async fn the_audit_finds_what_is_wrong() {
    let directory = tempfile::tempdir().expect("a folder");
    let path = directory.path().join("ledger.sqlite");
    let mut world = World::new(directory.path()).await;
    world.apply(Step::Reserve { run: 0, input: 10, output: 1_000 }).await;
    world.apply(Step::Dispatch(0)).await;
    world.apply(Step::Settle { call: 0, input: 10, output: 10, estimated: false }).await;
    let found = |store: Store| async move {
        let invariants = store.audit(&[]).await.expect("the audit runs");
        invariants.into_iter().filter(|invariant| !invariant.violations.is_empty()).map(|invariant| invariant.id).collect::<Vec<_>>()
    };
    assert_eq!(found(world.store.clone()).await, Vec::<&str>::new());
    for (statement, expected) in [
        // What the database would refuse has to be taken out of the way first.
        ("drop trigger hold_is_final", vec![]),
        ("update wallet set balance = balance + 7", vec!["I1", "I8"]),
        ("update wallet set balance = balance - 7", vec![]),
        ("update hold set charged = charged - 1 where state = 'settled'", vec!["I5", "I6", "I12"]),
        ("update hold set charged = charged + 1 where state = 'settled'", vec![]),
        ("update wallet set seq = seq + 1", vec!["I7"]),
    ] {
        let program = "import sqlite3,sys\nc=sqlite3.connect(sys.argv[1])\nc.execute(sys.argv[2])\nc.commit()";
        let status = std::process::Command::new("python3").args(["-c", program]).arg(&path).arg(statement).status().expect("python3 runs");
        assert!(status.success(), "{statement}");
        assert_eq!(found(world.store.clone()).await, expected, "{statement}");
    }
}

#[tokio::test]
async fn a_grant_is_made_once_for_each_reference() {
    let directory = tempfile::tempdir().expect("a folder");
    let world = World::new(directory.path()).await;
    assert!(world.store.grant(WALLET, NanoUsd(10), "payment 1").await.expect("granted"));
    assert!(!world.store.grant(WALLET, NanoUsd(10), "payment 1").await.expect("known"));
    assert_eq!(world.store.balance(WALLET).await.expect("a balance").balance, NanoUsd(5_000_010));
}

#[tokio::test]
async fn the_tightest_budget_binds_and_is_named() {
    let directory = tempfile::tempdir().expect("a folder");
    let world = World::new(directory.path()).await;
    let ask = |run: &str| Reserve {
        run: run.to_owned(),
        seq: 1,
        fingerprint: String::new(),
        wallet: WALLET.to_owned(),
        budget: run_budget(run),
        price: world.price,
        input_tokens: 3_000,
        output_tokens: 100,
        output_tokens_min: 100,
    };
    let reserved = world.store.reserve("boot0", &ask(&world.runs[0])).await.expect("answered");
    assert!(matches!(reserved, Reserved::TooLittle { scope: Scope::Run, left: NanoUsd(1_500_000), .. }), "{reserved:?}");
}
