/*
 * fuzz_mail.c - any bytes as the answer of somebody who takes mails, or as a mail's own words:
 * nothing is claimed that was not told, and no word makes a line of its own.
 *
 * The first byte says which; for answers the second gives the status and the rest is the body, for
 * mails lines give sender, receiver, subject, key, and the rest is the text.
 */
#include "peers/mail_message.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool good)
{
	if (!good)
		abort();
}

static void
answer(struct mem *m, const struct mail_provider *p, const uint8_t *data, size_t size)
{
	static const int statuses[] = { 200, 201, 250, 301, 354, 400, 401, 403, 404, 409, 421, 422,
		429, 450, 451, 500, 503, 530, 535, 550, 554 };
	const struct mail mail = { .from = "a@example.com", .key = "k" };
	struct fetch_answer in = { .outcome = FETCH_ANSWERED, .retry_after = -1 };
	struct mail_outcome o;
	bool success;

	in.status = statuses[data[0] % COUNT(statuses)];
	in.body = (struct span){ (const char *)data + 1, size - 1 };
	success = in.status >= 200 && in.status < 300;
	p->sent(m, &mail, &in, &o);
	check((o.result == MAIL_SENT) == (o.id != NULL) && (o.result == MAIL_SENT) == !o.reason);
	check(o.result != MAIL_SENT || success);
	check(o.result != MAIL_FAILED || (in.status >= 400 && o.retry_after == -1));
	check(p != &mail_resend || in.status < 500 || o.result == MAIL_UNKNOWN);
}

/* The lines of a header are ours alone; the next line is shorter than 78 and ends as it should. */
static const char *
check_line(const char *s, bool head)
{
	static const char *const names[] = { "Date: ", "From: ", "To: ", "Subject: ",
		"Message-ID: ", "Auto-Submitted: ", "MIME-Version: ", "Content-", " ", "\r\n" };
	const char *end = strstr(s, "\r\n");
	bool known = !head;

	check(end && (size_t)(end - s) == strcspn(s, "\r\n") && *s != '.');
	/* An address may be longer than a line should be; it cannot be cut. */
	check(end - s <= 78 || memchr(s, '@', (size_t)(end - s)));
	for (size_t i = 0; i < COUNT(names); i++)
		known = known || strncmp(s, names[i], strlen(names[i])) == 0;
	check(known);
	return end + 2;
}

static void
message(struct mem *m, char *s)
{
	CLEANUP(text_clear) struct text t = TEXT(1 << 22);
	const char *parts[4], *line;
	struct mail mail;
	bool head = true;

	for (size_t i = 0; i < COUNT(parts); i++) {
		parts[i] = s;
		s += strcspn(s, "\n");
		if (*s)
			*s++ = '\0';
	}
	mail = (struct mail){ .from = parts[0],
		.to = parts[1],
		.subject = parts[2],
		.key = parts[3],
		.text = s,
		.html = s,
		.at_ms = 1789997490000 };
	if (mail_message(m, &mail, &t) != 0) {
		check(t.len == 0);
		return;
	}
	for (line = text_str(&t); *line;) {
		head = head && strncmp(line, "\r\n", 2) != 0;
		line = check_line(line, head);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mem *m;

	if (size < 2)
		return 0;
	m = mem_new((size_t)64 << 20);
	check(m != NULL);
	if (data[0] == 'r')
		answer(m, &mail_resend, data + 1, size - 1);
	else if (data[0] == 's')
		answer(m, &mail_smtp, data + 1, size - 1);
	else
		message(m, mem_dup(m, (const char *)data + 1, size - 1));
	mem_free(m);
	return 0;
}
