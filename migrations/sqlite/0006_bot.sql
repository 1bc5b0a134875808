-- A bot for many: who is let in, who speaks in which chat, what may have been sent already, and what was bought.

-- Let in by an invitation; shut out by the operator; given what everybody gets at the beginning.
alter table person add column invited integer not null default 0;
alter table person add column blocked integer not null default 0;
alter table person add column welcomed integer not null default 0;
update person set welcomed = 1 where exists (select 1 from entry where kind = 'grant' and ref = 'welcome:' || wallet);

-- In a group everybody has a project and a train of thought of their own.
create table dialog (
    chat integer not null,
    person integer not null references person (id),
    -- What the person's next text in this chat is taken for.
    expecting text not null default '',
    -- The project that the person's commands are about.
    project text references project (id),
    primary key (chat, person)
) strict;
insert into dialog (chat, person, expecting, project) select id, id, expecting, project from chat where id in (select id from person);
drop table chat;

create table chat (
    id integer primary key,
    -- It takes no messages: the bot was blocked, or put out of the group. What is for it waits.
    gone integer not null default 0
) strict;

-- What is to be sent is marked before it is sent, so that after a kill it is known what may have been sent already.
create table outbox_next (
    number integer primary key autoincrement,
    name text not null unique,
    chat integer not null,
    project text references project (id),
    -- 0 acknowledgement, 1 answer, 2 result, 3 status, 4 everything that nobody waits for
    priority integer not null,
    body text not null,
    state text not null check (state in ('waiting', 'sending', 'sent', 'refused', 'uncertain')),
    tries integer not null default 0,
    -- How often it was sent again although it may have been there.
    repeats integer not null default 0,
    not_before_ms integer not null default 0,
    -- The chat's number of the message, once it is there.
    message integer,
    -- Telegram's id of the file in it, by which the same file is sent again without its bytes.
    file text,
    -- Whether it shows buttons that may still be pressed.
    has_buttons integer not null default 0,
    detail text not null default '',
    at_ms integer not null
) strict;
insert into outbox_next (number, name, chat, project, priority, body, state, tries, not_before_ms, message, detail, at_ms)
    select number, name, chat, project, priority, body, state, tries, not_before_ms, message, detail, at_ms from outbox;
drop table outbox;
alter table outbox_next rename to outbox;
create index outbox_waiting on outbox (chat, priority, number) where state in ('waiting', 'sending');
create index outbox_in_order on outbox (priority, number) where state = 'waiting';
create index outbox_by_chat on outbox (chat, message);
create index outbox_by_file on outbox (file) where file is not null;
create index outbox_buttons on outbox (project) where has_buttons = 1;

-- A letter says what kind it is, no longer only when it goes.
update outbox set body = replace(replace(replace(body, '"priority":0', '"kind":"answer"'), '"priority":2', '"kind":"result"'), '"priority":3', '"kind":"status"');

-- Lets people in who have the code.
create table invite (
    code text primary key,
    credits integer not null check (credits >= 0),
    uses_left integer not null check (uses_left >= 0),
    expires_ms integer not null,
    created_by integer not null,
    created_ms integer not null
) strict;

-- What was offered for Stars: the payload of an invoice is its name.
create table invoice (
    name text primary key,
    person integer not null references person (id),
    stars integer not null check (stars > 0),
    credits integer not null check (credits > 0),
    created_ms integer not null
) strict;

-- What was paid. The ledger knows a payment only by a keyed hash of its id.
create table payment (
    charge text primary key,
    reference text not null unique,
    person integer not null references person (id),
    stars integer not null,
    credits integer not null,
    state text not null check (state in ('paid', 'refunding', 'refunded')),
    at_ms integer not null
) strict;
create index payment_by_person on payment (person, at_ms);

-- The key of those hashes, of this database alone.
create table payment_key (secret text not null) strict;
insert into payment_key (secret) values (lower(hex(randomblob(32))));
