/*
 * password.h - passwords, hashed by libxcrypt: new ones with bcrypt ($2b$), older ones as they
 * were (any bcrypt, yescrypt).
 */
#ifndef LIB_PASSWORD_H
#define LIB_PASSWORD_H

#include "base/mem.h"

/* bcrypt looks at no more bytes than these: a longer password is refused, never cut. */
enum { PASSWORD_MAX = 72 };

/* password_wrong: what is wrong with a new password, as a sentence; NULL when nothing is. */
const char *password_wrong(const char *password);
/* password_hash: its hash at the cost of HOOKSWITCH_PASSWORD_COST, in m; NULL when it could not be
 * made, or the password is one that password_wrong names. */
const char *password_hash(struct mem *m, const char *password);
/* password_check: whether hash is this password's.  hash NULL: nobody has one, and as much time
 * passes as if somebody had. */
bool password_check(struct mem *m, const char *password, const char *hash);

#endif
