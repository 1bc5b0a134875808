-- What a run was given, so that a replay gets the same although other tasks were accepted meanwhile; and the digest of what it
-- returned, so that a replay can be compared.
alter table run add column inputs text not null default '';
alter table run add column result_sha256 text not null default '';

-- Somebody wants the project to wait after the calls under way.
alter table project add column pause_requested bigint not null default 0;

-- What the project had cost when it happened.
alter table event add column spent bigint not null default 0;
