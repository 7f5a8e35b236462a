/*
 * mail_message.h - a mail as RFC 5322 wants it: headers, and text and HTML as MIME.
 */
#ifndef PEERS_MAIL_MESSAGE_H
#define PEERS_MAIL_MESSAGE_H

#include "base/text.h"
#include "peers/mail.h"

/* "Name <a@b>" taken apart; all pieces end in a NUL. */
struct mail_address {
	char name[129]; /* "" when there is none */
	char address[255];
	const char *domain; /* within address */
};

/* mail_split: -1 when s is neither an address nor a name with one. */
int mail_split(const char *s, struct mail_address *ret);
/* mail_message_id: "<...@domain>", always the same for the same key; in m.  NULL: ENOMEM. */
const char *mail_message_id(struct mem *m, const char *key, const char *domain);
/* mail_message: appends the whole message, its lines ended by CRLF, none longer than 78.  -1 with
 * errno when it is none that mail_can() takes. */
int mail_message(struct mem *m, const struct mail *in, struct text *ret);

#endif
