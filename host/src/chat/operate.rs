//! What operators do in a chat: let people in or out, give credits, speak to everybody, see how everything stands. For everybody else these
//! commands do not exist.

use super::respond::{Order, Outcome, Situation};
use super::texts::Texts;
use super::{Action, Button, Message, shop};
use crate::ledger::NanoUsd;

/// People that one invitation lets in, at most.
const INVITE_USES_MAX: u32 = 1_000;
/// An announcement is one message.
const ANNOUNCEMENT_CHARS_MAX: usize = 3_000;

/// What an operator wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Give somebody credits.
    Grant {
        /// To whom.
        person: i64,
        /// How many.
        amount: NanoUsd,
    },
    /// Shut somebody out, or let them in again.
    Block {
        /// Whom.
        person: i64,
        /// Out.
        blocked: bool,
    },
    /// Make a way in.
    Invite {
        /// For so many people.
        uses: u32,
        /// Who get so much each.
        credits: NanoUsd,
    },
    /// Say this to everybody.
    Announce(String),
}

/// How everything stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// People who are let in.
    pub people: u64,
    /// Projects by phase: its word and how many.
    pub projects: Vec<(String, u64)>,
    /// Steps that wait for a worker, and those under way.
    pub steps: (u64, u64),
    /// Messages that wait, were refused, may be there or not, were sent twice to be sure.
    pub messages: [i64; 4],
    /// Charged in the last 24 hours.
    pub charged: NanoUsd,
}

pub(super) fn respond(situation: &Situation, name: &str, rest: &str) -> Option<Outcome> {
    if !situation.is_operator {
        return None;
    }
    let texts = situation.texts;
    let mut words = rest.split_whitespace();
    let number = |word: Option<&str>| word.and_then(|word| word.parse::<i64>().ok());
    let wrong = || Outcome::say(texts.say("operator-help", &[]));
    let order = |operation| Outcome { order: Some(Order::Operate(operation)), ..Outcome::default() };
    Some(match name {
        "operate" => wrong(),
        "stats" => match &situation.stats {
            Some(stats) => Outcome::say(told(texts, stats)),
            None => wrong(),
        },
        "refund" if situation.bought.is_empty() => Outcome::say(texts.say("refund-none", &[])),
        "refund" => Outcome { say: vec![shop::bought(texts, "refund", &situation.bought)], ..Outcome::default() },
        "grant" => match (number(words.next()), words.next().and_then(|word| texts.read_amount(word))) {
            (Some(person), Some(amount)) if amount > NanoUsd::ZERO => order(Operation::Grant { person, amount }),
            _ => wrong(),
        },
        "block" | "unblock" => match number(words.next()) {
            Some(person) if person != situation.person => order(Operation::Block { person, blocked: name == "block" }),
            _ => wrong(),
        },
        "invite" => {
            let uses = words.next().map_or(Some(1), |word| word.parse().ok()).filter(|uses| (1..=INVITE_USES_MAX).contains(uses));
            let credits = words.next().map_or(Some(NanoUsd::ZERO), |word| texts.read_amount(word));
            match (uses, credits) {
                (Some(uses), Some(credits)) => order(Operation::Invite { uses, credits }),
                _ => wrong(),
            }
        }
        "announce" if rest.is_empty() || rest.chars().count() > ANNOUNCEMENT_CHARS_MAX => wrong(),
        "announce" => {
            let button = |name: &str, action| Button { label: texts.plain(name), action };
            let message = Message::text(texts.say("announce-sure", &[("text", rest)]))
                .with([button("announce-yes", Action::Announce(rest.to_owned())), button("announce-no", Action::Nothing)]);
            Outcome { say: vec![message], ..Outcome::default() }
        }
        _ => return None,
    })
}

fn told(texts: Texts, stats: &Stats) -> String {
    let projects: Vec<String> = stats
        .projects
        .iter()
        .map(|(word, count)| texts.say("stats-line", &[("phase", &texts.plain(&format!("phase-{word}"))), ("count", &count.to_string())]))
        .collect();
    let [waiting, refused, uncertain, repeats] = stats.messages.map(|count| count.to_string());
    let (people, charged) = (stats.people.to_string(), texts.cost(stats.charged));
    let (steps, under_way) = (stats.steps.0.to_string(), stats.steps.1.to_string());
    texts.compose(
        "stats",
        &[
            ("people", &people),
            ("projects", &projects.join("\n")),
            ("steps", &steps),
            ("under-way", &under_way),
            ("charged", &charged),
            ("waiting", &waiting),
            ("refused", &refused),
            ("uncertain", &uncertain),
            ("repeats", &repeats),
        ],
    )
}
