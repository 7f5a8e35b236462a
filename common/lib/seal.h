/*
 * seal.h - secrets at rest: AES-256-GCM under HOOKSWITCH_SECRET_KEY, the key's id in front.
 *
 * Form: "sealed:1:<key id>:<base64url of nonce, text, tag>".  The purpose (e.g. "provider.api_key")
 * is authenticated, so that a sealed text moved to another column does not open.
 */
#ifndef LIB_SEAL_H
#define LIB_SEAL_H

#include "base/ctx.h"

/* seal_ready: checks HOOKSWITCH_SECRET_KEY; -1 with a reason on standard error. */
int seal_ready(void);
bool seal_is_sealed(const char *text);
/* seal_close: the sealed form of plain, in m; NULL when it could not be made. */
const char *seal_close(struct mem *m, const char *purpose, const char *plain);
/* seal_open: the plain form of sealed, in m; NULL when the key id is unknown or the text was
 * changed.  A text that is not sealed is returned as it is. */
const char *seal_open(struct mem *m, const char *purpose, const char *sealed);
/* seal_call_token: "<assignment id>.<hex HMAC-SHA256 under a derived key>", proof that we made this
 * attempt; in m. seal_call_token_check: the assignment id (lower-case UUID) into ret when the token
 * is ours; false else. Old keys are tried too. */
const char *seal_call_token(struct mem *m, const char *assignment_id);
bool seal_call_token_check(const char *token, char ret[37]);

#endif
