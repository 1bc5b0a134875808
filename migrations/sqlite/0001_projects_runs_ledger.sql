-- Everything that one machine needs: projects, runs with their journal, files, money. Amounts are nano-USD, times are
-- milliseconds since 1970. Constraints state the invariants; code that breaks one gets an error, not a wrong balance.

-- Processes that hold (or held) money. A boot is alive while its lock file is locked.
create table boot (
    id text primary key,
    started_ms integer not null
) strict;

create table project (
    id text primary key,
    wallet text not null references wallet (id),
    idea text not null,
    title text not null,
    phase text not null,
    state text not null,
    version integer not null,
    cancel_requested integer not null default 0,
    created_ms integer not null,
    updated_ms integer not null
) strict;

-- One call of one plugin export for one project, stable across replays.
create table run (
    id text primary key,
    project text not null references project (id),
    number integer not null,
    step text not null,
    task text,
    attempt integer not null,
    plugin text not null,
    plugin_sha256 text not null,
    base_tree text not null,
    outcome text not null check (outcome in ('open', 'done', 'failed', 'diverged')),
    detail text not null default '',
    incarnations integer not null default 0,
    fuel integer not null default 0,
    memory_peak_bytes integer not null default 0,
    host_calls integer not null default 0,
    created_ms integer not null,
    ended_ms integer,
    unique (project, number)
) strict;
create unique index run_open_step on run (project, step) where outcome = 'open';

-- What the host answered, call by call. A response that can be computed again is kept as its hash.
create table journal (
    run text not null references run (id),
    seq integer not null,
    call text not null,
    fingerprint text not null,
    response text,
    response_sha256 text not null,
    primary key (run, seq)
) strict, without rowid;

create table question (
    project text not null references project (id),
    run text not null references run (id),
    seq integer not null,
    fingerprint text not null,
    question text not null,
    answer text,
    asked_ms integer not null,
    primary key (run, seq)
) strict;

create table event (
    project text not null references project (id),
    seq integer not null,
    kind text not null,
    text text not null,
    at_ms integer not null,
    primary key (project, seq)
) strict, without rowid;

-- The files of all projects, stored once by content.
create table blob (
    sha256 text primary key,
    bytes blob not null
) strict;

create table tree (
    sha256 text primary key,
    entries text not null
) strict;

create table snapshot (
    project text not null references project (id),
    number integer not null,
    task text not null,
    title text not null,
    summary text not null,
    tree text not null references tree (sha256),
    accepted_ms integer not null,
    primary key (project, number),
    unique (project, task)
) strict, without rowid;

-- Money. The journal (`entry`) is the truth; `wallet` and `budget` are its index, and their checks refuse an overshoot.
create table wallet (
    id text primary key,
    balance integer not null default 0,
    held integer not null default 0,
    seq integer not null default 0,
    check (held >= 0),
    check (balance >= held)
) strict;

create table budget (
    id text primary key,
    scope text not null check (scope in ('project', 'task', 'run')),
    parent text references budget (id),
    limit_nano integer not null,
    spent integer not null default 0,
    held integer not null default 0,
    check (held >= 0),
    check (spent >= 0),
    check (spent + held <= limit_nano)
) strict;

create table price (
    id integer primary key,
    model text not null,
    rates text not null,
    source text not null,
    effective_ms integer not null
) strict;

create table hold (
    run text not null,
    seq integer not null,
    repeat integer not null,
    wallet text not null references wallet (id),
    budget text not null references budget (id),
    project text not null,
    fingerprint text not null,
    price integer not null references price (id),
    amount integer not null check (amount >= 0),
    input_estimate integer not null,
    state text not null check (state in ('reserved', 'dispatched', 'settled', 'voided', 'lost')),
    boot text not null references boot (id),
    output_seen integer not null default 0,
    actual integer,
    charged integer,
    usage text,
    usage_source text check (usage_source in ('provider', 'estimated')),
    created_ms integer not null,
    resolved_ms integer,
    primary key (run, seq, repeat),
    check (charged is null or (charged >= 0 and charged <= actual))
) strict, without rowid;
create index hold_open on hold (boot) where state in ('reserved', 'dispatched');
create unique index hold_settled_once on hold (run, seq) where state = 'settled';

-- One HTTP request. Its id travels as x-request-id, so that a provider's log can be compared.
create table attempt (
    request_id text primary key,
    run text not null,
    seq integer not null,
    repeat integer not null,
    number integer not null,
    model text not null,
    outcome text not null check (outcome in ('dispatched', 'settled', 'voided', 'lost')),
    detail text not null default '',
    sent_ms integer not null,
    foreign key (run, seq, repeat) references hold (run, seq, repeat)
) strict, without rowid;

create table entry (
    wallet text not null references wallet (id),
    seq integer not null,
    kind text not null check (kind in ('grant', 'charge', 'overrun', 'lost', 'refund', 'adjust')),
    ref text not null,
    debit text not null,
    credit text not null,
    amount integer not null check (amount > 0),
    at_ms integer not null,
    primary key (wallet, seq),
    unique (kind, ref),
    check (debit <> credit)
) strict, without rowid;

create trigger entry_is_append_only_update before update on entry begin select raise(abort, 'entries are append-only'); end;
create trigger entry_is_append_only_delete before delete on entry begin select raise(abort, 'entries are append-only'); end;
create trigger price_is_append_only_update before update on price begin select raise(abort, 'prices are append-only'); end;
create trigger price_is_append_only_delete before delete on price begin select raise(abort, 'prices are append-only'); end;
create trigger hold_is_final before update on hold when old.state in ('settled', 'voided', 'lost')
begin select raise(abort, 'a resolved hold is final'); end;
create trigger attempt_is_final before update on attempt when old.outcome <> 'dispatched'
begin select raise(abort, 'a resolved attempt is final'); end;

-- The code index: a cache of the last accepted tree, rebuilt when it is missing.
create table index_state (
    project text primary key references project (id),
    generation integer not null,
    tree text not null
) strict;
create virtual table chunk using fts5 (
    project unindexed, path_raw unindexed, first_line unindexed, last_line unindexed, name_raw unindexed, text_raw unindexed,
    names, path, body,
    tokenize = 'porter unicode61'
);
create table symbol (
    project text not null,
    path text not null,
    name text not null,
    kind text not null,
    line integer not null,
    defines integer not null
) strict;
create index symbol_by_name on symbol (project, name);
create index symbol_by_path on symbol (project, path);
