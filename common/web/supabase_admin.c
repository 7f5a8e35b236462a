/*
 * supabase_admin.c - what an application with a service_role token does with the accounts of
 * others, as Supabase Auth has it.
 */
#include "base/settings.h"
#include "lib/seal.h"
#include "web/reply.h"
#include "web/supabase.h"

enum { MORE_MAX = 256 * 1024, LINK_MAX = 8 * 1024 };

/* ---- lists --------------------------------------------------------------------- */

/* Clients take their page numbers from here, and expect at least the last one. */
static void
link_pages(struct ctx *c, const struct supabase_in *in, int64_t total)
{
	CLEANUP(text_clear) struct text t = TEXT(LINK_MAX);
	int64_t last = total ? (total + in->per_page - 1) / in->per_page : 1;

	if (in->page < last)
		text_printf(&t, "</auth/v1/admin/users?page=%lld&per_page=%lld>; rel=\"next\", ",
		    (long long)in->page + 1, (long long)in->per_page);
	text_printf(&t, "</auth/v1/admin/users?page=%lld&per_page=%lld>; rel=\"last\"",
	    (long long)last, (long long)in->per_page);
	reply_header(c, "Link", text_str(&t));
	reply_header(c, "X-Total-Count", mem_printf(c->mem, "%lld", (long long)total));
}

int
supabase_list(struct ctx *c, const void *arg)
{
	const struct supabase_in *in = arg;
	const char *claims = supabase_service(c);
	const struct json *found;
	struct out *o;

	if (!claims)
		return -1;
	found = db_call(c,
	    ARGS(claims, mem_printf(c->mem, "%lld", (long long)in->page),
		mem_printf(c->mem, "%lld", (long long)in->per_page)));
	if (!found)
		return -1;
	link_pages(c, in, json_int(found, "total", 0));
	o = reply_open(c, 200);
	put_json(o, "users", span_of(json_print(c->mem, json_get(found, "users"))));
	put_str(o, "aud", "authenticated");
	return reply_close(o);
}

/* ---- accounts ------------------------------------------------------------------- */

static void
put_member(struct text *t, const char *name, const struct json *j)
{
	if (!j)
		return;
	text_printf(t, ",\"%s\":", name);
	json_write(t, j);
}

/* What was given of an account, but for its address and password. */
static const char *
write_account(struct ctx *c, const struct supabase_in *in)
{
	CLEANUP(text_clear) struct text t = TEXT(MORE_MAX);
	const char *s;

	text_printf(&t, "{\"email_confirm\":%s", in->email_confirm ? "true" : "false");
	put_member(&t, "user_metadata", in->data);
	put_member(&t, "app_metadata", in->app_metadata);
	if (in->ban_duration) {
		text_puts(&t, ",\"ban_duration\":");
		text_json(&t, in->ban_duration);
	}
	text_putc(&t, '}');
	s = text_ok(&t) ? mem_str(c->mem, text_str(&t)) : NULL;
	if (!s)
		fail(c, ERR_INTERNAL, "out of memory");
	return s;
}

int
supabase_create(struct ctx *c, const void *arg)
{
	const struct supabase_in *in = arg;
	const char *claims = supabase_service(c), *hash, *more;

	if (!claims || supabase_need_email(c, in) < 0 || supabase_hash(c, in->password, &hash) < 0)
		return -1;
	more = write_account(c, in);
	return more ? supabase_reply_call(c, ARGS(claims, in->email, hash, more)) : -1;
}

int
supabase_change(struct ctx *c, const void *arg)
{
	const struct supabase_in *in = arg;
	const char *claims = supabase_service(c), *hash, *more;

	if (!claims || supabase_hash(c, in->password, &hash) < 0)
		return -1;
	more = write_account(c, in);
	return more ? supabase_reply_call(c, ARGS(claims, in->user_id, in->email, hash, more)) : -1;
}

/* ---- links ------------------------------------------------------------------------ */

static const char *
write_link(struct ctx *c, const struct supabase_in *in)
{
	CLEANUP(text_clear) struct text t = TEXT(MORE_MAX);
	const char *s;

	text_puts(&t, "{\"redirect_to\":");
	text_json(&t, supabase_allowed(in->redirect_to) ? in->redirect_to : NULL);
	text_puts(&t, ",\"new_email\":");
	text_json(&t, in->new_email);
	put_member(&t, "data", in->data);
	text_putc(&t, '}');
	s = text_ok(&t) ? mem_str(c->mem, text_str(&t)) : NULL;
	if (!s)
		fail(c, ERR_INTERNAL, "out of memory");
	return s;
}

/* The members of the user, and beside them what the link is made of. */
static int
reply_link(struct ctx *c, const struct supabase_in *in, const struct json *made)
{
	CLEANUP(text_clear) struct text t = TEXT(LINK_MAX);
	const char *kind = json_str(made, "kind"), *id = json_str(made, "token_id");
	const char *token = seal_token(c->mem, kind, id), *code = seal_code(c->mem, kind, id);
	const char *user = json_print(c->mem, json_get(made, "user")), *all;
	const char *to = supabase_allowed(in->redirect_to) ? in->redirect_to : supabase_site();

	if (!token || !code || !user || user[0] != '{')
		return fail(c, ERR_INTERNAL, "a link could not be made");
	text_printf(&t, "%s/auth/v1/verify?token=%s&type=%s&redirect_to=", setting_str(SET_API_URL),
	    token, kind);
	text_url(&t, to);
	all = mem_printf(c->mem,
	    "{\"action_link\":\"%s\",\"email_otp\":\"%s\",\"hashed_token\":\"%s\","
	    "\"verification_type\":\"%s\",\"redirect_to\":\"%s\",%s",
	    text_str(&t), code, token, json_str(made, "type"), to, user + 1);
	return all && text_ok(&t) ? reply_json(c, 200, span_of(all)) :
				    fail(c, ERR_INTERNAL, "out of memory");
}

int
supabase_generate(struct ctx *c, const void *arg)
{
	const struct supabase_in *in = arg;
	const char *claims = supabase_service(c), *hash, *more;
	const struct json *made;

	if (!claims || supabase_need_email(c, in) < 0 || supabase_hash(c, in->password, &hash) < 0)
		return -1;
	if (in->type[0] == 'e' && supabase_need(c, "new_email", in->new_email) < 0)
		return -1;
	more = write_link(c, in);
	made = more ? db_call(c, ARGS(claims, in->type, in->email, hash, more)) : NULL;
	return made ? reply_link(c, in, made) : -1;
}
