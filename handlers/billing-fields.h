/*
 * billing-fields.h - what billing is asked and what it answers: tables for billing.c alone.
 */
#ifndef HANDLERS_BILLING_FIELDS_H
#define HANDLERS_BILLING_FIELDS_H

#include "web/field.h"

/* ---- input ---------------------------------------------------------- */

#define PAGE_FIELDS                                                                                \
	FIELD(after, QUERY, T_CURSOR, .doc = "next_cursor of the page before."),                   \
	    FIELD(limit, QUERY, T_INT, .min = 1, .max = 100, .dflt = "20", .doc = "Page size.")

static const struct field usage_fields[] = {
	FIELD(from, QUERY, T_TIME, .doc = "From this time on; without it the present period."),
	FIELD(to, QUERY, T_TIME, .doc = "Before this time; at most 366 days later."),
	FIELD(group_by, QUERY, T_ENUM, VALUES("day", "kind"), .dflt = "day",
	    .doc = "Days of UTC, or kinds of usage."),
};

static const struct field usage_calls_fields[] = {
	FIELD(from, QUERY, T_TIME, .doc = "From this time on; without it the present period."),
	FIELD(to, QUERY, T_TIME, .doc = "Before this time; at most 366 days later."),
	FIELD(overage, QUERY, T_BOOL,
	    .doc = "Only calls that lie beyond the plan, or only others."),
	PAGE_FIELDS,
};

static const struct field invoices_fields[] = {
	FIELD(status, QUERY, T_STR, .max = 50, .doc = "Only these: draft, open, paid, void, ..."),
	PAGE_FIELDS,
};

static const struct field invoice_fields[] = {
	FIELD(invoice_id, PATH, T_UUID, .required = true, .doc = "The invoice."),
};

static const struct field events_fields[] = {
	FIELD(type, QUERY, T_STR, .max = 100, .doc = "Only these: invoice_paid, plan_changed, ..."),
	PAGE_FIELDS,
};

struct portal_in {
	const char *return_url;
};

static const struct field portal_fields[] = {
	FIELD(return_url, BODY, T_STR, INTO(struct portal_in, return_url), .max = 2000,
	    .doc = "Where people come back to, below APP_URL or FRONTEND_URL."),
};

static const struct field preview_fields[] = {
	FIELD(plan_id, BODY, T_UUID, .required = true, .doc = "The plan."),
};

static const struct field plan_fields[] = {
	FIELD(plan_id, BODY, T_UUID, .required = true,
	    .doc = "The plan; the present one takes a change back that waits."),
	FIELD(preview_at, BODY, T_TIME,
	    .doc = "preview_at of a preview of the last hour: what it said is asked, to the cent."),
};

static const struct field cancel_fields[] = {
	FIELD(at_period_end, BODY, T_BOOL, .dflt = "true",
	    .doc = "false: at once; nothing is paid back."),
	FIELD(reason, BODY, T_STR, .max = 500, .doc = "Why, in one's own words."),
};

/* ---- answers -------------------------------------------------------- */

/* public.plan_view */
#define PLAN_MEMBERS                                                                               \
	FIELD(id, OUT, T_UUID, .required = true, .doc = "The plan."),                              \
	    FIELD(name, OUT, T_STR, .required = true, .doc = "What it is called."),                \
	    FIELD(tier, OUT, T_STR, .required = true,                                              \
		.doc = "A monthly and a yearly plan may be of one tier."),                         \
	    FIELD(rank, OUT, T_INT, .required = true, .doc = "A greater one is an upgrade."),      \
	    FIELD(description, OUT, T_STR, .required = true, .nullable = true,                     \
		.doc = "What it is for."),                                                         \
	    FIELD(interval, OUT, T_ENUM, VALUES("monthly", "yearly"), .required = true,            \
		.doc = "How long a period is."),                                                   \
	    FIELD(currency, OUT, T_STR, .required = true, .doc = "ISO 4217, in small letters."),   \
	    FIELD(amount, OUT, T_INT, .max = INT64_MAX, .required = true,                          \
		.doc = "What a period costs, in the currency's smallest unit."),                   \
	    FIELD(call_limit, OUT, T_INT, .required = true, .nullable = true,                      \
		.doc = "Calls in a period; null: no limit."),                                      \
	    FIELD(minutes_limit, OUT, T_INT, .required = true, .nullable = true,                   \
		.doc = "Minutes in a period; null: no limit."),                                    \
	    FIELD(number_limit, OUT, T_INT, .required = true, .nullable = true,                    \
		.doc = "Phone numbers at once; null: no limit."),                                  \
	    FIELD(limit_mode, OUT, T_ENUM, VALUES("hard", "soft"), .required = true,               \
		.doc = "hard: at its limits nothing more is dialled; soft: it goes on."),          \
	    FIELD(overage_amount, OUT, T_NUMBER, .required = true, .nullable = true,               \
		.doc = "A further minute in the smallest unit, perhaps with a fraction; null: "    \
		       "none is sold."),                                                           \
	    FIELD(increment_seconds, OUT, T_INT, .required = true,                                 \
		.doc = "A call's seconds are rounded up to a multiple of this."),                  \
	    FIELD(trial_days, OUT, T_INT, .required = true, .doc = "Days before the first bill."), \
	    FIELD(features, OUT, T_ARRAY, .required = true, .doc = "What else it has."),           \
	    FIELD(is_default, OUT, T_BOOL, .required = true,                                       \
		.doc = "What one has who pays for nothing."),                                      \
	    FIELD(on_sale, OUT, T_BOOL, .required = true, .doc = "Whether it can be taken.")

static const struct field plan_out[] = {
	ABOUT("What a plan holds and costs."),
	PLAN_MEMBERS,
};

static const struct field plan_on_sale_out[] = {
	ABOUT("A plan that can be taken, or that you have."),
	PLAN_MEMBERS,
	FIELD(current, OUT, T_BOOL, .required = true, .doc = "Whether you have it."),
};

/* public.subscription_view */
static const struct field subscription_out[] = {
	ABOUT("A subscription: who takes the money, how it stands, what comes behind its period."),
	FIELD(id, OUT, T_UUID, .required = true, .doc = "The subscription."),
	FIELD(origin, OUT, T_ENUM, VALUES("manual", "stripe", "paddle"), .required = true,
	    .doc = "Who takes the money; manual: nobody."),
	FIELD(status, OUT, T_STR, .required = true,
	    .doc = "active, trialing, past_due, unpaid, paused, ..."),
	FIELD(plan_id, OUT, T_UUID, .required = true, .nullable = true,
	    .doc = "Its plan; null: its price stands for none."),
	FIELD(period_start, OUT, T_TIME, .required = true, .nullable = true,
	    .doc = "The present period's begin."),
	FIELD(period_end, OUT, T_TIME, .required = true, .nullable = true, .doc = "And its end."),
	FIELD(trial_end, OUT, T_TIME, .required = true, .nullable = true,
	    .doc = "When the trial ends, or did."),
	FIELD(cancel_at_period_end, OUT, T_BOOL, .required = true,
	    .doc = "Whether it ends with its period."),
	FIELD(cancel_at, OUT, T_TIME, .required = true, .nullable = true,
	    .doc = "When it is to end."),
	FIELD(past_due_since, OUT, T_TIME, .required = true, .nullable = true,
	    .doc = "A bill is unpaid since then."),
	FIELD(next_plan, OUT, T_OBJECT, MEMBERS(plan_out), .required = true, .nullable = true,
	    .doc = "What it becomes when the period ends; null: what it is."),
};

/* public.usage_view */
static const struct field usage_now_out[] = {
	ABOUT("What was used of the present period, and what is left."),
	FIELD(period_start, OUT, T_TIME, .required = true, .nullable = true,
	    .doc = "The period's begin."),
	FIELD(period_end, OUT, T_TIME, .required = true, .nullable = true, .doc = "And its end."),
	FIELD(calls, OUT, T_INT, .max = INT64_MAX, .required = true, .doc = "Calls that ended."),
	FIELD(calls_waiting, OUT, T_INT, .max = INT64_MAX, .required = true,
	    .doc = "Calls that wait or are under way; they count against the limit."),
	FIELD(call_limit, OUT, T_INT, .required = true, .nullable = true,
	    .doc = "The plan's; null: none."),
	FIELD(calls_left, OUT, T_INT, .max = INT64_MAX, .required = true, .nullable = true,
	    .doc = "Calls that can still be ordered; null: no limit."),
	FIELD(seconds, OUT, T_INT, .max = INT64_MAX, .required = true, .doc = "Seconds spoken."),
	FIELD(billable_seconds, OUT, T_INT, .max = INT64_MAX, .required = true,
	    .doc = "The same, each call rounded up as the plan says."),
	FIELD(minutes, OUT, T_INT, .max = INT64_MAX, .required = true,
	    .doc = "Billable minutes, the last one begun."),
	FIELD(minutes_limit, OUT, T_INT, .required = true, .nullable = true,
	    .doc = "The plan's; null: none."),
	FIELD(minutes_left, OUT, T_INT, .max = INT64_MAX, .required = true, .nullable = true,
	    .doc = "Minutes that the plan still includes; null: no limit."),
	FIELD(overage_seconds, OUT, T_INT, .max = INT64_MAX, .required = true,
	    .doc = "Billable seconds beyond the plan."),
	FIELD(overage_amount, OUT, T_INT, .max = INT64_MAX, .required = true,
	    .doc = "What they cost, in the smallest unit."),
};

/* public.upcoming_view */
static const struct field upcoming_out[] = {
	ABOUT("What the next invoice will ask for as things stand, without taxes and discounts."),
	FIELD(at, OUT, T_TIME, .required = true, .nullable = true, .doc = "When it is made."),
	FIELD(currency, OUT, T_STR, .required = true, .doc = "ISO 4217, in small letters."),
	FIELD(plan_amount, OUT, T_INT, .max = INT64_MAX, .required = true,
	    .doc = "The plan's next period."),
	FIELD(overage_amount, OUT, T_INT, .max = INT64_MAX, .required = true,
	    .doc = "What was used beyond the plan up to now."),
	FIELD(amount, OUT, T_INT, .max = INT64_MAX, .required = true, .doc = "Both."),
};

/* public.billing_view */
static const struct field billing_out[] = {
	ABOUT("An organization's plan, and how it stands."),
	FIELD(organization_id, OUT, T_UUID, .required = true, .doc = "The organization."),
	FIELD(plan, OUT, T_OBJECT, MEMBERS(plan_out), .required = true, .nullable = true,
	    .doc = "The plan that it has; null: none."),
	FIELD(may_call, OUT, T_BOOL, .required = true,
	    .doc = "Whether the subscription lets calls be made."),
	FIELD(subscription, OUT, T_OBJECT, MEMBERS(subscription_out), .required = true,
	    .nullable = true, .doc = "Its subscription."),
	FIELD(standing, OUT, T_ENUM, VALUES("good", "past_due", "read_only", "suspended"),
	    .required = true, .doc = "How it stands with its bills."),
	FIELD(standing_since, OUT, T_TIME, .required = true, .nullable = true, .doc = "Since."),
	FIELD(usage, OUT, T_OBJECT, MEMBERS(usage_now_out), .required = true,
	    .doc = "What was used, and what is left."),
	FIELD(payment_method, OUT, T_OBJECT, .required = true, .nullable = true,
	    .doc = "How it pays: type, brand, last4, exp_month, exp_year; null: not known, or "
		   "nothing to be seen without billing:read."),
	FIELD(upcoming, OUT, T_OBJECT, MEMBERS(upcoming_out), .required = true, .nullable = true,
	    .doc = "The next invoice; null: there will be none."),
};

/* public.usage_grouped */
#define USAGE_MEMBERS                                                                              \
	FIELD(calls, OUT, T_INT, .max = INT64_MAX, .required = true, .doc = "Calls that ended."),  \
	    FIELD(seconds, OUT, T_INT, .max = INT64_MAX, .required = true,                         \
		.doc = "Seconds spoken."),                                                         \
	    FIELD(billable_seconds, OUT, T_INT, .max = INT64_MAX, .required = true,                \
		.doc = "The same, each call rounded up as the plan says."),                        \
	    FIELD(overage_seconds, OUT, T_INT, .max = INT64_MAX, .required = true,                 \
		.doc = "Of them those beyond the plan."),                                          \
	    FIELD(carried_calls, OUT, T_INT, .max = INT64_MAX, .required = true,                   \
		.doc = "Calls of an earlier period, learnt after its invoice.")

static const struct field usage_total_out[] = {
	ABOUT("What was used in all."),
	USAGE_MEMBERS,
};

static const struct field usage_group_out[] = {
	ABOUT("What was used on a day, or of a kind."),
	FIELD(key, OUT, T_STR, .required = true, .doc = "The day, or the kind: calls, seconds."),
	USAGE_MEMBERS,
};

static const struct field usage_out[] = {
	ABOUT("What was used in a stretch of time."),
	FIELD(from, OUT, T_TIME, .required = true, .doc = "From this time on."),
	FIELD(to, OUT, T_TIME, .required = true, .doc = "Before this time."),
	FIELD(group_by, OUT, T_STR, .required = true, .doc = "What the groups are."),
	FIELD(total, OUT, T_OBJECT, MEMBERS(usage_total_out), .required = true, .doc = "All."),
	FIELD(groups, OUT, T_ARRAY, MEMBERS(usage_group_out), .required = true,
	    .doc = "Each of them; one without usage is not there."),
};

/* public.usage_call_view */
static const struct field usage_call_out[] = {
	ABOUT("A call as the ledger has it."),
	FIELD(call_id, OUT, T_UUID, .required = true, .doc = "The call."),
	FIELD(user_id, OUT, T_UUID, .required = true, .nullable = true, .doc = "Who ordered it."),
	FIELD(ended_at, OUT, T_TIME, .required = true, .doc = "When it ended."),
	FIELD(billed_at, OUT, T_TIME, .required = true,
	    .doc = "The period that holds this moment is the one that it is billed in."),
	FIELD(seconds, OUT, T_INT, .max = INT64_MAX, .required = true, .doc = "Its seconds."),
	FIELD(billable_seconds, OUT, T_INT, .max = INT64_MAX, .required = true,
	    .doc = "Rounded up as the plan says."),
	FIELD(overage_seconds, OUT, T_INT, .max = INT64_MAX, .required = true,
	    .doc = "Of them those beyond the plan."),
	FIELD(carried, OUT, T_BOOL, .required = true,
	    .doc = "Whether it was learnt after the invoice of its own period."),
};

/* public.invoice_view */
#define MONEY(n, ...)                                                                              \
	FIELD(n, OUT, T_INT, .min = INT64_MIN, .max = INT64_MAX, .required = true, __VA_ARGS__)
#define INVOICE_MEMBERS                                                                            \
	FIELD(id, OUT, T_UUID, .required = true, .doc = "The invoice."),                           \
	    FIELD(provider, OUT, T_STR, .required = true, .doc = "Who made it: stripe, paddle."),  \
	    FIELD(number, OUT, T_STR, .required = true, .nullable = true,                          \
		.doc = "Its number; null: a draft."),                                              \
	    FIELD(status, OUT, T_STR, .required = true,                                            \
		.doc = "The provider's word: draft, open, paid, void, uncollectible, ..."),        \
	    FIELD(billing_reason, OUT, T_STR, .required = true, .nullable = true,                  \
		.doc = "What it was made for."),                                                   \
	    FIELD(currency, OUT, T_STR, .required = true, .doc = "ISO 4217, in small letters."),   \
	    MONEY(total, .doc = "All of it, in the smallest unit."),                               \
	    MONEY(tax, .nullable = true, .doc = "Of it the taxes; null: not told."),               \
	    MONEY(amount_due, .doc = "What is asked for."),                                        \
	    MONEY(amount_paid, .doc = "What was paid."),                                           \
	    MONEY(amount_remaining, .doc = "What is still to be paid."),                           \
	    MONEY(refunded, .doc = "What was paid back."),                                         \
	    FIELD(period_start, OUT, T_TIME, .required = true, .nullable = true,                   \
		.doc = "The begin of what it is for."),                                            \
	    FIELD(period_end, OUT, T_TIME, .required = true, .nullable = true,                     \
		.doc = "And the end."),                                                            \
	    FIELD(issued_at, OUT, T_TIME, .required = true, .doc = "Made at this time."),          \
	    FIELD(paid_at, OUT, T_TIME, .required = true, .nullable = true,                        \
		.doc = "When it was paid."),                                                       \
	    FIELD(attempt_count, OUT, T_INT, .required = true,                                     \
		.doc = "How often the payment was tried."),                                        \
	    FIELD(next_attempt_at, OUT, T_TIME, .required = true, .nullable = true,                \
		.doc = "When it is tried again."),                                                 \
	    FIELD(hosted_url, OUT, T_STR, .required = true, .nullable = true,                      \
		.doc = "Where it can be looked at and paid."),                                     \
	    FIELD(pdf_url, OUT, T_STR, .required = true, .nullable = true, .doc = "As a file.")

static const struct field invoice_line_out[] = {
	ABOUT("An invoice."),
	INVOICE_MEMBERS,
};

/* public.invoice_line_view */
static const struct field invoice_item_out[] = {
	ABOUT("A line of an invoice."),
	FIELD(description, OUT, T_STR, .required = true, .nullable = true, .doc = "What it is."),
	MONEY(amount, .doc = "What it costs, in the smallest unit; below 0: a credit."),
	FIELD(quantity, OUT, T_INT, .max = INT64_MAX, .required = true, .nullable = true,
	    .doc = "How many: seconds, where minutes beyond the plan are billed."),
	FIELD(proration, OUT, T_BOOL, .required = true,
	    .doc = "Whether it is for a part of a period, because the plan changed."),
	FIELD(period_start, OUT, T_TIME, .required = true, .nullable = true,
	    .doc = "The begin of what it is for."),
	FIELD(period_end, OUT, T_TIME, .required = true, .nullable = true, .doc = "And the end."),
};

static const struct field invoice_out[] = {
	ABOUT("An invoice with its lines."),
	INVOICE_MEMBERS,
	FIELD(lines, OUT, T_ARRAY, MEMBERS(invoice_item_out), .required = true,
	    .doc = "Its lines."),
};

/* public.billing_event_view */
static const struct field billing_event_out[] = {
	ABOUT("Something that happened with the money."),
	FIELD(id, OUT, T_UUID, .required = true, .doc = "The event."),
	FIELD(type, OUT, T_STR, .required = true,
	    .doc = "invoice_paid, payment_failed, plan_changed, period_closed, ..."),
	FIELD(provider, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "From whom it was learnt; null: our own doing."),
	MONEY(amount, .nullable = true, .doc = "How much, in the smallest unit; null: no money."),
	FIELD(currency, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "ISO 4217, in small letters."),
	FIELD(external_invoice_id, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "The provider's id of the invoice."),
	FIELD(external_subscription_id, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "The provider's id of the subscription."),
	FIELD(details, OUT, T_OBJECT, .required = true, .doc = "What else there is to say."),
	FIELD(occurred_at, OUT, T_TIME, .required = true, .doc = "When it happened."),
	FIELD(created_at, OUT, T_TIME, .required = true, .doc = "When it was learnt."),
};

static const struct field portal_out[] = {
	ABOUT("Where a customer looks after his cards and invoices."),
	FIELD(url, OUT, T_STR, .required = true,
	    .doc = "The address; it is good for a short time."),
};

/* public.plan_preview_view */
static const struct field plan_preview_out[] = {
	ABOUT("What another plan would cost."),
	FIELD(plan_id, OUT, T_UUID, .required = true, .doc = "The plan."),
	FIELD(kind, OUT, T_ENUM, VALUES("none", "back", "end", "upgrade", "downgrade"),
	    .required = true,
	    .doc = "What it would be: nothing new, a change taken back, the end of paying, now, or "
		   "when the period ends."),
	FIELD(preview_at, OUT, T_TIME, .required = true,
	    .doc = "The moment it is reckoned for; the change takes it."),
	FIELD(effective_at, OUT, T_TIME, .required = true, .doc = "When the plan would hold."),
	FIELD(currency, OUT, T_STR, .required = true, .doc = "ISO 4217, in small letters."),
	MONEY(amount_due, .doc = "What would be asked at once, in the smallest unit."),
	MONEY(total, .doc = "The same before what is left from earlier payments."),
	MONEY(tax, .nullable = true, .doc = "Of it the taxes; null: not told."),
	FIELD(lines, OUT, T_ARRAY, MEMBERS(invoice_item_out), .required = true,
	    .doc = "How it comes about."),
	MONEY(next_amount, .doc = "What each period costs from then on."),
	FIELD(next_at, OUT, T_TIME, .required = true, .doc = "When that is asked first."),
};

#endif
