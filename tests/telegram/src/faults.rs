//! What goes wrong on purpose: answers that are late, wrong or never come, and times in which the server is not there. A fault is
//! used up by the calls that it meets. `wire` acts on these, `door` on the down times.

use std::time::Duration;

/// What happens to a call instead of what should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It is not done, and the answer is a 500 as Telegram's own.
    ServerError,
    /// It is not done, and the answer is a 502 with a page of HTML, as from a proxy.
    BadGateway,
    /// It is not done, and may be tried again after so many seconds.
    RetryAfter(u64),
    /// It is not done, and is refused with this status and these words.
    Refused(u16, String),
    /// It is done, and the connection closes without an answer.
    DoneThenClosed,
    /// It is not done, and the connection closes without an answer.
    ClosedBeforeDone,
}

/// How the server is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Down {
    /// Nobody listens on the port.
    Refused,
    /// Connections are taken and reset at once.
    Reset,
}

/// The faults that wait for a call.
#[derive(Default)]
pub(crate) struct Faults {
    /// How long every answer waits after it is decided.
    pub(crate) delay: Duration,
    planned: Vec<Planned>,
}

struct Planned {
    /// Any method when there is none.
    method: Option<String>,
    calls_left: u32,
    failure: Failure,
}

impl Faults {
    /// Plans a failure for the next calls of a method; `*` is any.
    pub(crate) fn plan(&mut self, method: &str, calls: u32, failure: Failure) {
        let method = (method != "*").then(|| method.to_ascii_lowercase());
        self.planned.push(Planned { method, calls_left: calls, failure });
    }

    /// The failure that this call meets, which is then used up.
    pub(crate) fn meet(&mut self, method: &str) -> Option<Failure> {
        let meets = |planned: &Planned| planned.method.as_ref().is_none_or(|name| name.eq_ignore_ascii_case(method));
        let place = self.planned.iter().position(meets)?;
        let planned = &mut self.planned[place];
        planned.calls_left = planned.calls_left.saturating_sub(1);
        let failure = planned.failure.clone();
        if planned.calls_left == 0 {
            self.planned.remove(place);
        }
        Some(failure)
    }

    /// How many calls are still to fail.
    pub(crate) fn left(&self) -> u32 {
        self.planned.iter().map(|planned| planned.calls_left).sum()
    }
}
