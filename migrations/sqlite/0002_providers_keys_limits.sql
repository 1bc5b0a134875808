-- no-transaction
-- Why: several providers with stored keys, limits per user and day, and a bound on the number of calls. `budget` gets further
-- scopes, which SQLite can only do by making the table anew; foreign keys are off meanwhile, and on again before anything is read.
pragma foreign_keys = off;
begin immediate;

create table budget_next (
    id text primary key,
    scope text not null check (scope in ('month', 'day', 'project', 'task', 'run')),
    parent text references budget_next (id),
    limit_nano integer not null,
    spent integer not null default 0,
    held integer not null default 0,
    calls integer not null default 0,
    calls_limit integer not null default 9223372036854775807,
    pause_nano integer not null default 9223372036854775807,
    check (held >= 0),
    check (spent >= 0),
    check (spent + held <= limit_nano),
    check (calls <= calls_limit)
) strict;
-- Calls that began before count as well, in every budget around them.
with recursive within (around, id) as (
    select id, id from budget
    union all select within.around, budget.id from within join budget on budget.parent = within.id
)
insert into budget_next (id, scope, parent, limit_nano, spent, held, calls)
select id, scope, parent, limit_nano, spent, held,
    (select count(*) from hold where state <> 'voided' and hold.budget in (select within.id from within where within.around = budget.id))
from budget;
drop table budget;
alter table budget_next rename to budget;

-- The user's budget of the day, within that of the month, that a call counts in beside those of run, task and project.
alter table hold add column allowance text references budget (id);
-- Which provider and which of its keys a request went to.
alter table attempt add column provider text not null default 'default';
alter table attempt add column key_id text;
alter table price add column provider text not null default 'default';

-- Keys of providers, sealed. A row is tied to its provider, id and version by the seal.
create table provider_key (
    id text primary key,
    provider text not null,
    owner text references wallet (id),
    label text not null,
    state text not null check (state in ('active', 'draining', 'revoked')),
    sealed blob not null,
    kek_id text not null,
    version integer not null,
    requests_per_minute integer,
    tokens_per_minute integer,
    created_ms integer not null,
    changed_ms integer not null
) strict;
create index provider_key_by_provider on provider_key (provider) where state <> 'revoked';

create index attempt_of_hold on attempt (run, seq, repeat);
create index hold_by_wallet on hold (wallet, created_ms);
create index hold_by_project on hold (project);
create index entry_refunds on entry (wallet, at_ms) where kind = 'refund';

commit;
pragma foreign_keys = on;
