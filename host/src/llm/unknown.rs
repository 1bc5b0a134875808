//! Who pays where nobody knows what a provider did: the request left, and its answer or its end never came. A written policy for each
//! provider's format, instead of a guess in the middle of the code. `documentation/ddd.md` shows the same table; a test compares them.
//!
//! The rule behind it: a user pays for text that was there to be seen, never for silence. What the providers bill for silence is the
//! house's, booked as an estimate (`house:lost`) and corrected when the provider's own record is compared.

use super::dialects::Dialect;

/// How a call ended whose outcome is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// No byte of an answer came: too slow, or the connection was lost.
    NoAnswer,
    /// Something came that is no answer.
    Unreadable,
    /// The stream broke or fell silent after some text.
    CutAfterText,
    /// We stopped it before any text was seen.
    StoppedBeforeText,
    /// We stopped it after some text: the user cancelled, or the agent broke a limit.
    StoppedAfterText,
    /// The host died before the answer was stored.
    HostDied,
}

/// Who pays the estimate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// The house; the user pays nothing.
    House,
    /// The user, for the input and the text that was seen.
    User,
}

/// A line of the policy.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// How it ended.
    pub outcome: Outcome,
    /// Who pays, for each of [`Dialect::ALL`].
    pub resolutions: [Resolution; 4],
    /// Why so.
    pub why: &'static str,
}

const HOUSE: [Resolution; 4] = [Resolution::House; 4];
const USER: [Resolution; 4] = [Resolution::User; 4];

/// The policy. Today all providers are treated alike: none of them promises not to bill an answer that never arrived, and what a user
/// pays should not depend on which one an operator chose.
pub const POLICY: &[Line] = &[
    Line { outcome: Outcome::NoAnswer, resolutions: HOUSE, why: "it may have been generated and lost on the way; the user saw nothing" },
    Line { outcome: Outcome::Unreadable, resolutions: HOUSE, why: "whatever it was, it is of no use to the user" },
    Line { outcome: Outcome::CutAfterText, resolutions: USER, why: "the agent gets to know it, and the text was generated" },
    Line { outcome: Outcome::StoppedBeforeText, resolutions: HOUSE, why: "nothing was seen; the input may be billed all the same" },
    Line { outcome: Outcome::StoppedAfterText, resolutions: USER, why: "generation stops with the connection; until then it was made" },
    Line { outcome: Outcome::HostDied, resolutions: HOUSE, why: "our fault; the call is made again and charged once" },
];

/// Who pays. What nothing is said about is the house's.
pub fn policy(dialect: Dialect, outcome: Outcome) -> Resolution {
    let line = POLICY.iter().find(|line| line.outcome == outcome);
    let place = Dialect::ALL.iter().position(|known| *known == dialect);
    line.zip(place).map_or(Resolution::House, |(line, place)| line.resolutions[place])
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Outcome; 6] = [
        Outcome::NoAnswer,
        Outcome::Unreadable,
        Outcome::CutAfterText,
        Outcome::StoppedBeforeText,
        Outcome::StoppedAfterText,
        Outcome::HostDied,
    ];

    #[test]
    fn every_outcome_has_one_line() {
        for outcome in ALL {
            assert_eq!(POLICY.iter().filter(|line| line.outcome == outcome).count(), 1, "{outcome:?}");
        }
    }

    #[test]
    fn a_user_pays_for_text_alone() {
        for dialect in Dialect::ALL {
            for outcome in ALL {
                let seen = matches!(outcome, Outcome::CutAfterText | Outcome::StoppedAfterText);
                assert_eq!(policy(dialect, outcome) == Resolution::User, seen, "{dialect:?} {outcome:?}");
            }
        }
    }
}
