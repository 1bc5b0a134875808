//! The journal of one run: what the host answered, call by call. A fresh instance is led to where the last one was by giving it
//! the recorded answers; after the last of them the run goes on live.
//!
//! Calls whose answer follows from the run's own inputs (files, checks) are made again and their hash is compared; calls whose answer
//! depends on anything else (model, dialogue, credits, index) get the recorded one. A call that differs from its record is a
//! divergence: it is reported, never guessed over.

use crate::store::runs::JournalRow;
use crate::workspace::sha256;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

/// The journal of a run, and how far a replay has come.
#[derive(Debug)]
pub struct Journal {
    run: String,
    recorded: BTreeMap<u32, JournalRow>,
    next: u32,
    pending: Vec<JournalRow>,
    /// Of all answers that are kept.
    bytes: u64,
    /// Where nothing may go on live: every request made so far.
    requests: Option<Vec<String>>,
}

/// A call, numbered.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its number in the run.
    pub seq: u32,
    /// Its name.
    pub name: &'static str,
    /// SHA-256 of its arguments.
    pub fingerprint: String,
}

/// A replay that left the recorded path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("host call {seq} was `{recorded}`, is now `{made}`")]
pub struct Diverged {
    /// The call's number.
    pub seq: u32,
    /// What was recorded.
    pub recorded: String,
    /// What the guest asked now.
    pub made: String,
}

impl Journal {
    /// The journal of this run.
    pub fn new(run: String, recorded: Vec<JournalRow>) -> Journal {
        let bytes = recorded.iter().filter_map(|row| row.response.as_ref()).map(|response| response.len() as u64).sum();
        let recorded = recorded.into_iter().map(|row| (row.seq, row)).collect();
        Journal { run, recorded, next: 0, pending: Vec::new(), bytes, requests: None }
    }

    /// The same, for a replay that ends where the record does. It notes what is asked.
    pub fn closed(mut self) -> Journal {
        self.requests = Some(Vec::new());
        self
    }

    /// Numbers a call; where one is recorded under this number, it must be the same.
    pub fn call(&mut self, name: &'static str, arguments: &impl Serialize) -> Result<Call, Diverged> {
        let arguments = serde_json::to_string(arguments).expect("arguments always serialize");
        let fingerprint = sha256(arguments.as_bytes());
        if let Some(requests) = &mut self.requests {
            requests.push(arguments);
        }
        let call = Call { seq: self.next, name, fingerprint };
        self.next += 1;
        match self.row(call.seq) {
            Some(row) if row.call != call.name || row.fingerprint != call.fingerprint => Err(Diverged {
                seq: call.seq,
                recorded: describe(&row.call, &row.fingerprint),
                made: describe(call.name, &call.fingerprint),
            }),
            // A hole would be filled by a live call although later ones were answered.
            None if self.recorded.range(call.seq..).next().is_some() => {
                Err(Diverged { seq: call.seq, recorded: "missing".to_owned(), made: describe(call.name, &call.fingerprint) })
            }
            None if self.requests.is_some() => {
                Err(Diverged { seq: call.seq, recorded: "nothing any more".to_owned(), made: describe(call.name, &call.fingerprint) })
            }
            _ => Ok(call),
        }
    }

    /// What was asked, call by call, in a closed replay.
    pub fn take_requests(&mut self) -> Vec<String> {
        self.requests.take().unwrap_or_default()
    }

    /// The recorded answer, for a call that reaches outside.
    pub fn recorded<T: DeserializeOwned>(&self, call: &Call) -> Result<Option<T>, Diverged> {
        let Some(row) = self.row(call.seq) else { return Ok(None) };
        let answer = row.response.as_deref().and_then(|response| serde_json::from_str(response).ok());
        answer.map(Some).ok_or_else(|| Diverged {
            seq: call.seq,
            recorded: format!("{} with an answer that can't be read", call.name),
            made: describe(call.name, &call.fingerprint),
        })
    }

    /// Whether only the answer's hash is recorded, as an older version did for calls whose answer is kept now.
    pub fn is_hashed(&self, call: &Call) -> bool {
        self.row(call.seq).is_some_and(|row| row.response.is_none())
    }

    /// Keeps the answer of a call that reached outside, until the next effect stores it.
    pub fn keep(&mut self, call: &Call, answer: &impl Serialize) {
        if self.row(call.seq).is_none() {
            let response = serde_json::to_string(answer).expect("answers always serialize");
            self.bytes += response.len() as u64;
            self.pending.push(JournalRow::kept(self.run.clone(), call.seq, call.name, call.fingerprint.clone(), response));
        }
    }

    /// Compares the answer of a call that was made again with the recorded one, or notes it.
    pub fn compare(&mut self, call: &Call, answer: &impl Serialize) -> Result<(), Diverged> {
        let digest = sha256(serde_json::to_string(answer).expect("answers always serialize").as_bytes());
        match self.row(call.seq) {
            Some(row) if row.response_sha256 != digest => Err(Diverged {
                seq: call.seq,
                recorded: format!("{} → {}", call.name, short(&row.response_sha256)),
                made: format!("{} → {}", call.name, short(&digest)),
            }),
            Some(_) => Ok(()),
            None => {
                self.pending.push(JournalRow::recomputed(self.run.clone(), call.seq, call.name, call.fingerprint.clone(), digest));
                Ok(())
            }
        }
    }

    /// What is not stored yet. Whoever takes it stores it with an effect.
    pub fn take_pending(&mut self) -> Vec<JournalRow> {
        std::mem::take(&mut self.pending)
    }

    /// Takes back what could not be stored yet.
    pub fn put_back(&mut self, rows: Vec<JournalRow>) {
        self.pending.splice(0..0, rows);
    }

    /// Whether the next call was answered before. Words to the user were said then.
    pub fn is_replaying(&self) -> bool {
        self.row(self.next).is_some()
    }

    /// Counts an answer that was stored by whoever made it.
    pub fn stored(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    /// All answers that are kept, in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Calls made so far.
    pub fn calls(&self) -> u32 {
        self.next
    }

    fn row(&self, seq: u32) -> Option<&JournalRow> {
        self.recorded.get(&seq)
    }
}

fn describe(name: &str, fingerprint: &str) -> String {
    format!("{name} {}", short(fingerprint))
}

fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replay_gets_the_recorded_answers_and_then_goes_on_live() {
        let mut first = Journal::new("r".into(), vec![]);
        let call = first.call("llm.complete", &"hello").expect("a call");
        assert_eq!(first.recorded::<String>(&call), Ok(None));
        first.keep(&call, &"answer");
        let mut again = Journal::new("r".into(), first.take_pending());
        let call = again.call("llm.complete", &"hello").expect("the same call");
        assert_eq!(again.recorded::<String>(&call), Ok(Some("answer".to_owned())));
        let call = again.call("llm.complete", &"more").expect("a live call");
        assert_eq!(again.recorded::<String>(&call), Ok(None));
    }

    #[test]
    fn a_hole_is_a_divergence_and_not_a_live_call() {
        let mut first = Journal::new("r".into(), vec![]);
        for text in ["one", "two"] {
            let call = first.call("llm.complete", &text).expect("a call");
            first.keep(&call, &"answer");
        }
        let rows = first.take_pending().split_off(1);
        assert!(Journal::new("r".into(), rows).call("llm.complete", &"one").is_err());
    }

    #[test]
    fn a_different_call_is_a_divergence() {
        let mut first = Journal::new("r".into(), vec![]);
        let call = first.call("workspace.read", &"a").expect("a call");
        first.compare(&call, &"text").expect("noted");
        let rows = first.take_pending();
        assert!(Journal::new("r".into(), rows.clone()).call("workspace.read", &"b").is_err());
        assert!(Journal::new("r".into(), rows.clone()).call("workspace.list", &"a").is_err());
        let mut changed = Journal::new("r".into(), rows);
        let call = changed.call("workspace.read", &"a").expect("the same call");
        assert!(changed.compare(&call, &"other text").is_err());
    }
}
