-- What a run was given, so that a replay gets the same although other tasks were accepted meanwhile.
alter table run add column inputs text not null default '';
