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
/* seal_token: "<id>.<hex HMAC-SHA256 under a derived key>" in m: proof that we made it, for one
 * purpose (at most 40 letters, e.g. "recovery"; SEAL_CALL) and the thing with this id (a UUID).
 * Nothing of it need be stored.  NULL when it could not be made.  seal_token_check: the id in lower
 * case into ret when the token is ours and of this purpose; false else.  Old keys are tried too. */
const char *seal_token(struct mem *m, const char *purpose, const char *id);
bool seal_token_check(const char *purpose, const char *token, char ret[37]);
/* seal_code: the same as six digits, to be typed by hand; who checks it counts the attempts. */
const char *seal_code(struct mem *m, const char *purpose, const char *id);
bool seal_code_check(const char *purpose, const char *id, const char *code);

/* The purpose of the token that goes along with a call; the id is the assignment's. */
#define SEAL_CALL ""
/* Of the token that goes along with an organization's numbers and assistants: it proves what Vapi
 * tells of their inbound calls; the id is the organization's. */
#define SEAL_INBOUND "inbound"

#endif
