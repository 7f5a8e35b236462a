/*
 * fuzz_field.c - any bytes as a JSON body: never a crash, and what is taken is valid JSON again.
 */
#include "lib/json.h"
#include "web/bind.h"

#include <assert.h>
#include <stdint.h>

static const struct field item[] = {
	FIELD(number, BODY, T_E164, .required = true, .doc = "x"),
	FIELD(id, BODY, T_UUID, .doc = "x"),
	FIELD(at, BODY, T_TIME, .doc = "x"),
	FIELD(mail, BODY, T_EMAIL, .doc = "x"),
	FIELD(text, BODY, T_STR, .max = 20, .nullable = true, .doc = "x"),
	FIELD(priority, BODY, T_INT, .min = 0, .max = 1000, .dflt = "5", .doc = "x"),
	FIELD(share, BODY, T_NUMBER, .doc = "x"),
	FIELD(flag, BODY, T_BOOL, .doc = "x"),
	FIELD(kind, BODY, T_ENUM, VALUES("a", "b"), .doc = "x"),
	FIELD(after, BODY, T_CURSOR, .doc = "x"),
	FIELD(any, BODY, T_OBJECT, .doc = "x"),
};

static const struct field table[] = {
	FIELD(one, BODY, T_OBJECT, MEMBERS(item), .doc = "x"),
	FIELD(many, BODY, T_ARRAY, MEMBERS(item), .max = 10, .doc = "x"),
	FIELD(list, BODY, T_ARRAY, .doc = "x"),
	FIELD(any, BODY, T_OBJECT, .doc = "x"),
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was taken is written, read again, and taken again: it must come out the same. */
static void
take_again(struct ctx *c, struct form *form, const struct text *first)
{
	CLEANUP(text_clear) struct text second = TEXT(1 << 24);
	struct value values[COUNT(table)] = { { .given = false } };

	form->values = values;
	assert(bind_body(c, form, (struct span){ first->data, first->len }) == 0);
	assert(c->failure.err == ERR_NONE);
	form_write(&second, form);
	assert(span_equal((struct span){ first->data, first->len },
	    (struct span){ second.data, second.len }));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(text_clear) struct text t = TEXT(1 << 24);
	CLEANUP(ctx_free) struct ctx c = { .mem = NULL };
	struct value values[COUNT(table)] = { { .given = false } };
	struct form form = { table, COUNT(table), values };

	if (ctx_init(&c, 1 << 26) < 0)
		return 0;
	if (bind_body(&c, &form, (struct span){ (const char *)data, size }) < 0) {
		assert(c.failure.err != ERR_NONE && c.failure.status == 400);
		return 0;
	}
	if (c.failure.err != ERR_NONE)
		return 0;
	form_write(&t, &form);
	assert(text_ok(&t) && utf8_valid(t.data, t.len));
	take_again(&c, &form, &t);
	return 0;
}
