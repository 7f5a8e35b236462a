-- 0016_calls.sql - transcripts that can be searched, and feedback with who gave it.

-- ---- search -------------------------------------------------------------------

alter table public.call_transcripts
    add column search tsvector,
    add column search_language text;
comment on column public.call_transcripts.search is 'What is looked for: the words as they are and their stems, and one mark of organization and language; null: not read yet.';
comment on column public.call_transcripts.search_language is
    'The configuration of pg_catalog that made the stems; its name, since a column of type regconfig is in the way of pg_upgrade.';

-- Whatever wrote the text anew: it is read again.  The body is in sql/functions.
create function public.transcript_unread() returns trigger language plpgsql as 'begin return new; end';
create trigger call_transcripts_unread before update of transcript_text, summary on public.call_transcripts
    for each row execute function public.transcript_unread();

-- Filled by workflow-pump, some rows at a time (public.transcripts_read): those that are there already are found here like new ones.
create index call_transcripts_unread_idx on public.call_transcripts (created_at) where search is null;
-- The marks of the tenants are in the words: one index finds both at once, with no extension.  What waits to be sorted in is read by each
-- search, so it is kept short.
create index call_transcripts_search_idx on public.call_transcripts using gin (search) with (gin_pending_list_limit = 512) where search is not null;
create index call_transcripts_language_idx on public.call_transcripts (organization_id, search_language);
drop index public.call_transcripts_organization_idx; -- the one before begins as it did

-- People read what was said, not how it is found.
revoke select on public.call_transcripts from authenticated;
grant select (call_id, call_created_at, organization_id, transcript_text, transcript_segments, summary, extracted_data, created_at)
    on public.call_transcripts to authenticated;

-- ---- feedback -------------------------------------------------------------------

-- By a person or an API key; what is there already may be nobody's, or one person's many times: the newest stays his.
alter table public.call_feedback
    add column key_id uuid,
    add column updated_at timestamptz not null default now();
comment on column public.call_feedback.user_id is 'The person who gave it; of one call each gives one.';
comment on column public.call_feedback.key_id is 'The API key that gave it, where no person did.';
update public.call_feedback f set user_id = null
 where exists (select from public.call_feedback n where n.call_id = f.call_id and n.user_id = f.user_id and (n.created_at, n.id) > (f.created_at, f.id));
create unique index call_feedback_user_key on public.call_feedback (call_id, user_id);
create unique index call_feedback_key_key on public.call_feedback (call_id, key_id) where key_id is not null;
drop index public.call_feedback_call_idx; -- the first of the two begins as it did
create index call_feedback_organization_idx on public.call_feedback (organization_id, call_created_at);
revoke select on public.call_feedback from authenticated;
grant select (id, call_id, call_created_at, organization_id, user_id, key_id, rating, comments, created_at, updated_at)
    on public.call_feedback to authenticated;
