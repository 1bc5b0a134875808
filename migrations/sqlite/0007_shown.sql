-- A status that turns back to what is shown already needs no edit: Telegram would refuse it.

-- The digest of the body that the message shows; empty where nobody knows.
alter table outbox add column shown text not null default '';
