//! What a pool promises, told with a made-up clock. Windows and the breaker have their own stories beside them.

use super::*;
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);

/// A shared key without limits.
fn key(id: &str) -> StoredKey {
    StoredKey {
        id: KeyId(id.to_owned()),
        provider: "openai".to_owned(),
        owner: None,
        label: "a label".to_owned(),
        state: KeyState::Active,
        sealed: vec![1, 2, 3],
        kek_id: "k1".to_owned(),
        version: 1,
        requests_per_minute: None,
        tokens_per_minute: None,
        created_ms: 0,
    }
}

fn own(id: &str, wallet: &str) -> StoredKey {
    StoredKey { owner: Some(wallet.to_owned()), ..key(id) }
}

fn pool(keys: impl IntoIterator<Item = StoredKey>) -> Pool {
    let pool = Pool::new("openai");
    pool.replace(keys.into_iter().collect());
    pool
}

fn ready(pick: Pick) -> Lease {
    match pick {
        Pick::Ready(lease) => lease,
        other => panic!("a key was expected: {other:?}"),
    }
}

fn wait(pick: Pick) -> Duration {
    match pick {
        Pick::Wait(wait) => wait,
        other => panic!("a wait was expected: {other:?}"),
    }
}

fn why(pick: Pick) -> Why {
    match pick {
        Pick::Unavailable(why) => why,
        other => panic!("a reason was expected: {other:?}"),
    }
}

fn picked(pool: &Pool, now: Instant, owner: Option<&str>) -> String {
    ready(pool.pick(now, owner, 10)).key().id.to_string()
}

/// A call that ends as told.
fn call(pool: &Pool, now: Instant, outcome: Outcome) -> String {
    let lease = ready(pool.pick(now, None, 10));
    pool.report(now, &lease, outcome);
    lease.key().id.to_string()
}

fn condition(pool: &Pool, now: Instant, id: &str) -> String {
    let conditions = pool.conditions(now);
    let found = conditions.iter().find(|(known, _)| known.as_str() == id);
    found.map(|(_, condition)| condition.to_string()).expect("a condition")
}

const ANSWERED: Outcome = Outcome::Answered { tokens: 10 };
const LIMITED: Outcome = Outcome::RateLimited { retry_after: None };

#[test]
fn without_keys_the_operator_is_told_how_to_add_one() {
    let now = Instant::now();
    let reason = why(pool([]).pick(now, None, 1));
    assert_eq!(reason.to_string(), "there is no usable key for `openai`; add one with `atelier keys add`");
    assert_eq!(reason.wait(), None);
}

#[test]
fn keys_take_turns() {
    let now = Instant::now();
    let pool = pool([key("a"), key("b"), key("c")]);
    let turns: Vec<String> = (0..6).map(|_| call(&pool, now, ANSWERED)).collect();
    assert_eq!(turns, ["a", "b", "c", "a", "b", "c"]);
}

#[test]
fn the_key_with_the_most_room_goes_first() {
    let now = Instant::now();
    let limited = |id: &str, tokens| StoredKey { tokens_per_minute: Some(tokens), ..key(id) };
    let pool = pool([limited("large", 1000), limited("small", 100)]);
    let turns: Vec<String> = (0..11).map(|_| picked(&pool, now, None)).collect();
    assert_eq!(turns.iter().filter(|id| *id == "small").count(), 1, "{turns:?}");
}

#[test]
fn draining_and_revoked_keys_are_not_picked_and_calls_under_way_with_them_end_well() {
    let now = Instant::now();
    let pool = pool([StoredKey { requests_per_minute: Some(9), ..key("a") }]);
    let under_way = ready(pool.pick(now, None, 10));
    for (state, word) in [(KeyState::Draining, "draining"), (KeyState::Revoked, "revoked")] {
        pool.replace(vec![StoredKey { state, ..key("a") }]);
        assert!(matches!(why(pool.pick(now, None, 1)), Why::NoKeys { .. }));
        assert_eq!(condition(&pool, now, "a"), word);
    }
    pool.report(now, &under_way, ANSWERED);
    assert_eq!(under_way.key().state, KeyState::Active, "the lease keeps what it was given");
}

#[test]
fn a_limit_of_nothing_closes_a_key() {
    let now = Instant::now();
    let pool = pool([StoredKey { requests_per_minute: Some(0), ..key("a") }, StoredKey { tokens_per_minute: Some(0), ..key("b") }]);
    assert!(matches!(why(pool.pick(now, None, 1)), Why::NoKeys { .. }));
    assert_eq!(condition(&pool, now, "b"), "closed by a limit of 0");
}

#[test]
fn keys_of_another_provider_do_not_get_in() {
    let pool = pool([StoredKey { provider: "anthropic".to_owned(), ..key("a") }]);
    assert_eq!(pool.conditions(Instant::now()), []);
}

#[test]
fn a_wallet_uses_its_own_key_and_nobody_elses() {
    let now = Instant::now();
    let pool = pool([key("shared"), own("mine", "wallet-1"), own("theirs", "wallet-2")]);
    for _ in 0..3 {
        assert_eq!(picked(&pool, now, Some("wallet-1")), "mine");
        assert_eq!(picked(&pool, now, Some("wallet-3")), "shared");
        assert_eq!(picked(&pool, now, None), "shared");
    }
    assert!(ready(pool.pick(now, Some("wallet-1"), 1)).is_own());
}

#[test]
fn a_wallet_whose_own_key_fails_is_told_and_the_house_does_not_step_in() {
    let now = Instant::now();
    let pool = pool([key("shared"), own("mine", "wallet-1")]);
    let lease = ready(pool.pick(now, Some("wallet-1"), 10));
    pool.report(now, &lease, Outcome::QuotaExhausted);
    let reason = why(pool.pick(now, Some("wallet-1"), 10));
    assert_eq!(
        reason.to_string(),
        "your own key for `openai` is over its limit or quota for another 3600 s; wait, or raise the limit with the provider"
    );
    pool.report(now, &ready(pool.pick(now + 3600 * SECOND, Some("wallet-1"), 10)), Outcome::KeyRefused);
    let reason = why(pool.pick(now + 3600 * SECOND, Some("wallet-1"), 10));
    assert_eq!(reason.to_string(), "`openai` refused your own key; replace it, or remove it to use the shared ones");
    pool.replace(vec![key("shared"), StoredKey { state: KeyState::Revoked, ..own("mine", "wallet-1") }]);
    assert_eq!(picked(&pool, now, Some("wallet-1")), "shared", "one that was taken back no longer counts");
}

#[test]
fn a_full_minute_says_when_there_is_room() {
    let now = Instant::now();
    let pool = pool([StoredKey { requests_per_minute: Some(2), ..key("a") }]);
    picked(&pool, now, None);
    picked(&pool, now + 10 * SECOND, None);
    assert_eq!(wait(pool.pick(now + 20 * SECOND, None, 10)), 40 * SECOND);
    picked(&pool, now + 60 * SECOND, None);
}

#[test]
fn a_call_larger_than_a_minutes_tokens_goes_out_when_the_key_is_fresh() {
    let now = Instant::now();
    let pool = pool([StoredKey { tokens_per_minute: Some(100), ..key("a") }]);
    let lease = ready(pool.pick(now, None, 100_000));
    assert_eq!(wait(pool.pick(now, None, 100_000)), 60 * SECOND);
    assert_eq!(wait(pool.pick(now, None, 1)), 60 * SECOND);
    pool.report(now, &lease, Outcome::Answered { tokens: 40 });
    assert_eq!(picked(&pool, now, None), "a", "what it did not use is free again");
}

#[test]
fn a_limited_key_rests_as_long_as_the_provider_asks_within_bounds() {
    let check = |asked, rests: Duration| {
        let now = Instant::now();
        let pool = pool([key("a")]);
        call(&pool, now, Outcome::RateLimited { retry_after: Some(asked) });
        assert_eq!(condition(&pool, now, "a"), format!("cooling down {} s", rests.as_millis().div_ceil(1000)));
        assert!(!matches!(pool.pick(now + rests - Duration::from_millis(1), None, 1), Pick::Ready(_)));
        assert!(matches!(pool.pick(now + rests, None, 1), Pick::Ready(_)));
    };
    check(Duration::ZERO, RETRY_AFTER_MIN);
    check(7 * SECOND, 7 * SECOND);
    check(Duration::MAX, RETRY_AFTER_MAX);
}

#[test]
fn a_key_that_is_limited_again_and_again_rests_longer_and_an_answer_ends_that() {
    let mut now = Instant::now();
    let pool = pool([key("a")]);
    let mut rests = Vec::new();
    for _ in 0..8 {
        call(&pool, now, LIMITED);
        // The longest rests are beyond what a call waits.
        let rest = match pool.pick(now, None, 1) {
            Pick::Wait(rest) => rest,
            other => why(other).wait().expect("a time"),
        };
        rests.push(rest.as_secs());
        now += rest;
    }
    assert_eq!(rests, [2, 4, 8, 16, 32, 64, 120, 120]);
    call(&pool, now, ANSWERED);
    call(&pool, now, LIMITED);
    assert_eq!(wait(pool.pick(now, None, 1)), 2 * SECOND);
}

#[test]
fn calls_that_are_limited_together_are_one_strike() {
    let now = Instant::now();
    let pool = pool([key("a")]);
    let leases: Vec<Lease> = (0..20).map(|_| ready(pool.pick(now, None, 10))).collect();
    for lease in &leases {
        pool.report(now, lease, LIMITED);
    }
    assert_eq!(wait(pool.pick(now, None, 1)), 4 * SECOND);
}

#[test]
fn a_shorter_rest_does_not_end_a_longer_one() {
    let now = Instant::now();
    let pool = pool([key("a")]);
    let [first, second] = [(); 2].map(|()| ready(pool.pick(now, None, 10)));
    pool.report(now, &first, Outcome::QuotaExhausted);
    pool.report(now, &second, LIMITED);
    assert_eq!(condition(&pool, now, "a"), "cooling down 3600 s");
}

#[test]
fn while_one_key_rests_the_others_work() {
    let now = Instant::now();
    let pool = pool([key("a"), key("b")]);
    call(&pool, now, Outcome::QuotaExhausted);
    for _ in 0..3 {
        assert_eq!(call(&pool, now, ANSWERED), "b");
    }
    assert_eq!(condition(&pool, now, "a"), "cooling down 3600 s");
}

#[test]
fn when_all_keys_rest_for_long_the_operator_is_told_for_how_long() {
    let now = Instant::now();
    let pool = pool([key("a"), key("b")]);
    call(&pool, now, Outcome::QuotaExhausted);
    call(&pool, now + 60 * SECOND, Outcome::QuotaExhausted);
    let reason = why(pool.pick(now + 100 * SECOND, None, 1));
    assert_eq!(
        reason.to_string(),
        "every key for `openai` is over its limit or quota for another 3500 s; wait, raise the limit with the provider, or add a key with `atelier keys add`"
    );
    assert_eq!(reason.wait(), Some(3500 * SECOND));
}

#[test]
fn a_refused_key_is_out_until_its_row_changes_or_an_operator_checked_it() {
    let now = Instant::now();
    let later = now + 100_000 * SECOND;
    let pool = pool([key("a")]);
    call(&pool, now, Outcome::KeyRefused);
    let reason = why(pool.pick(later, None, 1));
    assert_eq!(
        reason.to_string(),
        "`openai` refused every key it was given; test them with `atelier keys check` and replace what is wrong with `atelier keys add`"
    );
    assert_eq!(condition(&pool, later, "a"), "quarantined");
    pool.replace(vec![StoredKey { label: "another label".to_owned(), ..key("a") }]);
    assert!(matches!(why(pool.pick(later, None, 1)), Why::AllRefused { .. }), "its secret is still the same");
    pool.replace(vec![StoredKey { version: 2, ..key("a") }]);
    assert_eq!(call(&pool, later, ANSWERED), "a");
}

#[test]
fn a_late_refusal_of_the_old_secret_is_not_held_against_the_new_one() {
    let now = Instant::now();
    let pool = pool([key("a")]);
    let with_the_old_one = ready(pool.pick(now, None, 1));
    pool.replace(vec![StoredKey { version: 2, ..key("a") }]);
    pool.report(now, &with_the_old_one, Outcome::KeyRefused);
    assert_eq!(condition(&pool, now, "a"), "ok");
}

#[test]
fn new_rows_keep_what_is_known_of_a_key() {
    let now = Instant::now();
    let limited = StoredKey { requests_per_minute: Some(1), ..key("a") };
    let pool = pool([limited.clone()]);
    picked(&pool, now, None);
    pool.replace(vec![StoredKey { version: 2, ..limited }, key("b")]);
    assert_eq!(picked(&pool, now, None), "b");
    assert_eq!(picked(&pool, now, None), "b", "the account behind a new secret is the old one");
}

#[test]
fn only_the_first_report_of_a_call_counts() {
    let now = Instant::now();
    let pool = pool([key("a")]);
    let lease = ready(pool.pick(now, None, 10));
    pool.report(now, &lease, ANSWERED);
    pool.report(now, &lease, Outcome::KeyRefused);
    assert_eq!(condition(&pool, now, "a"), "ok");
}

/// A pool of three keys whose provider has just failed often enough.
fn broken(now: Instant) -> Pool {
    let pool = pool([key("a"), key("b"), key("c")]);
    let failures = [Outcome::Overloaded, Outcome::Unreachable, Outcome::Faulty];
    for failure in failures.into_iter().cycle().take(breaker::FAILURES_MAX as usize) {
        call(&pool, now, failure);
    }
    pool
}

#[test]
fn a_provider_that_fails_with_every_key_is_left_alone_for_a_while() {
    let now = Instant::now();
    let pool = broken(now);
    let reason = why(pool.pick(now + SECOND, None, 1));
    assert_eq!(reason.to_string(), "`openai` does not work just now; it is tried again in 4 s");
    assert_eq!(reason.wait(), Some(4 * SECOND));
    assert_eq!(condition(&pool, now, "a"), "ok", "it is not the keys' fault");
}

#[test]
fn one_call_tries_a_broken_provider_and_its_answer_lets_the_others_in() {
    let now = Instant::now() + breaker::OPEN_FIRST;
    let pool = broken(now - breaker::OPEN_FIRST);
    let probe = ready(pool.pick(now, None, 1));
    for _ in 0..10 {
        assert!(matches!(why(pool.pick(now, None, 1)), Why::ProviderDown { .. }));
    }
    pool.report(now, &probe, ANSWERED);
    let through = (0..10).map(|_| ready(pool.pick(now, None, 1))).collect::<Vec<_>>();
    assert_eq!(through.len(), 10);
}

#[test]
fn a_probe_that_ends_without_a_word_lets_another_one_try() {
    let now = Instant::now() + breaker::OPEN_FIRST;
    let pool = broken(now - breaker::OPEN_FIRST);
    for _ in 0..3 {
        let probe = ready(pool.pick(now, None, 1));
        why(pool.pick(now, None, 1));
        drop(probe);
    }
    ready(pool.pick(now, None, 1));
}

#[test]
fn a_probe_whose_key_is_refused_says_nothing_about_the_provider() {
    let now = Instant::now() + breaker::OPEN_FIRST;
    let pool = broken(now - breaker::OPEN_FIRST);
    let refused = call(&pool, now, Outcome::KeyRefused);
    let next = ready(pool.pick(now, None, 1));
    assert_ne!(next.key().id.to_string(), refused);
    assert!(matches!(why(pool.pick(now, None, 1)), Why::ProviderDown { .. }), "again one at a time");
}

#[test]
fn waiting_for_room_takes_no_probe() {
    let now = Instant::now();
    let pool = pool([StoredKey { requests_per_minute: Some(breaker::FAILURES_MAX), ..key("a") }]);
    for _ in 0..breaker::FAILURES_MAX {
        call(&pool, now, Outcome::Faulty);
    }
    assert_eq!(wait(pool.pick(now + breaker::OPEN_FIRST, None, 1)), 55 * SECOND);
    ready(pool.pick(now + 60 * SECOND, None, 1));
}

#[test]
fn threads_share_a_pool_and_its_limits() {
    let now = Instant::now();
    let pool = pool([StoredKey { requests_per_minute: Some(50), ..key("a") }, StoredKey { requests_per_minute: Some(30), ..key("b") }]);
    let sent: usize = std::thread::scope(|scope| {
        let work = || (0..100).filter(|_| matches!(pool.pick(now, None, 1), Pick::Ready(_))).count();
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().expect("a thread")).sum()
    });
    assert_eq!(sent, 80);
}

/// One thing that happens to a pool.
#[derive(Clone, Debug)]
enum Step {
    Call {
        tokens: u64,
        outcome: Option<Outcome>,
    },
    Pause {
        ms: u64,
    },
    /// This key gets a new secret.
    Renew(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let outcome = prop_oneof![
        6 => (0..500u64).prop_map(|tokens| Outcome::Answered { tokens }),
        2 => proptest::option::of(0..90u64).prop_map(|s| Outcome::RateLimited { retry_after: s.map(Duration::from_secs) }),
        1 => Just(Outcome::KeyRefused),
        1 => Just(Outcome::QuotaExhausted),
        2 => prop_oneof![Just(Outcome::Overloaded), Just(Outcome::Unreachable), Just(Outcome::Faulty)],
    ];
    prop_oneof![
        8 => (0..700u64, proptest::option::weighted(0.8, outcome)).prop_map(|(tokens, outcome)| Step::Call { tokens, outcome }),
        3 => (0..20_000u64).prop_map(|ms| Step::Pause { ms }),
        1 => (0..3usize).prop_map(Step::Renew),
    ]
}

proptest! {
    /// The bound is exact: in any 60 seconds, at most `requests_per_minute` picks of a key. (A token bucket of the same size would
    /// let up to twice as many through: the full bucket, and what flows in.)
    #[test]
    fn whatever_happens_the_promises_hold(limits in proptest::collection::vec(1..8u32, 3), steps in proptest::collection::vec(step(), 1..200)) {
        let mut keys: Vec<StoredKey> = limits.iter().enumerate()
            .map(|(number, limit)| StoredKey { requests_per_minute: Some(*limit), ..key(&number.to_string()) })
            .collect();
        let pool = pool(keys.clone());
        let mut now = Instant::now();
        let mut picks: Vec<(KeyId, Instant)> = Vec::new();
        let mut refused: Vec<KeyId> = Vec::new();
        let mut failures = 0;
        for step in steps {
            match step {
                Step::Pause { ms } => now += Duration::from_millis(ms),
                Step::Renew(number) => {
                    keys[number].version += 1;
                    refused.retain(|id| *id != keys[number].id);
                    pool.replace(keys.clone());
                }
                Step::Call { tokens, outcome } => match pool.pick(now, None, tokens) {
                    Pick::Unavailable(Why::ProviderDown { wait, .. }) => {
                        prop_assert!(failures >= breaker::FAILURES_MAX && wait <= breaker::OPEN_MAX);
                    }
                    Pick::Unavailable(Why::AllRefused { .. }) => prop_assert_eq!(refused.len(), keys.len()),
                    Pick::Unavailable(Why::AllCoolingDown { wait, .. }) => prop_assert!(wait > WAIT_MAX && wait <= RETRY_AFTER_MAX),
                    Pick::Unavailable(why) => prop_assert!(false, "there are keys: {why}"),
                    Pick::Wait(wait) => {
                        prop_assert!(!wait.is_zero() && wait <= WAIT_MAX);
                    }
                    Pick::Ready(lease) => {
                        let id = lease.key().id.clone();
                        prop_assert!(!refused.contains(&id), "a quarantined key was picked");
                        picks.push((id.clone(), now));
                        let minute = picks.iter().filter(|(other, at)| *other == id && *at + 60 * SECOND > now).count();
                        prop_assert!(minute <= lease.key().requests_per_minute.expect("a limit") as usize);
                        match outcome {
                            Some(Outcome::Answered { .. }) => failures = 0,
                            Some(Outcome::Overloaded | Outcome::Unreachable | Outcome::Faulty) => failures += 1,
                            Some(Outcome::KeyRefused) => refused.push(id),
                            _ => {}
                        }
                        if let Some(outcome) = outcome {
                            pool.report(now, &lease, outcome);
                        }
                    }
                },
            }
        }
    }
}
