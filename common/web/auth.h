/*
 * auth.h - who asks: tokens and API keys, and what only this host or the holder of the internal
 * token may ask.
 *
 * Tokens are verified here, keys are looked up by the database; what somebody may see or do is
 * decided there.
 */
#ifndef WEB_AUTH_H
#define WEB_AUTH_H

#include "web/request.h"

/* auth_check: what can be told without the database: fills the request's identity; -1 with the
 * failure recorded. */
int auth_check(struct ctx *c);
/* auth_step: the statement that sets the identity (of nobody, too), the request's id and the
 * client's address for the open transaction; its row goes to rows. */
int auth_step(struct ctx *c, struct db_step *ret, struct db_rows *rows);
/* auth_step_admitted: the same, for what the transaction before it in the same trip has found
 * (web/limit). */
int auth_step_admitted(struct ctx *c, struct db_step *ret, struct db_rows *rows);
/* auth_take: remembers in the ctx whom that row named. */
void auth_take(struct ctx *c, const struct db_rows *rows);
/* auth_remember: the same for an organization and a user (NULL: none). */
void auth_remember(struct ctx *c, const char *organization, const char *user);
/* auth_operators: who is named as an operator in the settings, "" for nobody; NULL when the route
 * is not for operators. */
const char *auth_operators(struct ctx *c);
/* auth_secrets_missing: true when no secret for tokens is set, so that nobody could sign in. */
bool auth_secrets_missing(void);

#endif
