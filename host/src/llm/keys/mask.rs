//! The last line of defence: whatever is logged or told as an error passes through a [`Mask`], which blots out every secret that it
//! knows. The first line is that no code puts a secret there.
//!
//! It finds secrets as they are, not a part of one, nor one that was encoded, reversed or broken over two log lines. It costs a
//! search through the text per secret, which is fine for logs and errors and too much for the traffic itself.

use secrecy::{ExposeSecret, SecretString};
use std::borrow::Cow;
use std::fmt;
use std::io::{self, Write};
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};

/// Shorter secrets are left alone: they would blot out ordinary words, and a listing of what is masked would give them away.
pub const SECRET_BYTES_MIN: usize = 8;
/// What stands in for a secret, whatever its length.
pub const DOTS: &str = "••••••••";
/// The longest line that is logged. A longer one can't be searched without keeping all of it, and cutting it could cut a secret in
/// two that is then not found, so it is left out as a whole.
pub const LINE_BYTES_MAX: usize = 256 * 1024;

/// Secrets that must not show. Prints as dots.
#[derive(Default)]
pub struct Mask {
    secrets: Vec<SecretString>,
}

impl Mask {
    /// A mask for these. One of several lines is masked line by line, because logs are written so.
    pub fn new<'a>(secrets: impl Iterator<Item = &'a SecretString>) -> Mask {
        let lines = secrets.flat_map(|secret| secret.expose_secret().lines()).map(str::trim);
        Mask { secrets: lines.filter(|line| line.len() >= SECRET_BYTES_MIN).map(SecretString::from).collect() }
    }

    /// The text without the secrets.
    pub fn apply<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut found: Vec<Range<usize>> = self.secrets.iter().flat_map(|secret| occurrences(text, secret.expose_secret())).collect();
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
        found.sort_by_key(|range| range.start);
        let mut masked = String::with_capacity(text.len());
        // Secrets may overlap, and then no end of one may be left standing.
        let mut done = 0;
        for range in found {
            if range.start >= done {
                masked.push_str(&text[done..range.start]);
                masked.push_str(DOTS);
            }
            done = done.max(range.end);
        }
        masked.push_str(&text[done..]);
        Cow::Owned(masked)
    }
}

impl fmt::Debug for Mask {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Mask(••••)")
    }
}

/// Where a secret is in a text, also where it overlaps itself.
fn occurrences(text: &str, secret: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(start) = text[from..].find(secret).map(|start| from + start) {
        found.push(start..start + secret.len());
        from = start + secret.chars().next().map_or(1, char::len_utf8);
    }
    found
}

/// A mask that can be exchanged while it is in use: the log is set up before the keys are read, and keys come and go.
#[derive(Clone, Debug, Default)]
pub struct SharedMask {
    current: Arc<RwLock<Arc<Mask>>>,
}

impl SharedMask {
    /// From now on this is the mask. Lines that are being written keep the one they began with.
    pub fn replace(&self, mask: Mask) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(mask);
    }

    /// The mask as it is now.
    pub fn current(&self) -> Arc<Mask> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The mask of this process: what its log and its last words pass through.
pub fn process() -> &'static SharedMask {
    static PROCESS: std::sync::LazyLock<SharedMask> = std::sync::LazyLock::new(SharedMask::default);
    &PROCESS
}

/// A writer that masks whole lines, however they are cut into writes. For `tracing-subscriber`:
/// `.with_writer(move || MaskingWriter::new(std::io::stderr(), shared.current()))`, which makes one for every event.
#[derive(Debug)]
pub struct MaskingWriter<W: Write> {
    inner: W,
    mask: Arc<Mask>,
    line: Vec<u8>,
    /// The rest of a line that was too long is swallowed.
    skipping: bool,
}

impl<W: Write> MaskingWriter<W> {
    /// Writes masked lines to `inner`. What has no end yet is written when it is dropped.
    pub fn new(inner: W, mask: Arc<Mask>) -> MaskingWriter<W> {
        MaskingWriter { inner, mask, line: Vec::new(), skipping: false }
    }

    fn take(&mut self, piece: &[u8]) {
        if self.skipping || self.line.len() + piece.len() > LINE_BYTES_MAX {
            self.line.clear();
            self.skipping = true;
        } else {
            self.line.extend_from_slice(piece);
        }
    }

    fn end_line(&mut self) -> io::Result<()> {
        let line = std::mem::take(&mut self.line);
        if std::mem::take(&mut self.skipping) {
            return writeln!(self.inner, "(a line of more than {} KiB is left out)", LINE_BYTES_MAX / 1024);
        }
        self.inner.write_all(self.mask.apply(&String::from_utf8_lossy(&line)).as_bytes())
    }
}

impl<W: Write> Write for MaskingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.take(piece);
            if piece.ends_with(b"\n") {
                self.end_line()?;
            }
        }
        Ok(bytes.len())
    }

    /// Passes on what was written so far. A line without an end stays here, because a secret may go on in it.
    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<W: Write> Drop for MaskingWriter<W> {
    fn drop(&mut self) {
        if !self.line.is_empty() || self.skipping {
            // There is nobody left to tell about a log that can't be written.
            let _ = self.end_line();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: &str = "sk-live-0123456789";

    fn mask(secrets: &[&str]) -> Mask {
        let secrets: Vec<SecretString> = secrets.iter().map(|secret| SecretString::from(*secret)).collect();
        Mask::new(secrets.iter())
    }

    fn written(mask: Mask, pieces: &[&[u8]]) -> String {
        let mut out = Vec::new();
        let mut writer = MaskingWriter::new(&mut out, Arc::new(mask));
        for piece in pieces {
            writer.write_all(piece).expect("a vector takes everything");
        }
        drop(writer);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn every_occurrence_is_blotted_out_and_nothing_else() {
        let check = |secrets: &[&str], text: &str, expected: &str| assert_eq!(mask(secrets).apply(text), expected, "{text}");
        check(&[KEY], "nothing here", "nothing here");
        check(&[KEY], "Bearer sk-live-0123456789, twice: sk-live-0123456789", "Bearer ••••••••, twice: ••••••••");
        check(&[KEY, "canary-canary"], "canary-canary/sk-live-0123456789", "••••••••/••••••••");
        // One inside the other, one that goes on where the other ends, and one that overlaps itself.
        check(&["sk-live-", KEY], "x sk-live-0123456789 sk-live-x", "x •••••••• ••••••••x");
        check(&["0123456789abcdef", "456789ab"], ">0123456789abcdef<", ">••••••••<");
        check(&["abcdefgh", "efghijkl"], ">abcdefghijkl<", ">••••••••<");
        check(&["abababab"], ">ababababab<", ">••••••••<");
        check(&["ключ-от-всего"], "вот: ключ-от-всего.", "вот: ••••••••.");
    }

    #[test]
    fn a_text_without_secrets_is_not_copied() {
        assert!(matches!(mask(&[KEY]).apply("all is well"), Cow::Borrowed(_)));
    }

    #[test]
    fn words_are_no_secrets() {
        assert_eq!(mask(&["", "model", "1234567"]).apply("the model has 1234567 tokens"), "the model has 1234567 tokens");
    }

    #[test]
    fn a_secret_of_several_lines_is_blotted_out_line_by_line() {
        let secret = "{\n  \"private\": \"0123456789\"\n}\n";
        assert_eq!(written(mask(&[secret]), &[secret.as_bytes()]), "{\n  ••••••••\n}\n");
    }

    #[test]
    fn a_secret_cut_by_writes_is_found() {
        let text = format!("one {KEY} two\nthree {KEY}");
        let expected = "one •••••••• two\nthree ••••••••";
        for size in 1..text.len() {
            let pieces: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
            assert_eq!(written(mask(&[KEY]), &pieces), expected, "pieces of {size}");
        }
    }

    #[test]
    fn flushing_in_the_middle_of_a_secret_shows_no_part_of_it() {
        let mut out = Vec::new();
        let mut writer = MaskingWriter::new(&mut out, Arc::new(mask(&[KEY])));
        for piece in ["key ", &KEY[..9], &KEY[9..], "\n"] {
            writer.write_all(piece.as_bytes()).expect("written");
            writer.flush().expect("flushed");
        }
        drop(writer);
        assert_eq!(String::from_utf8_lossy(&out), "key ••••••••\n");
    }

    #[test]
    fn a_line_without_bound_is_left_out_and_the_next_one_is_not() {
        let long = vec![b'x'; LINE_BYTES_MAX / 2];
        let out = written(mask(&[KEY]), &[&long, &long, KEY.as_bytes(), &long, b"\nnext\n"]);
        assert_eq!(out, "(a line of more than 256 KiB is left out)\nnext\n");
    }

    #[test]
    fn what_is_no_text_hides_no_secret() {
        let out = written(mask(&[KEY]), &[b"\xE2\x82", KEY.as_bytes(), b"\xFF\n"]);
        assert!(out.contains(DOTS) && !out.contains(KEY), "{out}");
    }

    #[test]
    fn a_new_mask_holds_for_the_next_line() {
        let shared = SharedMask::default();
        let seen_by_the_log = shared.clone();
        assert_eq!(seen_by_the_log.current().apply(KEY), KEY);
        shared.replace(mask(&[KEY]));
        assert_eq!(seen_by_the_log.current().apply(KEY), DOTS);
        assert_eq!(format!("{shared:?}").matches("0123").count(), 0);
    }

    proptest! {
        // Few letters, so that secrets overlap each other and themselves.
        #[test]
        fn no_secret_survives_however_it_is_written(
            secrets in proptest::collection::vec("[ab]{8,10}", 1..4),
            parts in proptest::collection::vec(prop_oneof!["[abc\n]{0,12}".prop_map(Err), any::<prop::sample::Index>().prop_map(Ok)], 1..12),
            size in 1..20usize,
        ) {
            let text: String = parts.into_iter().map(|part| part.map_or_else(|other| other, |index| index.get(&secrets).clone())).collect();
            let known: Vec<&str> = secrets.iter().map(String::as_str).collect();
            let pieces: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
            let out = written(mask(&known), &pieces);
            prop_assert!(secrets.iter().all(|secret| !out.contains(secret.as_str())), "{}", out);
            prop_assert_eq!(out.matches('\n').count(), text.matches('\n').count());
        }
    }
}
