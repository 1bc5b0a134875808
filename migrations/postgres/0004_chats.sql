-- People who speak with us in chats, and what is said. A person is known by the number that Telegram gave; the ledger knows only the wallet,
-- which is random. Rows of the two boxes are let go after a while.
create table person (
    id bigint primary key,
    wallet text not null references wallet (id),
    language text not null,
    created_ms bigint not null
);

create table chat (
    id bigint primary key,
    -- What the next text of the chat is taken for.
    expecting text not null default '',
    -- The project that commands are about.
    project text references project (id)
);

-- What came in. An update is marked in the transaction that has its effect.
create table inbox (
    update_id bigint primary key,
    chat bigint not null,
    body text not null,
    done bigint not null default 0,
    at_ms bigint not null
);
create index inbox_waiting on inbox (chat, update_id) where done = 0;

-- What is to go out. The key says what it is, so that it is written down once.
create table outbox (
    number bigint generated always as identity primary key,
    name text not null unique,
    chat bigint not null,
    project text references project (id),
    -- 0 acknowledgement, 1 answer, 2 result, 3 status
    priority bigint not null,
    body text not null,
    state text not null check (state in ('waiting', 'sent', 'refused', 'uncertain')),
    tries bigint not null default 0,
    not_before_ms bigint not null default 0,
    -- The chat's number of the message, once it is there.
    message bigint,
    detail text not null default '',
    at_ms bigint not null
);
create index outbox_waiting on outbox (priority, number) where state = 'waiting';
create index outbox_by_chat on outbox (chat, number);

-- A button carries only this name; what it does is here, and for whom.
create table button (
    name text primary key,
    person bigint not null,
    project text references project (id),
    action text not null,
    expires_ms bigint not null
);

-- Projects that a chat follows, and how far it was told.
create table followed (
    project text primary key references project (id),
    chat bigint not null,
    person bigint not null,
    told_version bigint not null default 0,
    told text not null default ''
);
create index followed_by_chat on followed (chat);
