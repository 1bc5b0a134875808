//! Amounts, as integers only. Nothing here converts from or to a float, so that a rounding error cannot reach a balance.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::{Add, AddAssign, Neg, Sub};
use std::str::FromStr;

/// One credit in nano-USD. Written into every receipt; changing it would change the meaning of past entries.
pub const NANO_USD_PER_CREDIT: i64 = 1_000_000;

/// The most that one account, limit or grant can be: a million US dollars. Sums of a few of them stay far from the end of an `i64`.
pub const AMOUNT_MAX: NanoUsd = NanoUsd(1_000_000 * 1_000_000_000);

/// The whole, in hundredths.
pub const HUNDRED: i128 = 100;

/// Pico-USD in a nano-USD.
pub const PICO_PER_NANO: i128 = 1_000;

/// An amount of money in billionths of a US dollar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NanoUsd(pub i64);

impl NanoUsd {
    /// Nothing.
    pub const ZERO: NanoUsd = NanoUsd(0);

    /// A whole number of credits.
    pub const fn credits(credits: i64) -> NanoUsd {
        NanoUsd(credits * NANO_USD_PER_CREDIT)
    }

    /// Never below zero.
    pub fn saturating_sub(self, other: NanoUsd) -> NanoUsd {
        NanoUsd((self.0 - other.0).max(0))
    }

    /// Whether this is less than so many hundredths of the other.
    pub fn is_below_percent(self, percent: i64, of: NanoUsd) -> bool {
        i128::from(self.0) * 100 < i128::from(of.0) * i128::from(percent)
    }

    /// So many hundredths of it, rounded up.
    pub fn percent(self, percent: i64) -> NanoUsd {
        let hundredths = i128::from(self.0) * i128::from(percent);
        NanoUsd(i64::try_from((hundredths + 99).div_euclid(100)).unwrap_or(i64::MAX))
    }

    /// As the guest sees it: an unsigned number of nano-USD.
    pub fn as_u64(self) -> u64 {
        u64::try_from(self.0).unwrap_or(0)
    }
}

impl Add for NanoUsd {
    type Output = NanoUsd;
    fn add(self, other: NanoUsd) -> NanoUsd {
        NanoUsd(self.0 + other.0)
    }
}

impl AddAssign for NanoUsd {
    fn add_assign(&mut self, other: NanoUsd) {
        self.0 += other.0;
    }
}

impl Sub for NanoUsd {
    type Output = NanoUsd;
    fn sub(self, other: NanoUsd) -> NanoUsd {
        NanoUsd(self.0 - other.0)
    }
}

impl Neg for NanoUsd {
    type Output = NanoUsd;
    fn neg(self) -> NanoUsd {
        NanoUsd(-self.0)
    }
}

impl std::iter::Sum for NanoUsd {
    fn sum<I: Iterator<Item = NanoUsd>>(amounts: I) -> NanoUsd {
        NanoUsd(amounts.map(|amount| amount.0).sum())
    }
}

/// Shows credits with up to six decimals: `12.5 credits`.
impl fmt::Display for NanoUsd {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let whole = self.0.unsigned_abs() / NANO_USD_PER_CREDIT.unsigned_abs();
        let fraction = format!("{:06}", self.0.unsigned_abs() % NANO_USD_PER_CREDIT.unsigned_abs());
        let fraction = fraction.trim_end_matches('0');
        match fraction {
            "" => write!(out, "{sign}{whole} credits"),
            _ => write!(out, "{sign}{whole}.{fraction} credits"),
        }
    }
}

/// Reads credits as a person writes them: `250` or `0.5`.
impl FromStr for NanoUsd {
    type Err = AmountError;
    fn from_str(text: &str) -> Result<NanoUsd, AmountError> {
        let amount = decimal(text, 6).map(NanoUsd).ok_or_else(|| AmountError::NotAnAmount(text.to_owned()))?;
        if amount > AMOUNT_MAX { Err(AmountError::TooLarge(text.to_owned())) } else { Ok(amount) }
    }
}

/// A text that is no amount.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum AmountError {
    /// Not a plain number.
    #[error("`{0}` is not an amount; write a plain number such as `250` or `0.5`")]
    NotAnAmount(String),
    /// More than any account can hold.
    #[error("`{0}` is more than an account can hold; the most is {AMOUNT_MAX}")]
    TooLarge(String),
}

/// A price in trillionths of a US dollar for one token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PicoUsdPerToken(pub i64);

/// Reads US dollars for a million tokens, the unit of every published price list: `2.50`.
impl FromStr for PicoUsdPerToken {
    type Err = AmountError;
    fn from_str(text: &str) -> Result<PicoUsdPerToken, AmountError> {
        // A dollar for a million tokens is a million pico-dollars for one.
        decimal(text, 6).map(PicoUsdPerToken).ok_or_else(|| AmountError::NotAnAmount(text.to_owned()))
    }
}

/// Tokens times price, added up exactly, with so many hundredths of it on top or below, rounded up once for the whole call.
pub fn cost(parts: &[(u64, PicoUsdPerToken)], percent: u32) -> NanoUsd {
    let unit = PICO_PER_NANO * HUNDRED;
    let nano = (pico_hundredths(parts, percent).saturating_add(unit - 1)) / unit;
    NanoUsd(i64::try_from(nano).unwrap_or(i64::MAX))
}

/// The same before it is rounded, in hundredths of a pico-USD.
pub fn pico_hundredths(parts: &[(u64, PicoUsdPerToken)], percent: u32) -> i128 {
    let pico = parts.iter().map(|(tokens, price)| i128::from(*tokens) * i128::from(price.0)).fold(0, i128::saturating_add);
    pico.saturating_mul(i128::from(percent))
}

/// A non-negative decimal number as an integer of its last place.
fn decimal(text: &str, places: usize) -> Option<i64> {
    let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > places {
        return None;
    }
    let scale = 10_i64.checked_pow(u32::try_from(places).ok()?)?;
    let fraction: i64 = format!("{fraction:0<places$}").parse().ok()?;
    whole.parse::<i64>().ok()?.checked_mul(scale)?.checked_add(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credits_are_read_and_shown_without_loss() {
        for text in ["0 credits", "1 credits", "0.5 credits", "12.000001 credits"] {
            let amount: NanoUsd = text.trim_end_matches(" credits").parse().expect(text);
            assert_eq!(amount.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in ["", ".5", "-1", "1e3", "1.0000001", "ten", "99999999999999999999"] {
            assert!(text.parse::<NanoUsd>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_call_is_rounded_up_once() {
        let third = PicoUsdPerToken(333);
        assert_eq!(cost(&[(1, third), (1, third), (1, third)], 100), NanoUsd(1));
        assert_eq!(cost(&[(1_000_000, "3.00".parse().expect("a price"))], 100), NanoUsd(3_000_000_000));
        assert_eq!(cost(&[(1_000, PicoUsdPerToken(1_001))], 120), NanoUsd(1_202), "a markup is rounded with the whole");
        assert_eq!(cost(&[(u64::MAX, PicoUsdPerToken(i64::MAX))], 250), NanoUsd(i64::MAX));
    }
}
