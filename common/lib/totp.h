/*
 * totp.h - liboath, wrapped: time-based one-time codes of six digits (RFC 6238, SHA-1, 30 s), as
 * every app for them makes.
 */
#ifndef LIB_TOTP_H
#define LIB_TOTP_H

#include "base/mem.h"

enum { TOTP_STEP_SECONDS = 30, TOTP_DIGITS = 6, TOTP_WINDOW = 1 };

/* totp_secret: a new secret of 160 random bits in base32, in m; NULL when it could not be made. */
const char *totp_secret(struct mem *m);
/* totp_uri: what an app reads from a square code: otpauth://totp/...; in m. */
const char *totp_uri(struct mem *m, const char *issuer, const char *account, const char *secret);
/* totp_code: the code of the time (Unix seconds); -1 when secret is not base32. */
int totp_code(const char *secret, int64_t now, char ret[TOTP_DIGITS + 1]);
/* totp_step: the time step whose code this is, TOTP_WINDOW steps before and after now at most; -1:
 * none.  The caller sees to it that no step counts twice. */
int64_t totp_step(const char *secret, const char *code, int64_t now);

#endif
