-- What can be done now: a row for each step that waits for a worker or is under way. A worker takes a row for a while, until
-- `lease_until_ms` by this database's clock. `owner` and `fence`, which counts the owner's takings, name that taking and no other: a write
-- that names another comes from a worker that lost the row, and is refused.
create table step (
    project text not null references project (id),
    name text not null,
    wallet text not null references wallet (id),
    ready_ms integer not null,
    owner text references boot (id),
    lease_until_ms integer not null default 0,
    fence integer not null default 0,
    -- A step that met a fault of the host waits until then.
    not_before_ms integer not null default 0,
    faults integer not null default 0,
    -- Its place in the line.
    turn integer not null,
    primary key (project, name)
) strict, without rowid;
create index step_by_turn on step (turn);
create index step_by_wallet on step (wallet, turn);
create index step_by_owner on step (owner, turn) where owner is not null;

-- Processes that take steps of any project, for people who ask why nothing moves.
create table worker (
    boot text primary key references boot (id),
    slots integer not null,
    version text not null,
    seen_ms integer not null
) strict;

-- Projects of a version that knew no steps; the first worker writes theirs.
alter table project add column has_steps integer not null default 0;
create index project_without_steps on project (id) where has_steps = 0;

-- How long the run's step waited for a worker when it was begun.
alter table run add column waited_ms integer not null default 0;

-- A task that is done again, because what it is to do was changed, is accepted again.
create table snapshot_next (
    project text not null references project (id),
    number integer not null,
    task text not null,
    title text not null,
    summary text not null,
    tree text not null references tree (sha256),
    accepted_ms integer not null,
    primary key (project, number)
) strict, without rowid;
insert into snapshot_next select project, number, task, title, summary, tree, accepted_ms from snapshot;
drop table snapshot;
alter table snapshot_next rename to snapshot;

-- Reports that were handed out: an earlier delivery of a project that was changed since is still what it was.
create table delivery (
    project text not null references project (id),
    report_sha256 text not null,
    at_ms integer not null,
    primary key (project, report_sha256)
) strict, without rowid;
