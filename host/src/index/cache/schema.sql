-- One index. A cache: whatever is wrong with it, it is deleted and made anew.
create table about (
    one integer primary key check (one = 1),
    -- What made it: the format, the indexer plugin's digest. Something else makes it anew.
    made_by text not null,
    generation integer not null,
    -- The digest of the listing of the files; empty while an update is under way.
    tree text not null,
    pending integer not null
);
-- Every file that was seen: what was read, and what was left out.
create table file (
    path text primary key,
    size integer not null,
    -- When it was changed last, in nanoseconds; null where that says nothing.
    modified_ns integer,
    -- SHA-256 of the content.
    digest text not null,
    -- `parsed`, `lines` (read by its lines), or why it was left out.
    state text not null,
    -- Why it was read by its lines, or empty.
    detail text not null,
    -- Names that it mentions, between spaces.
    mentions text not null
) without rowid;
create table chunk (
    id integer primary key,
    path text not null,
    first_line integer not null,
    last_line integer not null,
    kind text not null,
    name text not null,
    text text not null,
    -- SHA-256 of name and text: what a vector belongs to.
    digest text not null
);
create index chunk_by_path on chunk (path);
create index chunk_by_digest on chunk (digest);
create table symbol (
    path text not null,
    name text not null,
    kind text not null,
    line integer not null
);
create index symbol_by_name on symbol (name);
create index symbol_by_path on symbol (path);
create table parse_error (
    path text not null,
    line integer not null,
    message text not null
);
create index parse_error_by_path on parse_error (path);
-- Words of a chunk; its rowid is the chunk's id. The texts themselves are in `chunk`, and what is taken out is said word by word: only then
-- are the counts that scores are made of those of what is there. (With `contentless_delete` they keep what is gone.)
create virtual table words using fts5 (
    names, path, body, content = '', tokenize = "porter unicode61 remove_diacritics 0 tokenchars '_'"
);
-- What a definition is called says ten times as much as a word of its body.
insert into words (words, rank) values ('rank', 'bm25(10.0, 4.0, 1.0)');
-- Whose vectors these are, and what they were found to be worth beside words: null until somebody measures it.
create table dense (
    one integer primary key check (one = 1),
    fingerprint text not null,
    weight real,
    -- The tree whose every chunk has a vector; empty before.
    complete text not null
);
-- The vector of a chunk, by its digest; little-endian numbers of four bytes.
create table vector (
    digest text primary key,
    numbers blob not null
) without rowid;
