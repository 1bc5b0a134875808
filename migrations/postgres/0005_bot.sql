-- A bot for many: who is let in, who speaks in which chat, what may have been sent already, and what was bought.

-- Let in by an invitation; shut out by the operator; given what everybody gets at the beginning.
alter table person add column invited bigint not null default 0;
alter table person add column blocked bigint not null default 0;
alter table person add column welcomed bigint not null default 0;
update person set welcomed = 1 where exists (select 1 from entry where kind = 'grant' and ref = 'welcome:' || wallet);

-- In a group everybody has a project and a train of thought of their own.
create table dialog (
    chat bigint not null,
    person bigint not null references person (id),
    -- What the person's next text in this chat is taken for.
    expecting text not null default '',
    -- The project that the person's commands are about.
    project text references project (id),
    primary key (chat, person)
);
insert into dialog (chat, person, expecting, project) select id, id, expecting, project from chat where id in (select id from person);
drop table chat;

create table chat (
    id bigint primary key,
    -- It takes no messages: the bot was blocked, or put out of the group. What is for it waits.
    gone bigint not null default 0
);

-- What is to be sent is marked before it is sent, so that after a kill it is known what may have been sent already.
alter table outbox drop constraint outbox_state_check;
alter table outbox add constraint outbox_state_check check (state in ('waiting', 'sending', 'sent', 'refused', 'uncertain'));
-- How often it was sent again although it may have been there.
alter table outbox add column repeats bigint not null default 0;
-- Telegram's id of the file in it, by which the same file is sent again without its bytes.
alter table outbox add column file text;
-- Whether it shows buttons that may still be pressed.
alter table outbox add column has_buttons bigint not null default 0;
drop index outbox_waiting;
drop index outbox_by_chat;
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
    credits bigint not null check (credits >= 0),
    uses_left bigint not null check (uses_left >= 0),
    expires_ms bigint not null,
    created_by bigint not null,
    created_ms bigint not null
);

-- What was offered for Stars: the payload of an invoice is its name.
create table invoice (
    name text primary key,
    person bigint not null references person (id),
    stars bigint not null check (stars > 0),
    credits bigint not null check (credits > 0),
    created_ms bigint not null
);

-- What was paid. The ledger knows a payment only by a keyed hash of its id.
create table payment (
    charge text primary key,
    reference text not null unique,
    person bigint not null references person (id),
    stars bigint not null,
    credits bigint not null,
    state text not null check (state in ('paid', 'refunding', 'refunded')),
    at_ms bigint not null
);
create index payment_by_person on payment (person, at_ms);

-- The key of those hashes, of this database alone.
create table payment_key (secret text not null);
insert into payment_key (secret) values (replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''));
