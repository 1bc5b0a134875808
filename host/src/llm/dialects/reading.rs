//! What has been read of an answer so far. The provider's counts are kept as it wrote them, because it may write them in pieces,
//! and become [`Usage`] only where they add up: a count that is missing is not zero, and one that is odd is none.

use crate::ledger::Usage;
use crate::llm::Finish;
use serde_json::{Map, Value};
use std::time::Duration;

/// A wait beyond this is no reason to keep a run waiting.
const RETRY_AFTER_S_MAX: u64 = 60;

/// An answer that is being read.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// The visible text.
    pub(super) text: String,
    /// Why it ended, once the provider has said so.
    pub(super) reason: Option<Finish>,
    /// Whether the model declined in a field of its own instead of answering.
    pub(super) declined: bool,
    /// What was counted so far.
    pub(super) usage: Option<Usage>,
    counts: Counts,
}

impl Reading {
    /// Adds visible text, if this is one.
    pub(super) fn add(&mut self, text: Option<&Value>) {
        self.text.push_str(text.and_then(Value::as_str).unwrap_or_default());
    }

    /// Why it ended, if the provider has said so. A model that declines in a field of its own says that it is done.
    pub(super) fn finish(&self) -> Option<Finish> {
        match self.declined && self.text.is_empty() {
            true => self.reason.map(|_| Finish::Filtered),
            false => self.reason,
        }
    }

    /// Takes a report of tokens, which may repeat, replace or complete an earlier one.
    pub(super) fn count(&mut self, report: Option<&Value>, usage: fn(&Counts) -> Option<Usage>) {
        if let Some(Value::Object(report)) = report {
            self.counts.note(report);
            self.usage = usage(&self.counts).filter(Usage::is_plausible);
        }
    }

    /// What the whole answer took. A text that took no tokens was not counted, and would be free.
    pub(super) fn final_usage(&self) -> Option<Usage> {
        self.usage.filter(|usage| self.text.is_empty() || usage.output + usage.reasoning > 0)
    }

    /// What was counted until now was a first count, and is not what the answer took in the end.
    pub(super) fn forget_counts(&mut self) {
        (self.counts, self.usage) = (Counts::default(), None);
    }
}

/// A provider's counts, field by field.
#[derive(Debug, Default)]
pub(super) struct Counts(Value);

impl Counts {
    /// The later report wins, field by field; a null says nothing.
    fn note(&mut self, report: &Map<String, Value>) {
        if !self.0.is_object() {
            self.0 = Value::Object(Map::new());
        }
        for (name, value) in report.iter().filter(|(_, value)| !value.is_null()) {
            self.0[name.as_str()] = value.clone();
        }
    }

    /// A count that has to be there.
    pub(super) fn required(&self, pointer: &str) -> Option<u64> {
        self.0.pointer(pointer)?.as_u64()
    }

    /// A count that is left out where there is nothing to count. None if it is there and no count.
    pub(super) fn or_zero(&self, pointer: &str) -> Option<u64> {
        self.or(pointer, 0)
    }

    /// A count that may be left out for this one. None if it is there and no count.
    pub(super) fn or(&self, pointer: &str, default: u64) -> Option<u64> {
        match self.0.pointer(pointer) {
            None | Some(Value::Null) => Some(default),
            Some(count) => count.as_u64(),
        }
    }

    /// Whether it is there at all.
    pub(super) fn has(&self, pointer: &str) -> bool {
        self.0.pointer(pointer).is_some()
    }
}

/// A wait in seconds, rounded up: `7` or `33.2`. It is cut to what a run would wait for.
pub(super) fn seconds(text: &str) -> Option<Duration> {
    let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let more = u64::from(fraction.bytes().any(|digit| digit != b'0'));
    Some(Duration::from_secs(whole.parse::<u64>().ok()?.saturating_add(more).min(RETRY_AFTER_S_MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn counts(reports: &[Value]) -> Counts {
        let mut counts = Counts::default();
        for report in reports {
            counts.note(report.as_object().expect("an object"));
        }
        counts
    }

    #[test]
    fn a_later_report_wins_and_a_null_says_nothing() {
        let counts = counts(&[json!({ "input": 7, "output": 1 }), json!({ "input": null, "output": 9 })]);
        assert_eq!((counts.required("/input"), counts.required("/output")), (Some(7), Some(9)));
    }

    #[test]
    fn what_is_missing_is_not_zero_and_what_is_odd_is_no_count() {
        let counts = counts(&[json!({ "negative": -1, "float": 2.5, "text": "3", "details": { "deep": 4 } })]);
        assert_eq!((counts.required("/missing"), counts.or_zero("/missing")), (None, Some(0)));
        for odd in ["/negative", "/float", "/text", "/details"] {
            assert_eq!((counts.required(odd), counts.or_zero(odd)), (None, None), "{odd}");
        }
        assert_eq!(counts.required("/details/deep"), Some(4));
    }
}
