//! Cuts the bytes of a stream into events: server-sent events, or a JSON document a line. It works on bytes, so that it does not
//! matter where the network cuts them, and refuses an event that has no end.

use std::collections::VecDeque;

/// An event larger than this is no piece of an answer; whole answers are no larger.
const EVENT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How a stream is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// Server-sent events. Only their data is used: every provider repeats the event's name in it, or names none.
    Events,
    /// A document a line.
    Lines,
}

/// An event did not end in time.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLarge;

/// A stream that is being cut.
#[derive(Debug)]
pub(super) struct Frames {
    framing: Framing,
    line: Vec<u8>,
    data: Vec<u8>,
    ready: VecDeque<Vec<u8>>,
}

impl Frames {
    /// Nothing was read yet.
    pub(super) fn new(framing: Framing) -> Frames {
        Frames { framing, line: Vec::new(), data: Vec::new(), ready: VecDeque::new() }
    }

    /// Takes the next bytes, however they are cut.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), TooLarge> {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            self.line.extend_from_slice(&rest[..end]);
            self.end_line();
            rest = &rest[end + 1..];
        }
        self.line.extend_from_slice(rest);
        match self.line.len().max(self.data.len()) > EVENT_BYTES_MAX {
            true => Err(TooLarge),
            false => Ok(()),
        }
    }

    /// The next event that is whole.
    pub(super) fn next(&mut self) -> Option<Vec<u8>> {
        self.ready.pop_front()
    }

    /// The stream has ended: what is left is an event whose end was not sent, or a piece of one.
    pub(super) fn end(&mut self) {
        self.end_line();
        self.end_event();
    }

    fn end_line(&mut self) {
        let mut line = std::mem::take(&mut self.line);
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        match self.framing {
            Framing::Lines => {
                self.data = line;
                self.end_event();
            }
            Framing::Events if line.is_empty() => self.end_event(),
            Framing::Events => {
                // Other fields, and comments that keep the connection alive, say nothing.
                if let Some(data) = line.strip_prefix(b"data:") {
                    if !self.data.is_empty() {
                        self.data.push(b'\n');
                    }
                    self.data.extend_from_slice(data.strip_prefix(b" ").unwrap_or(data));
                }
            }
        }
    }

    fn end_event(&mut self) {
        let data = std::mem::take(&mut self.data);
        if !data.trim_ascii().is_empty() {
            self.ready.push_back(data);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The events of a text, and what is left at its end, when it comes in pieces of `size` bytes.
    fn check(framing: Framing, text: &str, size: usize, events: &[&str], rest: Option<&str>) {
        let mut frames = Frames::new(framing);
        let mut found = Vec::new();
        for piece in text.as_bytes().chunks(size) {
            frames.push(piece).expect("a small event");
            while let Some(event) = frames.next() {
                found.push(String::from_utf8(event).expect("whole letters"));
            }
        }
        assert_eq!(found, events, "{size} bytes a piece");
        frames.end();
        assert_eq!(frames.next().map(|rest| String::from_utf8(rest).expect("whole letters")).as_deref(), rest);
    }

    #[test]
    fn events_are_the_same_wherever_the_network_cuts() {
        let text = ": alive\n\nevent: a\ndata: {\"é\":1}\r\n\r\nid: 7\ndata:two\ndata: lines\n\n\n\ndata: last";
        for size in [1, 2, 3, 7, 1000] {
            check(Framing::Events, text, size, &["{\"é\":1}", "two\nlines"], Some("last"));
        }
    }

    #[test]
    fn lines_are_the_same_wherever_the_network_cuts() {
        for size in [1, 2, 3, 7, 1000] {
            check(Framing::Lines, "{\"é\":1}\r\n\n{}\n{\"half", size, &["{\"é\":1}", "{}"], Some("{\"half"));
            check(Framing::Lines, "{}\n", size, &["{}"], None);
        }
    }

    #[test]
    fn an_event_without_end_is_refused() {
        for framing in [Framing::Events, Framing::Lines] {
            let mut frames = Frames::new(framing);
            let pushed = (0..10).map(|_| frames.push(&[b'x'; EVENT_BYTES_MAX / 8])).find(Result::is_err);
            assert_eq!(pushed, Some(Err(TooLarge)));
        }
    }
}
