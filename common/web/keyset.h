/*
 * keyset.h - the public keys of the Supabase project (SUPABASE_URL), by name.
 *
 * A set is good for ten minutes, in the process and in the database (plain CGI forgets everything).
 * It is fetched anew when it is older, or when a token names a key that it does not have, but at
 * most once in 15 seconds for the whole installation: made-up names do not reach the other side.
 * While it cannot be fetched the keys that are known go on working for a day.
 */
#ifndef WEB_KEYSET_H
#define WEB_KEYSET_H

#include "lib/json.h"

enum keyset_verdict {
	KEYSET_FOUND,
	KEYSET_UNKNOWN,    /* the set was fetched and has no such key */
	KEYSET_UNAVAILABLE /* the set could not be had */
};

/* keyset_find: the set that has the key with this name, in the ctx's memory, only when it is found.
 * Records no failure. */
enum keyset_verdict keyset_find(struct ctx *c, const char *kid, const struct json **ret);
/* keyset_forget: what the process remembers is gone; for its end. */
void keyset_forget(void);

#endif
