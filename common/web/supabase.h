/*
 * supabase.h - what the program auth-v1 says in the words of Supabase Auth: errors, sessions, and
 * whose token it takes.
 *
 * Accounts, sessions and proofs are session.h's and sql/functions/24_auth*.sql's; here is only
 * their other form.
 */
#ifndef WEB_SUPABASE_H
#define WEB_SUPABASE_H

#include "web/session.h"

/* supabase_problem: the ctx's failure in Supabase's shape, by the version of the API that the
 * request names.  For struct server. */
void supabase_problem(struct ctx *c);
/* supabase_code: the code by which a failure with this house code is known there, and its status;
 * codes that are not in the table are the same on both sides. */
const char *supabase_code(const char *code, int *status);

/* supabase_person: the claims of the token that the request shows, as JSON text; NULL with the
 * failure recorded.  Whether its session still stands is for the database to say.
 * supabase_service: the same for the service_role of the application. */
const char *supabase_person(struct ctx *c);
const char *supabase_service(struct ctx *c);

/* supabase_refuse: records e, and returns -1; but where accounts are somebody else's that is what
 * is told.  ERR_NONE: 0 where they are ours. */
int supabase_refuse(struct ctx *c, enum err e);

/* supabase_reply: a 200 with JSON as it is.  supabase_reply_call: with what the row's query
 * answers. supabase_reply_session: a session. */
int supabase_reply(struct ctx *c, const struct json *j);
int supabase_reply_call(struct ctx *c, const char *const *args, size_t n);
int supabase_reply_session(struct ctx *c, const struct session *s);

/* What the operations of auth-v1 are given; each uses what its route's fields fill. */
struct supabase_in {
	const char *email, *phone, *password, *type, *token, *token_hash, *redirect_to;
	const char *grant_type, *refresh_token, *auth_code, *code_verifier, *scope;
	const char *code_challenge, *code_challenge_method;
	const char *factor_id, *friendly_name, *challenge_id, *code;
	const char *user_id, *new_email, *ban_duration;
	const struct json *data, *app_metadata;
	bool create_user, email_confirm;
	int64_t page, per_page;
};

/* supabase_need: -1 when a field that is needed here is missing or empty.  supabase_need_email: the
 * same for the address, by which everybody is known. */
int supabase_need(struct ctx *c, const char *field, const char *value);
int supabase_need_email(struct ctx *c, const struct supabase_in *in);
/* supabase_object: an object as JSON text, "{}" when there is none; NULL with the failure
 * recorded. */
const char *supabase_object(struct ctx *c, const struct json *j);
/* supabase_more: what goes along with a mail (redirect_to, challenge), as JSON; an address that
 * supabase_allowed refuses is left out.  NULL with the failure recorded. */
const char *supabase_more(struct ctx *c, const struct supabase_in *in);
/* supabase_allowed: whether somebody may be sent there: to an address of the origin of APP_URL,
 * FRONTEND_URL or API_URL. */
bool supabase_allowed(const char *url);
/* supabase_site: the first of those settings.  supabase_redirect: 303 to url, or where that is not
 * allowed to supabase_site, with
 * fields ("a=1&b=2") behind mark: '#' or '?'. */
const char *supabase_site(void);
int supabase_redirect(struct ctx *c, const char *url, char mark, const char *fields);
/* supabase_hash: the hash of a new password into *ret; NULL without a failure when it is NULL or
 * "". */
int supabase_hash(struct ctx *c, const char *password, const char **ret);

/* Operations: the run of a route, in is a struct supabase_in. */

/* Sessions: for a password, a refresh token or a code; for what a mail brought; for a link that
 * somebody followed. */
int supabase_token(struct ctx *c, const void *in);
int supabase_verify(struct ctx *c, const void *in);
int supabase_follow(struct ctx *c, const void *in);
/* Of a person: sign-up, changes, a second factor begun and shown. */
int supabase_sign_up(struct ctx *c, const void *in);
int supabase_update(struct ctx *c, const void *in);
int supabase_enrol(struct ctx *c, const void *in);
int supabase_prove(struct ctx *c, const void *in);
/* Of the application, with its service_role token. */
int supabase_list(struct ctx *c, const void *in);
int supabase_create(struct ctx *c, const void *in);
int supabase_change(struct ctx *c, const void *in);
int supabase_generate(struct ctx *c, const void *in);

#endif
