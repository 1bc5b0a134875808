-- Everything that many machines share: projects, runs with their journal, files, money, keys. The same tables and columns as the
-- embedded store has after all of its migrations. Amounts are nano-USD, times are milliseconds since 1970. Constraints state the
-- invariants; code that breaks one gets an error, not a wrong balance.

-- Processes that hold (or held) money. A boot is alive while its session's advisory lock is held.
create table boot (
    id text primary key,
    started_ms bigint not null
);

-- Money. The journal (`entry`) is the truth; `wallet` and `budget` are its index, and their checks refuse an overshoot.
create table wallet (
    id text primary key,
    balance bigint not null default 0,
    held bigint not null default 0,
    seq bigint not null default 0,
    check (held >= 0),
    check (balance >= held)
);

create table budget (
    id text primary key,
    scope text not null check (scope in ('month', 'day', 'project', 'task', 'run')),
    parent text references budget (id),
    limit_nano bigint not null,
    spent bigint not null default 0,
    held bigint not null default 0,
    calls bigint not null default 0,
    calls_limit bigint not null default 9223372036854775807,
    pause_nano bigint not null default 9223372036854775807,
    check (held >= 0),
    check (spent >= 0),
    check (spent + held <= limit_nano),
    check (calls <= calls_limit)
);
create index budget_by_parent on budget (parent);

create table price (
    id bigint generated always as identity primary key,
    model text not null,
    rates text not null,
    source text not null,
    effective_ms bigint not null,
    provider text not null default 'default'
);

create table project (
    id text primary key,
    wallet text not null references wallet (id),
    idea text not null,
    title text not null,
    phase text not null,
    state text not null,
    version bigint not null,
    cancel_requested bigint not null default 0,
    created_ms bigint not null,
    updated_ms bigint not null
);

-- One call of one plugin export for one project, stable across replays.
create table run (
    id text primary key,
    project text not null references project (id),
    number bigint not null,
    step text not null,
    task text,
    attempt bigint not null,
    plugin text not null,
    plugin_sha256 text not null,
    base_tree text not null,
    outcome text not null check (outcome in ('open', 'done', 'failed', 'diverged')),
    detail text not null default '',
    incarnations bigint not null default 0,
    fuel bigint not null default 0,
    memory_peak_bytes bigint not null default 0,
    host_calls bigint not null default 0,
    created_ms bigint not null,
    ended_ms bigint,
    unique (project, number)
);
create unique index run_open_step on run (project, step) where outcome = 'open';

-- What the host answered, call by call. A response that can be computed again is kept as its hash.
create table journal (
    run text not null references run (id),
    seq bigint not null,
    call text not null,
    fingerprint text not null,
    response text,
    response_sha256 text not null,
    primary key (run, seq)
);

create table question (
    project text not null references project (id),
    run text not null references run (id),
    seq bigint not null,
    fingerprint text not null,
    question text not null,
    answer text,
    asked_ms bigint not null,
    primary key (run, seq)
);

create table event (
    project text not null references project (id),
    seq bigint not null,
    kind text not null,
    text text not null,
    at_ms bigint not null,
    primary key (project, seq)
);

-- The files of all projects, stored once by content.
create table blob (
    sha256 text primary key,
    bytes bytea not null
);

create table tree (
    sha256 text primary key,
    entries text not null
);

create table snapshot (
    project text not null references project (id),
    number bigint not null,
    task text not null,
    title text not null,
    summary text not null,
    tree text not null references tree (sha256),
    accepted_ms bigint not null,
    primary key (project, number),
    unique (project, task)
);

create table hold (
    run text not null,
    seq bigint not null,
    repeat bigint not null,
    wallet text not null references wallet (id),
    budget text not null references budget (id),
    project text not null,
    fingerprint text not null,
    price bigint not null references price (id),
    amount bigint not null check (amount >= 0),
    input_estimate bigint not null,
    state text not null check (state in ('reserved', 'dispatched', 'settled', 'voided', 'lost')),
    boot text not null references boot (id),
    output_seen bigint not null default 0,
    actual bigint,
    charged bigint,
    usage text,
    usage_source text check (usage_source in ('provider', 'estimated')),
    created_ms bigint not null,
    resolved_ms bigint,
    allowance text references budget (id),
    primary key (run, seq, repeat),
    check (charged is null or (charged >= 0 and charged <= actual))
);
create index hold_open on hold (boot) where state in ('reserved', 'dispatched');
create unique index hold_settled_once on hold (run, seq) where state = 'settled';
create index hold_by_wallet on hold (wallet, created_ms);
create index hold_by_project on hold (project);

-- One HTTP request. Its id travels as x-request-id, so that a provider's log can be compared.
create table attempt (
    request_id text primary key,
    run text not null,
    seq bigint not null,
    repeat bigint not null,
    number bigint not null,
    model text not null,
    outcome text not null check (outcome in ('dispatched', 'settled', 'voided', 'lost')),
    detail text not null default '',
    sent_ms bigint not null,
    provider text not null default 'default',
    key_id text,
    foreign key (run, seq, repeat) references hold (run, seq, repeat)
);
create index attempt_of_hold on attempt (run, seq, repeat);

create table entry (
    wallet text not null references wallet (id),
    seq bigint not null,
    kind text not null check (kind in ('grant', 'charge', 'overrun', 'lost', 'refund', 'adjust')),
    ref text not null,
    debit text not null,
    credit text not null,
    amount bigint not null check (amount > 0),
    at_ms bigint not null,
    primary key (wallet, seq),
    unique (kind, ref),
    check (debit <> credit)
);
create index entry_refunds on entry (wallet, at_ms) where kind = 'refund';

-- Keys of providers, sealed. A row is tied to its provider, id and version by the seal.
create table provider_key (
    id text primary key,
    provider text not null,
    owner text references wallet (id),
    label text not null,
    state text not null check (state in ('active', 'draining', 'revoked')),
    sealed bytea not null,
    kek_id text not null,
    version bigint not null,
    requests_per_minute bigint,
    tokens_per_minute bigint,
    created_ms bigint not null,
    changed_ms bigint not null
);
create index provider_key_by_provider on provider_key (provider) where state <> 'revoked';

create function refuse() returns trigger language plpgsql as $$
begin
    raise exception '%', tg_argv[0];
end
$$;
create trigger entry_is_append_only before update or delete on entry for each row execute function refuse('entries are append-only');
create trigger price_is_append_only before update or delete on price for each row execute function refuse('prices are append-only');
create trigger hold_is_final before update on hold for each row when (old.state in ('settled', 'voided', 'lost'))
    execute function refuse('a resolved hold is final');
create trigger attempt_is_final before update on attempt for each row when (old.outcome <> 'dispatched')
    execute function refuse('a resolved attempt is final');

-- The code index: a cache of the last accepted tree, rebuilt when it is missing.
create table index_state (
    project text primary key references project (id),
    generation bigint not null,
    tree text not null
);
create table chunk (
    project text not null,
    path_raw text not null,
    first_line bigint not null,
    last_line bigint not null,
    name_raw text not null,
    text_raw text not null,
    names text not null,
    path text not null,
    body text not null,
    words tsvector generated always as (
        setweight(to_tsvector('english', names), 'A') || setweight(to_tsvector('english', path), 'B')
        || setweight(to_tsvector('english', body), 'D')
    ) stored
);
create index chunk_words on chunk using gin (words);
create index chunk_by_path on chunk (project, path_raw);
create table symbol (
    project text not null,
    path text not null,
    name text not null,
    kind text not null,
    line bigint not null,
    defines bigint not null
);
create index symbol_by_name on symbol (project, name);
create index symbol_by_path on symbol (project, path);
