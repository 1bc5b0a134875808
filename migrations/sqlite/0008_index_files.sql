-- The code index is a cache in files of its own: a project's index is deleted, moved and made anew without the rest.
drop table index_state;
drop table chunk;
drop table symbol;
