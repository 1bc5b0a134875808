//! What to do when nobody knows how a call ended: the request left, and no whole answer came back. The provider may have billed
//! it, so somebody pays; this table says who, for each dialect and each way to lose an answer, and why. Until something was seen
//! the house pays, because a user cannot be asked to pay for nothing; what was seen the user pays, as an estimate, because it was
//! made for them.

use super::dialects::Dialect;
use Dialect::{Anthropic, Gemini, Ollama, OpenAi};
use Outcome::{CutAfterText, HostDied, LostBeforeAnswer, NoFirstByte, StoppedAfterText, StoppedBeforeText, Unreadable};
use Resolution::{HousePays, UserPaysEstimate};

/// How far a call had come when its end was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was sent, and not a byte came back in time.
    NoFirstByte,
    /// The connection broke after it was sent and before any text.
    LostBeforeAnswer,
    /// What came back was not in the provider's format from the start.
    Unreadable,
    /// The answer was cut off after some text.
    CutAfterText,
    /// It was stopped from here before any text.
    StoppedBeforeText,
    /// It was stopped from here after some text.
    StoppedAfterText,
    /// The host died while it was under way, and the answer was not stored.
    HostDied,
}

impl Outcome {
    /// Each of them.
    pub const ALL: [Outcome; 7] = [
        Outcome::NoFirstByte,
        Outcome::LostBeforeAnswer,
        Outcome::Unreadable,
        Outcome::CutAfterText,
        Outcome::StoppedBeforeText,
        Outcome::StoppedAfterText,
        Outcome::HostDied,
    ];

    /// Whether text of the answer was seen and kept.
    pub fn text_was_seen(self) -> bool {
        matches!(self, Outcome::CutAfterText | Outcome::StoppedAfterText)
    }
}

/// Who pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// The hold is released, and its estimate is booked as the house's loss.
    HousePays,
    /// The user is charged an estimate: the input, and the output that was seen.
    UserPaysEstimate,
}

/// A line of the policy.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Whose call.
    pub dialect: Dialect,
    /// How it was lost.
    pub outcome: Outcome,
    /// Who pays.
    pub resolution: Resolution,
    /// Why.
    pub why: &'static str,
}

const fn rule(dialect: Dialect, outcome: Outcome, resolution: Resolution, why: &'static str) -> Rule {
    Rule { dialect, outcome, resolution, why }
}

/// The whole policy. A hosted provider bills the input and what was made until it noticed the disconnect.
pub const POLICY: [Rule; 28] = [
    rule(OpenAi, NoFirstByte, HousePays, "the provider may bill the input, and reasoning that nobody can see, but the user got nothing"),
    rule(OpenAi, LostBeforeAnswer, HousePays, "whether it was accepted is not known, and there is no request to ask by id"),
    rule(OpenAi, Unreadable, HousePays, "a server that is only almost compatible is the operator's choice, not the user's"),
    rule(OpenAi, CutAfterText, UserPaysEstimate, "usage comes in the last chunk, which is lost; what was seen was made and is billed"),
    rule(OpenAi, StoppedBeforeText, HousePays, "the disconnect stops the model; at most the input is billed, and nothing was delivered"),
    rule(OpenAi, StoppedAfterText, UserPaysEstimate, "what was made until the disconnect is billed, and the user had it stopped"),
    rule(
        OpenAi,
        HostDied,
        HousePays,
        "our fault: the call is made again under a new attempt, and a user is charged for one of them at most",
    ),
    rule(Anthropic, NoFirstByte, HousePays, "the first event counts the input; without it nothing shows that the request was taken"),
    rule(Anthropic, LostBeforeAnswer, HousePays, "even where the input was counted, nothing was delivered"),
    rule(Anthropic, Unreadable, HousePays, "something between the provider and here changed the answer, which is not the user's doing"),
    rule(Anthropic, CutAfterText, UserPaysEstimate, "the input was counted in the first event, and what was seen is billed"),
    rule(Anthropic, StoppedBeforeText, HousePays, "thinking may have been billed, but none of it was delivered"),
    rule(
        Anthropic,
        StoppedAfterText,
        UserPaysEstimate,
        "the input was counted in the first event, and what was made until the disconnect is billed",
    ),
    rule(
        Anthropic,
        HostDied,
        HousePays,
        "our fault: the call is made again under a new attempt, and a user is charged for one of them at most",
    ),
    rule(Gemini, NoFirstByte, HousePays, "the model may have thought and be billed for it, but the user got nothing"),
    rule(Gemini, LostBeforeAnswer, HousePays, "whether it was accepted is not known, and there is no request to ask by id"),
    rule(Gemini, Unreadable, HousePays, "something between the provider and here changed the answer, which is not the user's doing"),
    rule(Gemini, CutAfterText, UserPaysEstimate, "each event counts what was made so far, and that is billed"),
    rule(Gemini, StoppedBeforeText, HousePays, "thoughts may have been billed, but none of them was delivered"),
    rule(Gemini, StoppedAfterText, UserPaysEstimate, "each event counts what was made so far, and the user had it stopped"),
    rule(
        Gemini,
        HostDied,
        HousePays,
        "our fault: the call is made again under a new attempt, and a user is charged for one of them at most",
    ),
    rule(Ollama, NoFirstByte, HousePays, "a model that is being loaded is slow and bills nothing"),
    rule(Ollama, LostBeforeAnswer, HousePays, "it bills nothing, so the house loses nothing"),
    rule(Ollama, Unreadable, HousePays, "it bills nothing, so the house loses nothing"),
    rule(
        Ollama,
        CutAfterText,
        UserPaysEstimate,
        "it bills nothing, but where an operator set a price, machine time was spent on what was seen",
    ),
    rule(Ollama, StoppedBeforeText, HousePays, "the disconnect stops the model, and nothing was delivered"),
    rule(Ollama, StoppedAfterText, UserPaysEstimate, "where an operator set a price, machine time was spent on what was seen"),
    rule(Ollama, HostDied, HousePays, "our fault, and it bills nothing"),
];

/// Who pays for a call whose end was lost.
pub fn policy(dialect: Dialect, outcome: Outcome) -> Resolution {
    let rule = POLICY.iter().find(|rule| rule.dialect == dialect && rule.outcome == outcome);
    // A test says that the table is whole; a line that is missing all the same must not charge anybody.
    rule.map_or(HousePays, |rule| rule.resolution)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_to_lose_an_answer_has_one_rule_and_a_reason() {
        for dialect in Dialect::ALL {
            for outcome in Outcome::ALL {
                let rules: Vec<&Rule> = POLICY.iter().filter(|rule| (rule.dialect, rule.outcome) == (dialect, outcome)).collect();
                assert_eq!(rules.len(), 1, "{dialect:?} {outcome:?}");
                assert!(rules[0].why.split(' ').count() > 4, "{dialect:?} {outcome:?}");
            }
        }
        assert_eq!(POLICY.len(), Dialect::ALL.len() * Outcome::ALL.len());
    }

    #[test]
    fn a_user_pays_only_for_what_was_seen() {
        for rule in POLICY {
            let expected = if rule.outcome.text_was_seen() { UserPaysEstimate } else { HousePays };
            assert_eq!(policy(rule.dialect, rule.outcome), expected, "{:?} {:?}", rule.dialect, rule.outcome);
        }
    }

    #[test]
    fn a_host_that_dies_is_never_the_users_to_pay() {
        // The recovery in `store/ledger/calls.rs` knows no dialect: it gives the hold back and books the loss for all of them.
        assert!(Dialect::ALL.iter().all(|dialect| policy(*dialect, HostDied) == HousePays));
    }
}
