-- 84_mail.sql - mails: each is a run of the workflow "mail" (common/work/flow_mail.c); what it says is in common/work/mail_text.c.

-- Has a mail sent; a second one of the same p_id is the first one.  p_data: what the kind's text names, and token_id (the row that token
-- and code are made from when it is sent; never the token), redirect_to.  True: it is on its way; false: it was already, or
-- there is nobody to send it to (an account without an address).
create or replace function public.mail_send(p_id text, p_kind text, p_to text, p_data jsonb, p_organization uuid default null) returns boolean
    language plpgsql security definer set search_path = '' as $$
begin
    if p_to is null then
        return false;
    end if;
    return public.work_start('mail:' || p_id, 'mail', jsonb_build_object('kind', p_kind, 'to', p_to, 'data', coalesce(p_data, '{}')),
                             p_organization);
end
$$;

-- Before each try: whether the mail is still worth sending, and until when its token is good.  The same row gives the same answer, so
-- that a mail that is sent again is the same mail.
create or replace function public.mail_prepare(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_kind text := p_run -> 'input' ->> 'kind';
    v_token uuid;
    v_until timestamptz;
    v_why text;
begin
    if v_kind in ('payment_failed', 'payment_failed_stopped') then
        return public.dunning_mail_prepare(p_run);
    elsif p_run -> 'input' -> 'data' ->> 'token_id' is null then
        return null;
    end if;
    v_token := (p_run -> 'input' -> 'data' ->> 'token_id')::uuid;
    if v_kind = 'invitation' then
        select i.expires_at, case when i.state <> 'pending' then 'invitation_' || i.state end into v_until, v_why
          from public.organization_invitations i where i.id = v_token;
    else
        select t.expires_at, case when t.used_at is not null then 'token_used' when t.user_id is null then 'nobody' end into v_until, v_why
          from hookswitch_auth.one_time_tokens t where t.id = v_token;
    end if;
    v_why := case when not found then 'token_gone' when v_why is not null then v_why
                  when v_until <= statement_timestamp() then 'token_expired' end;
    if v_why is not null then
        return jsonb_build_object('done', true, 'result', jsonb_build_object('skipped', v_why));
    end if;
    return jsonb_build_object('prepared', jsonb_build_object('until', to_char(v_until at time zone 'UTC', 'FMDD Mon YYYY HH24:MI "UTC"')));
end
$$;
