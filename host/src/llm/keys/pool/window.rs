//! What went out with one key in the last minute, and when the next request fits. In any 60 seconds there are at most as many
//! requests as the key's limit says, and at most as many tokens, as far as they were known when it went out, or one request alone
//! that is larger than that.
//!
//! Why not a token bucket, such as governor's: a bucket that holds a minute's worth and is refilled over a minute lets nearly two
//! minutes' worth through within one (all that it held, then all that flowed in), and a smaller one would keep out a request that
//! needs the whole minute. Besides, both limits must be looked at before either is spent, the key with the most room has to be
//! found without spending, and an estimate of tokens has to be corrected by what was used; governor does none of these. Traffic
//! that keeps to this window also keeps to a provider's bucket of a minute's worth and to its calendar minutes.
//!
//! It reads no clock, and has no line of waiters: who asks first when there is room, gets it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The time that limits are given for.
pub(super) const MINUTE: Duration = Duration::from_secs(60);
/// Requests of one second are counted together, so that a key takes some 60 counters however many requests it allows. They leave
/// the window together, with the youngest of them: never early, and at most this much late.
const COUNTER: Duration = Duration::from_secs(1);

/// What a key may do in a minute.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Limits {
    pub(super) requests: Option<u32>,
    pub(super) tokens: Option<u32>,
}

#[derive(Debug, Default)]
pub(super) struct Window {
    /// The oldest first.
    counters: VecDeque<Counter>,
}

#[derive(Debug)]
struct Counter {
    first: Instant,
    last: Instant,
    requests: u64,
    tokens: u64,
}

impl Counter {
    fn left(&self, now: Instant) -> Duration {
        (self.last + MINUTE).saturating_duration_since(now)
    }
}

impl Window {
    /// How long until a request of so many tokens fits, if nothing else goes out before. Zero means now.
    ///
    /// More tokens than the whole limit fit when nothing is counted: the provider takes them then or never.
    pub(super) fn wait(&self, now: Instant, limits: Limits, tokens: u64) -> Duration {
        let (mut requests_out, mut tokens_out) = self.spent(now);
        let mut wait = Duration::ZERO;
        let fits = |requests_out, tokens_out: u64| {
            limits.requests.is_none_or(|limit| requests_out < u64::from(limit))
                && limits.tokens.is_none_or(|limit| tokens_out.saturating_add(tokens) <= u64::from(limit))
        };
        for counter in self.live(now) {
            if fits(requests_out, tokens_out) {
                break;
            }
            requests_out = requests_out.saturating_sub(counter.requests);
            tokens_out = tokens_out.saturating_sub(counter.tokens);
            wait = counter.left(now);
        }
        wait
    }

    /// How much of the tighter limit is spent, in thousandths. Without limits, nothing ever is.
    pub(super) fn fullness(&self, now: Instant, limits: Limits) -> u64 {
        let (requests, tokens) = self.spent(now);
        let share = |out: u64, limit: Option<u32>| limit.map_or(0, |limit| out.saturating_mul(1000) / u64::from(limit.max(1)));
        share(requests, limits.requests).max(share(tokens, limits.tokens))
    }

    /// Counts a request that goes out.
    pub(super) fn count(&mut self, now: Instant, tokens: u64) {
        while self.counters.front().is_some_and(|counter| counter.left(now).is_zero()) {
            self.counters.pop_front();
        }
        match self.counters.back_mut() {
            // Also when another thread's clock reading was a little later than this one.
            Some(counter) if now.saturating_duration_since(counter.first) < COUNTER => {
                counter.last = counter.last.max(now);
                counter.requests += 1;
                counter.tokens = counter.tokens.saturating_add(tokens);
            }
            _ => self.counters.push_back(Counter { first: now, last: now, requests: 1, tokens }),
        }
    }

    /// Replaces an estimate by what was used, if the request still counts.
    pub(super) fn correct(&mut self, counted_at: Instant, estimate: u64, used: u64) {
        let counter = self.counters.iter_mut().find(|counter| (counter.first..=counter.last).contains(&counted_at));
        if let Some(counter) = counter {
            counter.tokens = counter.tokens.saturating_sub(estimate).saturating_add(used);
        }
    }

    fn live(&self, now: Instant) -> impl Iterator<Item = &Counter> {
        self.counters.iter().filter(move |counter| !counter.left(now).is_zero())
    }

    fn spent(&self, now: Instant) -> (u64, u64) {
        self.live(now).fold((0, 0), |(requests, tokens), counter| (requests + counter.requests, tokens.saturating_add(counter.tokens)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn limits(requests: u32, tokens: u32) -> Limits {
        Limits { requests: Some(requests), tokens: Some(tokens) }
    }

    #[test]
    fn a_request_leaves_the_window_after_a_minute_and_not_before() {
        let start = Instant::now();
        let mut window = Window::default();
        window.count(start, 10);
        assert_eq!(window.wait(start, limits(1, 100), 10), MINUTE);
        assert_eq!(window.wait(start + 59 * SECOND, limits(1, 100), 10), SECOND);
        assert_eq!(window.wait(start + MINUTE, limits(1, 100), 10), Duration::ZERO);
    }

    #[test]
    fn more_than_a_minutes_tokens_go_out_alone() {
        let start = Instant::now();
        let mut window = Window::default();
        assert_eq!(window.wait(start, limits(9, 100), 5000), Duration::ZERO);
        window.count(start, 10);
        assert_eq!(window.wait(start + SECOND, limits(9, 100), 5000), 59 * SECOND);
        window.count(start + MINUTE, 5000);
        assert_eq!(window.wait(start + MINUTE, limits(9, 100), 1), MINUTE);
    }

    #[test]
    fn what_a_call_did_not_use_is_free_again() {
        let start = Instant::now();
        let mut window = Window::default();
        window.count(start, 90);
        window.count(start + 5 * SECOND, 10);
        assert!(!window.wait(start + 6 * SECOND, limits(9, 100), 50).is_zero());
        window.correct(start, 90, 30);
        assert!(window.wait(start + 6 * SECOND, limits(9, 100), 50).is_zero());
        assert_eq!(window.fullness(start + 6 * SECOND, limits(9, 100)), 400);
    }

    #[test]
    fn the_clock_readings_of_two_threads_may_cross() {
        let start = Instant::now();
        let mut window = Window::default();
        window.count(start + SECOND, 1);
        window.count(start, 1);
        assert!(!window.wait(start + MINUTE, limits(2, 100), 1).is_zero());
    }

    proptest! {
        #[test]
        fn no_minute_ever_has_more_than_the_limits(
            requests in 1..30u32,
            allowed in 1..5000u32,
            steps in proptest::collection::vec((0..4000u64, 0..1500u64), 1..300),
        ) {
            let limits = limits(requests, allowed);
            let mut window = Window::default();
            let mut now = Instant::now();
            let mut sent: Vec<(Instant, u64)> = Vec::new();
            for (pause_ms, tokens) in steps {
                now += Duration::from_millis(pause_ms);
                let wait = window.wait(now, limits, tokens);
                prop_assert!(wait <= MINUTE);
                if wait.is_zero() {
                    window.count(now, tokens);
                    sent.push((now, tokens));
                    let minute: Vec<u64> = sent.iter().filter(|(at, _)| *at + MINUTE > now).map(|(_, tokens)| *tokens).collect();
                    prop_assert!(minute.len() <= requests as usize);
                    let alone = minute.iter().filter(|tokens| **tokens > 0).count() <= 1;
                    prop_assert!(alone || minute.iter().sum::<u64>() <= u64::from(allowed));
                } else {
                    prop_assert!(window.wait(now + wait, limits, tokens).is_zero(), "a wait that was kept is enough");
                }
                prop_assert!(window.counters.len() <= 62);
            }
        }
    }
}
