//! The price list as a file that people keep: read strictly, because a misread price is charged to a wallet and looks like any other
//! charge. Whatever is doubtful is refused with the entry and the next step. Pure: no file is opened here; the rows that the list
//! fills live in [`crate::store`].

use super::{PicoUsdPerToken, Rates};
use serde::Deserialize;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use toml::{Table, Value};

/// The list that ships with the host.
pub const SEED: &str = include_str!("../../prices/seed.toml");

/// Dearer than this is a slip of the unit, such as dollars for a token, and no price.
const HIGHEST: PicoUsdPerToken = PicoUsdPerToken(10_000 * PICO_PER_DOLLAR_FOR_A_MILLION);

/// A dollar for a million tokens, in pico-USD for one.
const PICO_PER_DOLLAR_FOR_A_MILLION: i64 = 1_000_000;

/// Decimals of a dollar for a million tokens that [`PicoUsdPerToken`] can hold.
const PLACES: usize = 6;

/// What an entry may say. Another key is refused: a misspelt `cached_input` would silently cost what `input` costs.
const KEYS: [&str; 8] = ["provider", "model", "input", "cached_input", "cache_write", "output", "source", "read_on"];

/// One entry of a price list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedPrice {
    /// Who serves the model, by the name of its dialect: `openai`.
    pub provider: String,
    /// The model, by the name that the provider's interface takes.
    pub model: String,
    /// What it costs.
    pub rates: Rates,
    /// Where the price was read, for people.
    pub source: String,
    /// The day when it was read: `2026-11-25`.
    pub read_on: String,
}

/// Why a price list was refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PriceListError {
    /// The text is not a list of `[[price]]` tables.
    #[error("the price list can't be read: {0}\nwrite one [[price]] table for each model")]
    Unreadable(String),
    /// There is nothing in it.
    #[error("the price list is empty; write at least one [[price]] table")]
    Empty,
    /// One entry is wrong.
    #[error("price {number} ({name}): {fault}")]
    Entry {
        /// Which entry, from 1.
        number: usize,
        /// Its provider and model, as far as it says them.
        name: String,
        /// What is wrong with it.
        fault: PriceFault,
    },
}

/// What is wrong with one entry of a price list.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PriceFault {
    /// A key that must be there is missing.
    #[error("`{0}` is missing; add it")]
    Missing(&'static str),
    /// A text is empty.
    #[error("`{0}` is empty; fill it in")]
    Blank(&'static str),
    /// There is a key that means nothing.
    #[error("`{0}` is not known here; use one of {known}, or remove it", known = KEYS.join(", "))]
    Unknown(String),
    /// A value is not a text.
    #[error("`{0}` is not a text; put it in quotes")]
    Unquoted(&'static str),
    /// An amount is below zero.
    #[error("`{key}` is {amount}, below zero; write what a million tokens cost, at least \"0\"")]
    Negative {
        /// The key.
        key: &'static str,
        /// As written.
        amount: String,
    },
    /// An amount is no number.
    #[error("`{key}` is {amount:?}, not an amount; write US dollars for a million tokens as a plain number such as \"2.50\"")]
    NoAmount {
        /// The key.
        key: &'static str,
        /// As written.
        amount: String,
    },
    /// An amount is finer than the ledger counts.
    #[error("`{key}` is {amount}, with more than {PLACES} decimals; round it up to {PLACES}")]
    TooFine {
        /// The key.
        key: &'static str,
        /// As written.
        amount: String,
    },
    /// An amount can't be meant.
    #[error("`{key}` is {amount}, over 10000 US dollars; check that it is for a million tokens, not for one, and in dollars, not in cents")]
    TooHigh {
        /// The key.
        key: &'static str,
        /// As written.
        amount: String,
    },
    /// The model was listed before.
    #[error("listed before as price {first}; remove one of the two")]
    Duplicate {
        /// The earlier entry's number, from 1.
        first: usize,
    },
    /// The date is no date.
    #[error("`read_on` is {0:?}, not a date; write it as YYYY-MM-DD, such as \"2026-11-25\"")]
    NoDate(String),
}

/// The file's outer shape. The entries stay tables, so that an error can say which of them it is about.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    price: Vec<Table>,
}

/// Reads a price list: all of it, or the first error.
pub fn parse_price_list(text: &str) -> Result<Vec<ListedPrice>, PriceListError> {
    let file: File = toml::from_str(text).map_err(|error| PriceListError::Unreadable(error.to_string().trim_end().to_owned()))?;
    if file.price.is_empty() {
        return Err(PriceListError::Empty);
    }
    let mut seen = HashMap::new();
    let mut prices = Vec::with_capacity(file.price.len());
    for (number, table) in (1..).zip(&file.price) {
        let refuse = |fault| PriceListError::Entry { number, name: name(table), fault };
        let price = listed(table).map_err(refuse)?;
        match seen.entry((price.provider.clone(), price.model.clone())) {
            Entry::Occupied(first) => return Err(refuse(PriceFault::Duplicate { first: *first.get() })),
            Entry::Vacant(slot) => slot.insert(number),
        };
        prices.push(price);
    }
    Ok(prices)
}

/// What an error calls an entry, whatever is wrong with it.
fn name(table: &Table) -> String {
    let part = |key: &str| table.get(key).and_then(Value::as_str).map(str::trim).filter(|part| !part.is_empty());
    format!("{} {}", part("provider").unwrap_or("no provider,"), part("model").unwrap_or("no model"))
}

fn listed(table: &Table) -> Result<ListedPrice, PriceFault> {
    if let Some(key) = table.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(PriceFault::Unknown(key.clone()));
    }
    let provider = required(table, "provider")?;
    let model = required(table, "model")?;
    let input = amount("input", required(table, "input")?)?;
    let or_input = |key| optional(table, key)?.map_or(Ok(input), |text| amount(key, text));
    let rates = Rates {
        cached_input: or_input("cached_input")?,
        cache_write: or_input("cache_write")?,
        ..Rates::simple(input, amount("output", required(table, "output")?)?)
    };
    let source = required(table, "source")?;
    let read_on = required(table, "read_on")?;
    if !is_date(read_on) {
        return Err(PriceFault::NoDate(read_on.to_owned()));
    }
    Ok(ListedPrice {
        provider: provider.to_owned(),
        model: model.to_owned(),
        rates,
        source: source.to_owned(),
        read_on: read_on.to_owned(),
    })
}

fn required<'a>(table: &'a Table, key: &'static str) -> Result<&'a str, PriceFault> {
    optional(table, key)?.ok_or(PriceFault::Missing(key))
}

/// The text without the blanks around it: with them a name would look like a model's and never be found.
fn optional<'a>(table: &'a Table, key: &'static str) -> Result<Option<&'a str>, PriceFault> {
    match table.get(key) {
        None => Ok(None),
        Some(Value::String(text)) if text.trim().is_empty() => Err(PriceFault::Blank(key)),
        Some(Value::String(text)) => Ok(Some(text.trim())),
        Some(_) => Err(PriceFault::Unquoted(key)),
    }
}

/// Parses first and asks for the reason afterwards, so that what counts as an amount is decided in one place, `money.rs`.
fn amount(key: &'static str, text: &str) -> Result<PicoUsdPerToken, PriceFault> {
    match text.parse::<PicoUsdPerToken>() {
        Ok(price) if price <= HIGHEST => Ok(price),
        Ok(_) => Err(PriceFault::TooHigh { key, amount: text.to_owned() }),
        Err(_) => Err(why_no_amount(key, text)),
    }
}

fn why_no_amount(key: &'static str, text: &str) -> PriceFault {
    let amount = text.to_owned();
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        PriceFault::NoAmount { key, amount }
    } else if unsigned.len() < text.len() {
        PriceFault::Negative { key, amount }
    } else if fraction.len() > PLACES {
        PriceFault::TooFine { key, amount }
    } else {
        // A number in the right form that did not parse has too many digits for an integer.
        PriceFault::TooHigh { key, amount }
    }
}

/// The form, and no month 13 or day 32; how long a month is doesn't matter for a date that only people read.
fn is_date(text: &str) -> bool {
    let form = text.len() == 10
        && text.bytes().enumerate().all(|(place, byte)| if matches!(place, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() });
    form && ("01"..="12").contains(&&text[5..7]) && ("01"..="31").contains(&&text[8..])
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: [(&str, &str); 8] = [
        ("provider", "\"openai\""),
        ("model", "\"small\""),
        ("input", "\"2.50\""),
        ("cached_input", "\"0.25\""),
        ("cache_write", "\"3.125\""),
        ("output", "\"10\""),
        ("source", "\"a public page\""),
        ("read_on", "\"2026-11-25\""),
    ];

    /// A good entry in which one key has another value, or none.
    fn entry(key: &str, value: Option<&str>) -> String {
        let lines = GOOD.iter().filter_map(|(name, good)| {
            let value = if *name == key { value? } else { good };
            Some(format!("{name} = {value}\n"))
        });
        format!("[[price]]\n{}", lines.collect::<String>())
    }

    fn good() -> String {
        entry("", None)
    }

    fn pico(text: &str) -> PicoUsdPerToken {
        text.parse().expect(text)
    }

    /// What a list is refused for when its second entry is this one.
    fn fault(second: &str) -> (String, PriceFault) {
        let text = good().replace("small", "other") + second;
        let error = parse_price_list(&text).expect_err(second);
        let shown = error.to_string();
        match error {
            PriceListError::Entry { number: 2, fault, .. } => (shown, fault),
            other => panic!("{other:?} is not about the second entry"),
        }
    }

    #[test]
    fn an_entry_is_read_without_loss() {
        let rates =
            Rates { input: pico("2.5"), cached_input: pico("0.25"), cache_write: pico("3.125"), output: pico("10"), charged_percent: 100 };
        let expected = ListedPrice {
            provider: "openai".into(),
            model: "small".into(),
            rates,
            source: "a public page".into(),
            read_on: "2026-11-25".into(),
        };
        assert_eq!(parse_price_list(&good()), Ok(vec![expected]));
        assert_eq!(rates.input, PicoUsdPerToken(2_500_000));
    }

    #[test]
    fn cache_tokens_without_a_price_cost_what_input_costs() {
        for key in ["cached_input", "cache_write"] {
            let prices = parse_price_list(&entry(key, None)).expect(key);
            let rates = prices[0].rates;
            let cache = if key == "cached_input" { rates.cached_input } else { rates.cache_write };
            assert_eq!(cache, rates.input, "{key}");
        }
    }

    #[test]
    fn what_must_be_said_is_missed_or_found_empty() {
        for key in ["provider", "model", "input", "output", "source", "read_on"] {
            assert_eq!(fault(&entry(key, None)).1, PriceFault::Missing(key));
            assert_eq!(fault(&entry(key, Some("\"  \""))).1, PriceFault::Blank(key));
        }
    }

    #[test]
    fn every_amount_is_checked() {
        for key in ["input", "cached_input", "cache_write", "output"] {
            let of = |text: &str| fault(&entry(key, Some(&format!("\"{text}\"")))).1;
            for text in ["-1", "-0.000001", "-99999999999999999999"] {
                assert_eq!(of(text), PriceFault::Negative { key, amount: text.into() });
            }
            for text in ["0.0000001", "2.5000000"] {
                assert_eq!(of(text), PriceFault::TooFine { key, amount: text.into() });
            }
            for text in ["10000.000001", "10001", "9223372036854.775808", "99999999999999999999"] {
                assert_eq!(of(text), PriceFault::TooHigh { key, amount: text.into() });
            }
            for text in ["ten", "$2", "2,50", ".5", "1e3", "-", "+1", "1.-5", "NaN", "1 000"] {
                assert_eq!(of(text), PriceFault::NoAmount { key, amount: text.into() });
            }
            for text in ["0", "0.000001", "10000", "10000.000000"] {
                assert!(parse_price_list(&entry(key, Some(&format!("\"{text}\"")))).is_ok(), "{key} {text}");
            }
        }
    }

    #[test]
    fn no_amount_passes_through_a_float() {
        for value in ["2.5", "3", "inf", "true", "[\"2.50\"]"] {
            assert_eq!(fault(&entry("input", Some(value))).1, PriceFault::Unquoted("input"), "{value}");
        }
        assert_eq!(fault(&entry("read_on", Some("2026-11-25"))).1, PriceFault::Unquoted("read_on"));
    }

    #[test]
    fn a_model_is_listed_once_for_a_provider() {
        let other = good().replace("small", "other");
        assert_eq!(fault(&other).1, PriceFault::Duplicate { first: 1 });
        assert_eq!(fault(&other.replace("\"other\"", "\" other \"")).1, PriceFault::Duplicate { first: 1 });
        let elsewhere = good().replace("openai", "gemini");
        assert_eq!(parse_price_list(&(good() + &elsewhere)).map(|prices| prices.len()), Ok(2));
    }

    #[test]
    fn a_date_has_one_form() {
        for text in ["25.11.2026", "2026-11-5", "2026/11/25", "2026-13-01", "2026-00-10", "2026-11-32", "2026-11-25T00:00", "2026-1é-5"] {
            assert_eq!(fault(&entry("read_on", Some(&format!("\"{text}\"")))).1, PriceFault::NoDate(text.into()));
        }
    }

    #[test]
    fn a_misspelt_key_is_not_passed_over() {
        assert_eq!(fault(&good().replace("cached_input", "cache_input")).1, PriceFault::Unknown("cache_input".into()));
        assert!(matches!(parse_price_list(&good().replace("[[price]]", "[[prices]]")), Err(PriceListError::Unreadable(_))));
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for text in ["[[price", "price = 3", "[price]", &(good() + "model = \"again\"\n")] {
            assert!(matches!(parse_price_list(text), Err(PriceListError::Unreadable(_))), "{text}");
        }
        for text in ["", "# nothing yet\n", "price = []"] {
            assert_eq!(parse_price_list(text), Err(PriceListError::Empty), "{text}");
        }
    }

    #[test]
    fn an_error_names_the_entry_and_the_next_step() {
        assert_eq!(fault(&entry("output", None)).0, "price 2 (openai small): `output` is missing; add it");
        assert_eq!(fault(&entry("model", None)).0, "price 2 (openai no model): `model` is missing; add it");
        assert_eq!(fault(&entry("provider", Some("\"\""))).0, "price 2 (no provider, small): `provider` is empty; fill it in");
        assert_eq!(
            fault(&entry("input", Some("\"0.0000025\""))).0,
            "price 2 (openai small): `input` is 0.0000025, with more than 6 decimals; round it up to 6"
        );
    }

    #[test]
    fn the_seed_parses_and_every_price_has_a_source_and_a_date() {
        let prices = parse_price_list(SEED).expect("the seed");
        for price in &prices {
            assert!(!price.source.is_empty() && is_date(&price.read_on), "{}", price.model);
        }
        for provider in ["openai", "anthropic", "gemini"] {
            assert!(prices.iter().any(|price| price.provider == provider), "{provider}");
        }
    }

    #[test]
    fn no_seeded_price_is_free_or_cheaper_for_output_than_for_input() {
        for price in parse_price_list(SEED).expect("the seed") {
            let rates = price.rates;
            assert!(PicoUsdPerToken(0) < rates.cached_input, "{}", price.model);
            assert!(rates.cached_input <= rates.input && rates.input <= rates.cache_write, "{}", price.model);
            assert!(rates.input <= rates.output, "{}", price.model);
        }
    }
}
