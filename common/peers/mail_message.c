/*
 * mail_message.c - a mail as RFC 5322 wants it: encoded words in headers, quoted-printable parts.
 *
 * Whatever stands in a mail, only this file writes its line ends.
 */
#include "peers/mail_message.h"

#include "lib/crypto.h"

#include <errno.h>
#include <string.h>
#include <time.h>

/* What is encoded of one word: with its frame and "Subject: " it is 76 long at most. */
enum { WORD_BYTES = 39, LINE_MAX_QP = 76, DIGEST_BYTES = 16 };

/* ---- addresses ------------------------------------------------------ */

static int
copy_trimmed(const char *s, size_t n, char *ret, size_t size)
{
	while (n > 0 && s[n - 1] == ' ')
		n--;
	while (n > 0 && s[0] == ' ') {
		s++;
		n--;
	}
	if (n > 1 && s[0] == '"' && s[n - 1] == '"') {
		s++;
		n -= 2;
	}
	if (n >= size || !utf8_valid(s, n))
		return -1;
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)s[i] < ' ' || s[i] == 0x7f || strchr("<>\"\\", s[i]))
			return -1;
	}
	memcpy(ret, s, n);
	ret[n] = '\0';
	return 0;
}

int
mail_split(const char *s, struct mail_address *ret)
{
	const char *open = s ? strchr(s, '<') : NULL;
	size_t n = s ? strlen(s) : 0;
	struct mail_address a = { .name = "" };

	if (n == 0)
		return -1;
	if (open &&
	    (s[n - 1] != '>' || copy_trimmed(s, (size_t)(open - s), a.name, sizeof(a.name))))
		return -1;
	if (open) {
		n = strlen(open) - 2;
		s = open + 1;
	}
	if (n >= sizeof(a.address))
		return -1;
	memcpy(a.address, s, n);
	a.address[n] = '\0';
	if (!mail_is_address(a.address))
		return -1;

	*ret = a;
	ret->domain = strrchr(ret->address, '@') + 1;
	return 0;
}

/* ---- headers -------------------------------------------------------- */

static bool
is_plain(const char *s)
{
	for (; *s; s++) {
		if ((unsigned char)*s < ' ' || (unsigned char)*s > 0x7e)
			return false;
	}
	return true;
}

/* RFC 2047: words of base64, cut between characters. */
static void
put_encoded(struct text *t, const char *s)
{
	char word[WORD_BYTES / 3 * 4 + 5];
	size_t n = strlen(s), len;

	for (; n > 0; s += len, n -= len) {
		len = n < WORD_BYTES ? n : WORD_BYTES;
		while (len < n && ((unsigned char)s[len] & 0xc0) == 0x80)
			len--;
		crypto_base64((const unsigned char *)s, len, word, sizeof(word));
		text_printf(t, "=?UTF-8?B?%s?=%s", word, len < n ? "\r\n " : "");
	}
}

/* Plain where it may stay so: short, ASCII, and nothing that looks encoded already. */
static void
put_words(struct text *t, const char *s, bool quoted)
{
	if (strlen(s) > 60 || !is_plain(s) || strstr(s, "=?"))
		put_encoded(t, s);
	else
		text_printf(t, quoted ? "\"%s\"" : "%s", s);
}

static void
put_date(struct text *t, int64_t at_ms)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t s = (time_t)(at_ms / 1000);
	struct tm tm;

	gmtime_r(&s, &tm);
	text_printf(t, "Date: %.3s, %02d %.3s %04d %02d:%02d:%02d +0000\r\n", days + 3 * tm.tm_wday,
	    tm.tm_mday, months + 3 * tm.tm_mon, tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
	    tm.tm_sec);
}

static int
digest_of(const char *key, char ret[2 * DIGEST_BYTES + 1])
{
	unsigned char sum[SHA256_LEN];

	if (crypto_sha256(span_of(key), sum) != 0)
		return -1;
	crypto_hex(sum, DIGEST_BYTES, ret);
	return 0;
}

const char *
mail_message_id(struct mem *m, const char *key, const char *domain)
{
	char hex[2 * DIGEST_BYTES + 1];

	return digest_of(key, hex) == 0 ? mem_printf(m, "<%s@%s>", hex, domain) : NULL;
}

/* ---- parts ---------------------------------------------------------- */

/* What stands for the byte at s: itself, or "=XX".  A space at a line's end would be lost, a dot or
 * "From" at its beginning means something to some servers. */
static size_t
quote(const char *s, size_t column, char ret[4])
{
	unsigned char c = (unsigned char)*s;
	bool end = s[1] == '\0' || s[1] == '\n' || s[1] == '\r';
	bool odd = c < ' ' || c > 0x7e || c == '=' || (c == ' ' && end) ||
	    (column == 0 && (c == '.' || c == 'F'));

	if (odd)
		return (size_t)snprintf(ret, 4, "=%02X", c);
	ret[0] = (char)c;
	ret[1] = '\0';
	return 1;
}

static void
put_quoted(struct text *t, const char *s)
{
	size_t column = 0, n;
	char buf[4];

	for (; *s; s++) {
		if (*s == '\r' && s[1] == '\n')
			continue;
		if (*s == '\n') {
			text_puts(t, "\r\n");
			column = 0;
			continue;
		}
		n = quote(s, column, buf);
		if (column + n >= LINE_MAX_QP) {
			text_puts(t, "=\r\n");
			n = quote(s, 0, buf);
			column = 0;
		}
		text_put(t, buf, n);
		column += n;
	}
	text_puts(t, "\r\n");
}

/* "=_" is never written by quoted-printable, so no text can hold the boundary. */
static void
put_part(struct text *t, const char *boundary, const char *type, const char *content)
{
	text_printf(t,
	    "--=_%s\r\nContent-Type: %s; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n",
	    boundary, type);
	put_quoted(t, content);
}

int
mail_message(struct mem *m, const struct mail *in, struct text *ret)
{
	char boundary[2 * DIGEST_BYTES + 1];
	struct mail_address from;
	const char *id;

	if (!mail_can(in) || mail_split(in->from, &from) != 0) {
		errno = EINVAL;
		return -1;
	}
	id = mail_message_id(m, in->key, from.domain);
	if (!id || digest_of(in->key, boundary) != 0) {
		errno = ENOMEM;
		return -1;
	}

	put_date(ret, in->at_ms);
	text_puts(ret, "From: ");
	if (from.name[0] != '\0')
		put_words(ret, from.name, true);
	text_printf(ret, from.name[0] != '\0' ? "\r\n <%s>\r\n" : "%s\r\n", from.address);
	text_printf(ret, "To: %s\r\nSubject: ", in->to);
	put_words(ret, in->subject, false);
	text_printf(ret,
	    "\r\nMessage-ID: %s\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: multipart/alternative;\r\n boundary=\"=_%s\"\r\n\r\n",
	    id, boundary);
	put_part(ret, boundary, "text/plain", in->text);
	put_part(ret, boundary, "text/html", in->html);
	text_printf(ret, "--=_%s--\r\n", boundary);
	errno = ENOMEM;
	return text_ok(ret) ? 0 : -1;
}
