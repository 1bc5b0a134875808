//! Flood control. It counts what is sent and edited, for each chat and over all, and says how long to wait. It refuses nothing by
//! itself; `methods` asks it just before something would be shown.

use crate::options::FloodLimits;
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// What was sent lately.
#[derive(Default)]
pub(crate) struct Flood {
    pub(crate) limits: Option<FloodLimits>,
    /// How many calls were refused.
    pub(crate) refused_count: u64,
    private: BTreeMap<i64, Bucket>,
    groups: BTreeMap<i64, VecDeque<Instant>>,
    overall: VecDeque<Instant>,
}

/// What may still be sent at once, and when that was so.
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Flood {
    pub(crate) fn new(limits: Option<FloodLimits>) -> Flood {
        Flood { limits, ..Flood::default() }
    }

    /// Takes one more send, or says after how many seconds to come back.
    pub(crate) fn admit(&mut self, chat: i64, private: bool, now: Instant) -> Result<(), u64> {
        let Some(limits) = self.limits.clone() else { return Ok(()) };
        let overall = window(&mut self.overall, SECOND, limits.overall_per_second, now);
        let own = if private {
            let burst = f64::from(limits.private_burst);
            let bucket = self.private.entry(chat).or_insert(Bucket { tokens: burst, at: now });
            bucket.tokens = (bucket.tokens + now.duration_since(bucket.at).as_secs_f64() * limits.private_per_second).min(burst);
            bucket.at = now;
            match bucket.tokens >= 1.0 {
                true => Duration::ZERO,
                false => Duration::from_secs_f64((1.0 - bucket.tokens) / limits.private_per_second),
            }
        } else {
            window(self.groups.entry(chat).or_default(), MINUTE, limits.group_per_minute, now)
        };
        let wait = overall.max(own);
        if !wait.is_zero() {
            self.refused_count += 1;
            return Err((wait.as_secs_f64().ceil() as u64).max(1));
        }
        self.overall.push_back(now);
        match self.private.get_mut(&chat) {
            Some(bucket) => bucket.tokens -= 1.0,
            None => self.groups.entry(chat).or_default().push_back(now),
        }
        Ok(())
    }
}

/// How long until the window has room for one more.
fn window(sent: &mut VecDeque<Instant>, length: Duration, limit: usize, now: Instant) -> Duration {
    while sent.front().is_some_and(|at| now.duration_since(*at) >= length) {
        sent.pop_front();
    }
    match sent.len() < limit {
        true => Duration::ZERO,
        false => sent.front().map_or(length, |at| length - now.duration_since(*at)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flood() -> Flood {
        Flood::new(Some(FloodLimits::default()))
    }

    #[test]
    fn a_private_chat_takes_three_at_once_and_then_one_a_second() {
        let (mut flood, now) = (flood(), Instant::now());
        for _ in 0..3 {
            assert_eq!(flood.admit(7, true, now), Ok(()));
        }
        assert_eq!(flood.admit(7, true, now), Err(1));
        assert_eq!(flood.admit(8, true, now), Ok(()), "another chat has its own count");
        assert_eq!(flood.admit(7, true, now + SECOND), Ok(()));
        assert_eq!(flood.admit(7, true, now + SECOND), Err(1));
        assert_eq!(flood.refused_count, 2);
    }

    #[test]
    fn a_group_takes_twenty_a_minute() {
        let (mut flood, now) = (flood(), Instant::now());
        for _ in 0..20 {
            assert_eq!(flood.admit(-7, false, now), Ok(()));
        }
        assert_eq!(flood.admit(-7, false, now + Duration::from_secs(15)), Err(45));
        assert_eq!(flood.admit(-7, false, now + MINUTE), Ok(()));
    }

    #[test]
    fn all_chats_together_take_thirty_a_second() {
        let (mut flood, now) = (flood(), Instant::now());
        for chat in 0..30 {
            assert_eq!(flood.admit(chat, true, now), Ok(()));
        }
        assert_eq!(flood.admit(99, true, now), Err(1));
        assert_eq!(flood.admit(99, true, now + SECOND), Ok(()));
    }

    #[test]
    fn what_is_refused_takes_no_room() {
        let (mut flood, now) = (flood(), Instant::now());
        for _ in 0..10 {
            flood.admit(7, true, now).ok();
        }
        assert_eq!(flood.admit(7, true, now + SECOND), Ok(()));
    }
}
