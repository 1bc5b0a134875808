//! Amounts as people read them: at most two decimals, in the way of their language, and never so rounded that they promise too much.

use super::texts::{Language, Texts};
use crate::ledger::NanoUsd;

const CREDIT: i64 = NanoUsd::credits(1).0;
const HUNDREDTH: i64 = CREDIT / 100;

impl Texts {
    /// What somebody pays, paid, or pays at most: rounded up.
    pub fn cost(self, amount: NanoUsd) -> String {
        self.hundredths(up(amount, HUNDREDTH))
    }

    /// What something may come to: rounded up to whole credits, since more would say more than is known.
    pub fn estimate(self, amount: NanoUsd) -> String {
        self.hundredths(up(amount, CREDIT) * (CREDIT / HUNDREDTH))
    }

    /// What somebody has, or gets: rounded down.
    pub fn funds(self, amount: NanoUsd) -> String {
        self.hundredths(amount.0.div_euclid(HUNDREDTH))
    }

    /// An amount as a person writes it in this language.
    pub fn read_amount(self, word: &str) -> Option<NanoUsd> {
        match self.0 {
            Language::English => word.parse().ok(),
            Language::German => word.replace(',', ".").parse().ok(),
        }
    }

    fn hundredths(self, amount: i64) -> String {
        let (sign, amount) = (if amount < 0 { "-" } else { "" }, amount.unsigned_abs());
        let point = match self.0 {
            Language::English => '.',
            Language::German => ',',
        };
        match amount % 100 {
            0 => format!("{sign}{}", amount / 100),
            cents if cents % 10 == 0 => format!("{sign}{}{point}{}", amount / 100, cents / 10),
            cents => format!("{sign}{}{point}{cents:02}", amount / 100),
        }
    }
}

/// How many of these units cover the amount.
fn up(amount: NanoUsd, unit: i64) -> i64 {
    amount.0.div_euclid(unit).saturating_add(i64::from(amount.0.rem_euclid(unit) > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_paid_is_rounded_up_and_what_is_there_is_rounded_down() {
        for (amount, cost, funds) in [
            (10_666_666, "10.67", "10.66"),
            (10_000_000, "10", "10"),
            (12_500_000, "12.5", "12.5"),
            (1, "0.01", "0"),
            (0, "0", "0"),
            (4_050_000, "4.05", "4.05"),
            (-2_505_000, "-2.5", "-2.51"),
        ] {
            let texts = Texts(Language::English);
            assert_eq!((texts.cost(NanoUsd(amount)).as_str(), texts.funds(NanoUsd(amount)).as_str()), (cost, funds), "{amount}");
        }
    }

    #[test]
    fn an_estimate_is_a_whole_number() {
        let texts = Texts(Language::English);
        assert_eq!([10_666_666, 11_000_000, 1, 0].map(|amount| texts.estimate(NanoUsd(amount))), ["11", "11", "1", "0"]);
    }

    #[test]
    fn an_amount_is_written_and_read_as_the_language_does() {
        assert_eq!(Texts(Language::German).cost(NanoUsd(12_341_000)), "12,35");
        assert_eq!(Texts(Language::German).read_amount("12,5"), Some(NanoUsd(12_500_000)));
        assert_eq!(Texts(Language::English).read_amount("12,500"), None, "it could be either");
    }
}
