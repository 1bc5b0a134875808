//! The breaker of one provider: when it fails again and again, whichever key is used, calls are held back; after a while one call
//! at a time tries it, and only its answer lets the others through again.
//!
//! It knows no keys and reads no clock. While it is open it listens to its probe alone: calls that began before say nothing about
//! how the provider is now.

use std::time::{Duration, Instant};

/// Failures without an answer between them that open the breaker. One or two happen on a good day, and one call alone, which is
/// sent up to four times, should not shut out the others.
pub(super) const FAILURES_MAX: u32 = 5;
/// How long it is open at first: a restart of a provider's front end takes seconds.
pub(super) const OPEN_FIRST: Duration = Duration::from_secs(5);
/// It doubles up to here: an outage of hours costs a call every five minutes, and its end is noticed as soon.
pub(super) const OPEN_MAX: Duration = Duration::from_secs(300);
/// When to ask again while another call is the probe. Its answer may take minutes, a refusal a second.
pub(super) const PROBE_WAIT: Duration = Duration::from_secs(2);

/// What a call says about the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// It works.
    Good,
    /// It does not.
    Bad,
    /// It is about the key that was used.
    Neither,
}

/// Names one probe, so that a late word about an earlier one is not taken for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Probe(u64);

#[derive(Debug, Default)]
pub(super) struct Breaker {
    state: State,
    probes: u64,
}

#[derive(Debug)]
enum State {
    Closed { failures: u32 },
    Open { until: Instant, wait: Duration, probe: Option<Probe> },
}

impl Default for State {
    fn default() -> State {
        State::Closed { failures: 0 }
    }
}

impl Breaker {
    /// How long no call may begin. Zero means that one may, now.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        match &self.state {
            State::Closed { .. } => Duration::ZERO,
            State::Open { until, .. } if now < *until => *until - now,
            State::Open { probe: Some(_), .. } => PROBE_WAIT,
            State::Open { probe: None, .. } => Duration::ZERO,
        }
    }

    /// A call begins, after [`Breaker::wait`] was zero. `Some` means that it is the probe and that others wait for it.
    pub(super) fn begin(&mut self) -> Option<Probe> {
        let State::Open { probe, .. } = &mut self.state else { return None };
        self.probes += 1;
        *probe = Some(Probe(self.probes));
        *probe
    }

    /// What a call, perhaps the probe, had to say.
    pub(super) fn note(&mut self, now: Instant, told_by: Option<Probe>, sign: Sign) {
        match &mut self.state {
            State::Closed { failures } => match sign {
                Sign::Good => *failures = 0,
                Sign::Neither => {}
                Sign::Bad => {
                    *failures += 1;
                    if *failures >= FAILURES_MAX {
                        self.state = State::Open { until: now + OPEN_FIRST, wait: OPEN_FIRST, probe: None };
                    }
                }
            },
            State::Open { until, wait, probe } if told_by.is_some() && *probe == told_by => {
                *probe = None;
                match sign {
                    Sign::Good => self.state = State::default(),
                    // The provider refused a key, so it is there; whether it answers, the next probe has to show.
                    Sign::Neither => {}
                    Sign::Bad => {
                        *wait = (*wait * 2).min(OPEN_MAX);
                        *until = now + *wait;
                    }
                }
            }
            State::Open { .. } => {}
        }
    }

    /// A call is over and said nothing. If it was the probe, another may be one.
    pub(super) fn release(&mut self, ended: Probe) {
        if let State::Open { probe, .. } = &mut self.state
            && *probe == Some(ended)
        {
            *probe = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A breaker that has just opened.
    fn open(now: Instant) -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 0..FAILURES_MAX {
            assert!(breaker.wait(now).is_zero());
            breaker.note(now, None, Sign::Bad);
        }
        assert_eq!(breaker.wait(now), OPEN_FIRST);
        breaker
    }

    #[test]
    fn an_answer_between_failures_keeps_it_closed() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        for _ in 0..10 {
            for _ in 1..FAILURES_MAX {
                breaker.note(now, None, Sign::Bad);
                breaker.note(now, None, Sign::Neither);
            }
            breaker.note(now, None, Sign::Good);
        }
        assert!(breaker.wait(now).is_zero());
    }

    #[test]
    fn each_failed_probe_doubles_the_wait_up_to_a_bound() {
        let mut now = Instant::now();
        let mut breaker = open(now);
        let mut waits = Vec::new();
        for _ in 0..8 {
            now += breaker.wait(now);
            let probe = breaker.begin();
            breaker.note(now, probe, Sign::Bad);
            waits.push(breaker.wait(now).as_secs());
        }
        assert_eq!(waits, [10, 20, 40, 80, 160, 300, 300, 300]);
    }

    #[test]
    fn one_probe_at_a_time_and_its_answer_closes() {
        let mut now = Instant::now();
        let mut breaker = open(now);
        now += OPEN_FIRST;
        assert!(breaker.wait(now).is_zero());
        let probe = breaker.begin();
        assert_eq!(breaker.wait(now), PROBE_WAIT);
        breaker.note(now, probe, Sign::Good);
        assert!(breaker.wait(now).is_zero());
        assert_eq!(breaker.begin(), None);
    }

    #[test]
    fn calls_from_before_neither_close_it_nor_hold_it_open() {
        let mut now = Instant::now();
        let mut breaker = open(now);
        breaker.note(now, None, Sign::Good);
        breaker.note(now, None, Sign::Bad);
        assert_eq!(breaker.wait(now), OPEN_FIRST);
        now += OPEN_FIRST;
        let first = breaker.begin();
        breaker.release(first.expect("a probe"));
        let second = breaker.begin();
        breaker.note(now, first, Sign::Bad);
        breaker.release(first.expect("a probe"));
        assert_eq!(breaker.wait(now), PROBE_WAIT, "the second probe is still under way");
        breaker.note(now, second, Sign::Neither);
        assert!(breaker.wait(now).is_zero(), "the next one may try");
    }
}
