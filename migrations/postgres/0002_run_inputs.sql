-- What a run was given, so that a replay gets the same although other tasks were accepted meanwhile; and the digest of what it
-- returned, so that a replay can be compared.
alter table run add column inputs text not null default '';
alter table run add column result_sha256 text not null default '';
