//! How fast letters go: as fast as Telegram takes them and no faster, with room kept for what people wait for.

use crate::store::chats::{Kind, Letter};
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// Telegram takes thirty messages a second in all chats together; a little less, since they do not arrive as evenly as they leave.
const WINDOW: Duration = Duration::from_millis(1_050);
const WINDOW_MAX: usize = 25;
/// Of those, so many may be things that nobody waits for; the rest is for answers.
const PATIENT_MAX: usize = 18;
/// A message a second in a chat, and three at once after a while of silence; the last of them is kept for answers.
const CHAT_REFILL: Duration = Duration::from_millis(1_050);
const CHAT_BURST: f64 = 3.0;
/// Twenty a minute in a group.
const GROUP_REFILL: Duration = Duration::from_millis(3_100);
/// A status changes no more often than this.
const STATUS_INTERVAL: Duration = Duration::from_millis(1_500);

#[derive(Debug)]
struct Chat {
    /// What may be sent at once.
    tokens: f64,
    filled: Instant,
    /// Nothing before this: Telegram said so.
    not_before: Instant,
    last: Option<Instant>,
}

/// When what may be sent next.
#[derive(Debug)]
pub(super) struct Pace {
    /// Before it, another process may have sent as much as may be sent.
    began: Instant,
    chats: HashMap<i64, Chat>,
    window: VecDeque<Instant>,
    swept: Option<Instant>,
}

impl Pace {
    /// From now on.
    pub(super) fn new(began: Instant) -> Pace {
        Pace { began, chats: HashMap::new(), window: VecDeque::from([began; WINDOW_MAX]), swept: None }
    }

    /// Whether this letter may go now; if so, it is counted. If not, from when on it is worth asking again.
    pub(super) fn lets(&mut self, letter: &Letter, now: Instant) -> Result<(), Instant> {
        self.sweep(now);
        while self.window.front().is_some_and(|sent| *sent + WINDOW <= now) {
            self.window.pop_front();
        }
        let is_patient = letter.kind >= Kind::Result;
        let most = if is_patient { PATIENT_MAX } else { WINDOW_MAX };
        if self.window.len() >= most {
            return Err(self.window[self.window.len() - most] + WINDOW);
        }
        let refill = if letter.chat < 0 { GROUP_REFILL } else { CHAT_REFILL };
        let chat = self.chats.entry(letter.chat).or_insert(Chat { tokens: 0.0, filled: self.began, not_before: now, last: None });
        let gained = now.duration_since(chat.filled).as_secs_f64() / refill.as_secs_f64();
        (chat.tokens, chat.filled) = ((chat.tokens + gained).min(CHAT_BURST), now);
        let needed = if is_patient { 2.0 } else { 1.0 };
        if now < chat.not_before {
            return Err(chat.not_before);
        }
        if let (Kind::Status, Some(last)) = (letter.kind, chat.last)
            && now < last + STATUS_INTERVAL
        {
            return Err(last + STATUS_INTERVAL);
        }
        if chat.tokens < needed {
            return Err(now + refill.mul_f64(needed - chat.tokens));
        }
        chat.tokens -= 1.0;
        chat.last = Some(now);
        self.window.push_back(now);
        Ok(())
    }

    /// Telegram said how long to wait.
    pub(super) fn wait(&mut self, chat: i64, until: Instant) {
        let now = Instant::now();
        let chat = self.chats.entry(chat).or_insert(Chat { tokens: 0.0, filled: now, not_before: until, last: None });
        (chat.tokens, chat.not_before) = (0.0, until);
    }

    /// Forgets chats that have been silent for long enough to be as good as new.
    fn sweep(&mut self, now: Instant) {
        let full = GROUP_REFILL.mul_f64(CHAT_BURST);
        if self.swept.is_none_or(|last| last + full <= now) {
            self.chats.retain(|_, chat| chat.filled + full > now || chat.not_before > now);
            self.swept = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Message;

    fn letter(chat: i64, kind: Kind) -> Letter {
        Letter { name: "x".into(), chat, person: 1, project: None, kind, message: Message::text("x".into()) }
    }

    /// One that began so long ago that all is quiet.
    fn quiet() -> (Pace, Instant) {
        let began = Instant::now();
        (Pace::new(began), began + Duration::from_secs(100))
    }

    /// How many of these go in so many seconds, tried every millisecond.
    fn sent(pace: &mut Pace, from: Instant, seconds: u64, chat: i64, kind: Kind) -> usize {
        let tries = (0..seconds * 1_000).map(|after| from + Duration::from_millis(after));
        tries.filter(|now| pace.lets(&letter(chat, kind), *now).is_ok()).count()
    }

    #[test]
    fn a_chat_gets_a_message_a_second_after_the_first_three_and_a_group_twenty_a_minute() {
        let ((mut pace, start), (mut group, later), (mut status, then)) = (quiet(), quiet(), quiet());
        assert_eq!(sent(&mut pace, start, 10, 1, Kind::Answer), 3 + 9);
        assert!(sent(&mut group, later, 60, -1, Kind::Answer) <= 3 + 20);
        assert!(sent(&mut status, then, 15, 1, Kind::Status) <= 10, "a status changes every one and a half seconds");
    }

    #[test]
    fn thirty_a_second_go_in_all_and_answers_find_room_among_things_nobody_waits_for() {
        let (mut pace, start) = quiet();
        let patient = (0..1_000).filter(|chat| pace.lets(&letter(*chat, Kind::Status), start).is_ok()).count();
        let answers = (2_000..3_000).filter(|chat| pace.lets(&letter(*chat, Kind::Answer), start).is_ok()).count();
        assert_eq!((patient, answers), (PATIENT_MAX, WINDOW_MAX - PATIENT_MAX));
        assert!(pace.lets(&letter(1, Kind::Answer), start + WINDOW).is_ok());
    }

    #[test]
    fn one_that_begins_takes_for_sent_what_the_one_before_may_have_sent() {
        let start = Instant::now();
        assert_eq!(sent(&mut Pace::new(start), start, 1, 1, Kind::Answer), 0);
        assert_eq!(sent(&mut Pace::new(start), start, 4, 1, Kind::Answer), 3);
    }

    #[test]
    fn a_chat_that_must_wait_waits_and_others_do_not() {
        let (mut pace, start) = quiet();
        pace.wait(1, start + Duration::from_secs(30));
        assert!(pace.lets(&letter(1, Kind::Acknowledgement), start + Duration::from_secs(29)).is_err());
        assert!(pace.lets(&letter(2, Kind::Acknowledgement), start).is_ok());
        assert!(pace.lets(&letter(1, Kind::Acknowledgement), start + Duration::from_secs(31)).is_ok());
    }
}
