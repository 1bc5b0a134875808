-- The code index is a cache in files of its own, on the machine of each worker that needs it.
drop table index_state;
drop table chunk;
drop table symbol;
