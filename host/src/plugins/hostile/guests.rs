//! The guests: WebAssembly text, put around the same shell, each with what has to become of it. They are made for the operator's own
//! limits, so that a limit that was raised is tried at its new height.

use crate::plugins::limits::Limits;
use std::borrow::Cow;

/// What has to become of a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// It is not even loaded; the reason has these words.
    Refused(&'static str),
    /// Its run ends; the reason has these words.
    Ended(&'static str),
    /// It comes to its end, and what it did too much of was dropped.
    Returned,
}

/// Somebody who means no good.
pub struct Guest {
    /// A name.
    pub name: &'static str,
    /// What the sandbox promises.
    pub promise: &'static str,
    /// What has to become of it.
    pub expected: Expected,
    /// The component, or what is offered as one.
    pub bytes: Vec<u8>,
}

/// Memory is counted in pages of this size.
const PAGE_BYTES: u64 = 64 * 1024;
/// Deeper than any sound type.
const TYPES_TOO_DEEP: usize = 5_000;
/// More core instances than a component may have.
const INSTANCES_TOO_MANY: usize = 100;
/// What does nothing wrong.
const HONEST: &str = r#"(func (export "implement") (result i32) (i32.const 0))"#;
/// A memory, and a `realloc` that always gives the same place: nothing here asks for much.
const LIBC: &str = r#"(memory (export "memory") 1) (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))"#;

/// The shell: an implementer that may read files and write to the log. `body` is what its module holds besides, `extra` what the component does.
fn component(libc: &str, extra: &str, body: &str) -> String {
    format!(
        r#"(component
  (import "atelier:agent/types@0.1.0" (instance $types
    (type $scope-is (enum "user" "project" "task" "run"))
    (export "budget-scope" (type $scope (eq $scope-is)))
    (type $refusal-is (variant (case "denied" string) (case "insufficient-credits") (case "budget-exceeded" $scope)
      (case "rate-limited" u32) (case "unavailable" string) (case "too-large" u64) (case "context-too-long") (case "timed-out")
      (case "call-limit") (case "filtered") (case "not-found" string) (case "invalid" string) (case "cancelled") (case "other" string)))
    (export "refusal" (type $refusal (eq $refusal-is)))
    (type $failure-is (variant (case "refused" $refusal) (case "unusable-reply" string) (case "impossible" string)))
    (export "failure" (type $failure (eq $failure-is)))))
  (alias export $types "refusal" (type $refusal))
  (alias export $types "failure" (type $failure))
  (import "atelier:agent/workspace@0.1.0" (instance $workspace
    (alias outer 1 $refusal (type $refusal-is))
    (export "refusal" (type $refusal (eq $refusal-is)))
    (export "read" (func (param "path" string) (result (result string (error $refusal)))))))
  (import "atelier:agent/log@0.1.0" (instance $log
    (type $level-is (enum "debug" "info" "warn"))
    (export "level" (type $level (eq $level-is)))
    (export "write" (func (param "level" $level) (param "text" string)))))
  (core module $libc {libc})
  (core instance $libc (instantiate $libc))
  (core func $read (canon lower (func $workspace "read") (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core func $write (canon lower (func $log "write") (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  {extra}
  (core module $m
    (import "libc" "memory" (memory 1))
    (import "host" "read" (func $read (param i32 i32 i32)))
    (import "host" "write" (func $write (param i32 i32 i32)))
    {body})
  (core instance $m (instantiate $m
    (with "libc" (instance $libc))
    (with "host" (instance (export "read" (func $read)) (export "write" (func $write))))))
  (func $implement (result (result string (error $failure))) (canon lift (core func $m "implement") (memory (core memory $libc "memory"))))
  (export "implement" (func $implement)))"#
    )
}

/// A guest whose module does this and then comes back.
fn doing(code: &str) -> String {
    component(LIBC, "", &format!(r#"(func (export "implement") (result i32) {code} (i32.const 0))"#))
}

/// A guest that makes handles of a resource of its own without end.
fn handles() -> String {
    let extra = r#"(type $own (resource (rep i32))) (core func $new (canon resource.new $own))"#;
    component(
        LIBC,
        extra,
        r#"(import "own" "new" (func $new (param i32) (result i32)))
        (func (export "implement") (result i32) (loop $on (drop (call $new (i32.const 1))) (br $on)) (i32.const 0))"#,
    )
    .replace(r#"(with "libc" (instance $libc))"#, r#"(with "libc" (instance $libc)) (with "own" (instance (export "new" (func $new))))"#)
}

/// A component whose one type is a list of lists of lists.
fn tower() -> String {
    let floors: String = (0..TYPES_TOO_DEEP).map(|floor| format!("(type $t{} (list $t{floor}))", floor + 1)).collect();
    format!("(component (type $t0 (list u8)) {floors} (import \"f\" (func (param \"a\" $t{TYPES_TOO_DEEP}))))")
}

/// The guest that does nothing wrong.
pub fn honest() -> Vec<u8> {
    parse("honest", &component(LIBC, "", HONEST)).into_owned()
}

fn parse(name: &str, text: &str) -> Cow<'static, [u8]> {
    match wat::parse_str(text) {
        Ok(bytes) => bytes.into(),
        Err(error) => unreachable!("the guest `{name}` is a constant of this program: {error}"),
    }
}

/// All of them, for these limits.
pub fn guests(limits: &Limits) -> Vec<Guest> {
    use Expected::{Ended, Refused, Returned};
    let too_large = limits.argument_bytes + 1;
    let pages = u64::try_from(too_large).unwrap_or(u64::MAX) / PAGE_BYTES + 1;
    // Nine memories of an eighth each.
    let eighth = limits.memory_mib * 1024 * 1024 / PAGE_BYTES / 8;
    let memories = format!("(core module $big (memory {eighth})) {}", "(core instance (instantiate $big)) ".repeat(9));
    let crowd = format!("(core module $one) {}", "(core instance (instantiate $one)) ".repeat(INSTANCES_TOO_MANY));
    let texts: Vec<(&'static str, &'static str, Expected, String)> = vec![
        ("spinner", "CPU time has an end", Ended("limit"), doing("(loop $on (br $on))")),
        ("trap", "a trap ends the run alone", Ended("trapped"), doing("(unreachable)")),
        (
            "recursion",
            "the stack has an end",
            Ended("stack"),
            component(
                LIBC,
                "",
                r#"(func $down (param i64) (result i64) (i64.add (call $down (local.get 0)) (i64.const 1)))
                   (func (export "implement") (result i32) (drop (call $down (i64.const 0))) (i32.const 0))"#,
            ),
        ),
        (
            "memory bomb",
            "memory has an end",
            Ended("limit memory_mib"),
            doing("(loop $on (if (i32.eq (memory.grow (i32.const 16)) (i32.const -1)) (then (unreachable))) (br $on))"),
        ),
        ("many memories", "all memories count together", Ended("limit memory_mib"), component(LIBC, &memories, HONEST)),
        (
            "table bomb",
            "tables have an end",
            Ended("limit table_elements"),
            component(
                LIBC,
                "",
                r#"(table $t 1 funcref)
                   (func (export "implement") (result i32)
                     (loop $on (if (i32.eq (table.grow $t (ref.null func) (i32.const 1000)) (i32.const -1)) (then (unreachable))) (br $on))
                     (i32.const 0))"#,
            ),
        ),
        (
            "never started",
            "instantiation counts as well",
            Ended("limit"),
            component(LIBC, "", &format!("(func $start (loop $on (br $on))) (start $start) {HONEST}")),
        ),
        ("crowd of instances", "a component has few parts", Refused("core module instances"), component(LIBC, &crowd, HONEST)),
        ("endless text", "a returned text lies in its memory", Ended(""), doing("(i32.store (i32.const 12) (i32.const 0x7fffffff))")),
        (
            "text that is none",
            "a text is UTF-8",
            Ended(""),
            doing(
                "(i32.store8 (i32.const 100) (i32.const 255)) (i32.store (i32.const 8) (i32.const 100)) (i32.store (i32.const 12) (i32.const 1))",
            ),
        ),
        ("impossible case", "a variant has the cases of its type", Ended(""), doing("(i32.store8 (i32.const 0) (i32.const 7))")),
        (
            "crooked pointer",
            "a result is aligned",
            Ended(""),
            component(LIBC, "", r#"(func (export "implement") (result i32) (i32.const 3))"#),
        ),
        (
            "pointer outside",
            "a result lies in its memory",
            Ended(""),
            component(LIBC, "", r#"(func (export "implement") (result i32) (i32.const -8))"#),
        ),
        (
            "lying realloc",
            "the host writes where there is memory",
            Ended(""),
            component(
                &LIBC.replace("(i32.const 1024)", "(i32.const -16)"),
                "",
                r#"(func (export "implement") (result i32) (call $read (i32.const 0) (i32.const 1) (i32.const 64)) (i32.const 0))"#,
            ),
        ),
        (
            "trap in a call",
            "a trap inside a host call as well",
            Ended("trapped"),
            component(
                &LIBC.replace("(i32.const 1024)", "(unreachable)"),
                "",
                r#"(func (export "implement") (result i32) (call $read (i32.const 0) (i32.const 1) (i32.const 64)) (i32.const 0))"#,
            ),
        ),
        (
            "loop in a call",
            "so has time inside a host call",
            Ended("limit"),
            component(
                &LIBC.replace("(i32.const 1024)", "(loop $on (br $on)) (i32.const 1024)"),
                "",
                r#"(func (export "implement") (result i32) (call $read (i32.const 0) (i32.const 1) (i32.const 64)) (i32.const 0))"#,
            ),
        ),
        ("own handles", "handles have an end", Ended("handle limit"), handles()),
        ("tower of types", "types have a depth", Refused("can't be loaded"), tower()),
        (
            "argument outside",
            "an argument lies in its memory",
            Ended(""),
            doing("(call $read (i32.const 0) (i32.const 0x7fffffff) (i32.const 64))"),
        ),
        (
            "huge argument",
            "what crosses has a size",
            Ended(""),
            doing(&format!("(drop (memory.grow (i32.const {pages}))) (call $read (i32.const 0) (i32.const {too_large}) (i32.const 64))")),
        ),
        (
            "call storm",
            "host calls have an end",
            Ended("limit host_calls"),
            doing("(loop $on (call $read (i32.const 0) (i32.const 1) (i32.const 64)) (br $on))"),
        ),
        (
            "log flood",
            "what is too much is dropped",
            Returned,
            component(
                LIBC,
                "",
                r#"(func (export "implement") (result i32) (local $left i32)
                     (local.set $left (i32.const 20000))
                     (loop $on
                       (call $write (i32.const 0) (i32.const 2048) (i32.const 1000))
                       (br_if $on (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
                     (i32.const 0))"#,
            ),
        ),
        ("empty component", "a world's exports are there", Refused("does not export"), "(component)".to_owned()),
        (
            "other type",
            "an export has its type",
            Refused("implement"),
            r#"(component (core module $m (func (export "implement"))) (core instance $m (instantiate $m))
                (func $f (canon lift (core func $m "implement"))) (export "implement" (func $f)))"#
                .to_owned(),
        ),
        (
            "unknown import",
            "the contract is all there is",
            Refused("imports `evil:net/sockets`"),
            r#"(component (import "evil:net/sockets" (instance)))"#.to_owned(),
        ),
        (
            "file system",
            "an agent has no files",
            Refused("imports `wasi:filesystem/types@0.2.0`"),
            r#"(component (import "wasi:filesystem/types@0.2.0" (instance)))"#.to_owned(),
        ),
        (
            "other contract",
            "a version is told in words",
            Refused("which worlds of every version use"),
            r#"(component (import "atelier:agent/llm@9.9.9" (instance)))"#.to_owned(),
        ),
        ("core module", "a module is no component", Refused("can't be loaded"), "(module)".to_owned()),
        ("shared memory", "there are no threads", Refused("can't be loaded"), "(component (core module (memory 1 2 shared)))".to_owned()),
    ];
    let mut all: Vec<Guest> = texts
        .into_iter()
        .map(|(name, promise, expected, text)| Guest { name, promise, expected, bytes: parse(name, &text).into_owned() })
        .collect();
    let whole = honest();
    let (half, mut turned) = (whole[..whole.len() / 2].to_vec(), whole.clone());
    let middle = turned.len() / 2;
    turned[middle..].reverse();
    for (name, bytes) in [("noise", b"\0asm, or so it says".to_vec()), ("half a component", half), ("turned bytes", turned)] {
        all.push(Guest { name, promise: "what is no component is refused", expected: Refused("can't be loaded"), bytes });
    }
    all
}
