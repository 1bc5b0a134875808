//! What may be spent: by a run, a task, a project, a user, on a day and in a month; by one call and by many at one time.

use crate::ledger::{PROJECT, RUN_LIMIT, Step, WALLET, World};
use atelier_host::ledger::{NanoUsd, PicoUsdPerToken, Rates, Reserve, Reserved, Scope, Settlement, Usage, UsageSource, UserLimits};
use atelier_host::project::State;
use atelier_host::store::Policy;
use atelier_host::store::ledger::prices::NewPrice;
use atelier_host::store::ledger::run_budget;
use atelier_host::store::runs::NewRun;
use tests::home::assert_audit;

#[tokio::test]
async fn the_tightest_budget_binds_and_is_named() {
    let directory = tempfile::tempdir().expect("a folder");
    let world = World::new(directory.path()).await;
    let reserved = world.store.reserve("boot0", None, &world.ask(&world.runs[0], 3_000, 100)).await.expect("answered");
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
        match world.store.reserve("boot0", None, &ask).await.expect("answered") {
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
        lease: None,
    };
    let run = store.begin_run(&new, "").await.expect("a run").id;
    let mut last = None;
    for _ in 0..4 {
        world.seq += 1;
        let ask = Reserve { price, ..world.ask(&run, 10, 10) };
        let reserved = store.reserve("boot0", None, &ask).await.expect("answered");
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
    let reserved = world.store.reserve("boot0", None, &ask).await.expect("answered");
    assert!(matches!(reserved, Reserved::NearCeiling { .. }), "{reserved:?}");
    world.store.spend_to_the_ceiling(PROJECT).await.expect("the user wants it");
    let reserved = world.store.reserve("boot0", None, &ask).await.expect("answered");
    assert!(matches!(reserved, Reserved::Held { .. }), "{reserved:?}");
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
                lease: None,
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
                    match store.reserve("boot0", None, &ask).await.expect("answered") {
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
