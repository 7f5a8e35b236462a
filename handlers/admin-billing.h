/*
 * admin-billing.h - what admin takes and answers of money: plans, subscriptions by hand, the books.
 * Tables for admin.c alone.
 */
#ifndef HANDLERS_ADMIN_BILLING_H
#define HANDLERS_ADMIN_BILLING_H

#include "admin-fields.h"

enum {
	CENTS_MAX = 99999999,
	LIMIT_MAX = 1000000000,
	RANK_MAX = 1000000,
	OVERAGE_MAX = 1000000,
	INCREMENT_MAX = 3600,
	TRIAL_MAX = 730
};

#define INTERVALS VALUES("monthly", "yearly")
#define LIMIT_MODES VALUES("hard", "soft")
#define MONEY_PROVIDERS VALUES("stripe", "paddle")
#define PRICE_KINDS VALUES("base", "overage")

/* ---- plans: taken ------------------------------------------------------------- */

#define PLAN_ID FIELD(plan_id, PATH, T_UUID, .required = true, .doc = "The plan.")

#define PLAN_WORDS                                                                                 \
	FIELD(description, BODY, T_STR, .max = 1000, .nullable = true, .doc = "What it is for."),  \
	    FIELD(tier, BODY, T_STR, .min = 1, .max = 100,                                         \
		.doc =                                                                             \
		    "What its subscriptions say as tier; its name, unless told otherwise. Stays "  \
		    "while somebody has it."),                                                     \
	    FIELD(rank, BODY, T_INT, .min = 0, .max = RANK_MAX,                                    \
		.doc = "From a smaller to a greater one is an upgrade, which counts at once."),    \
	    FIELD(features, BODY, T_ARRAY, ITEMS(T_STR, .min = 1, .max = 200), .max = 100,         \
		.doc = "What it brings, in words for people.")

#define PLAN_LIMITS                                                                                \
	FIELD(call_limit, BODY, T_INT, .min = 0, .max = LIMIT_MAX, .nullable = true,               \
	    .doc = "Calls in a period; null: no limit."),                                          \
	    FIELD(minutes_limit, BODY, T_INT, .min = 0, .max = LIMIT_MAX, .nullable = true,        \
		.doc = "Minutes in a period; null: no limit."),                                    \
	    FIELD(number_limit, BODY, T_INT, .min = 0, .max = LIMIT_MAX, .nullable = true,         \
		.doc = "Phone numbers at once; null: no limit. 0, unless told otherwise."),        \
	    FIELD(limit_mode, BODY, T_ENUM, LIMIT_MODES,                                           \
		.doc = "hard: at its limits nothing more is dialled; soft: it goes on."),          \
	    FIELD(overage_cents, BODY, T_NUMBER, .min = 0, .max = OVERAGE_MAX, .nullable = true,   \
		.doc = "A further minute, in the currency's smallest unit, with up to four "       \
		       "decimals; 0 or null: none is sold."),                                      \
	    FIELD(increment_seconds, BODY, T_INT, .min = 1, .max = INCREMENT_MAX,                  \
		.doc = "A call's seconds are rounded up to a multiple of this."),                  \
	    FIELD(trial_days, BODY, T_INT, .min = 0, .max = TRIAL_MAX,                             \
		.doc = "Days that who takes it has for nothing."),                                 \
	    FIELD(is_default, BODY, T_BOOL,                                                        \
		.doc = "true: what an organization has that pays for nothing. It costs nothing, "  \
		       "and takes the place of the one before it."),                               \
	    FIELD(on_sale, BODY, T_BOOL, .doc = "Whether it can be taken; who has it keeps it.")

static const struct field plan_create_fields[] = {
	FIELD(name, BODY, T_STR, .min = 1, .max = 100, .required = true, .doc = "Its name."),
	FIELD(price_cents, BODY, T_INT, .min = 0, .max = CENTS_MAX, .required = true,
	    .doc = "What a period costs, in the currency's smallest unit."),
	FIELD(currency, BODY, T_STR, .min = 3, .max = 3,
	    .doc = "Three small letters (ISO 4217); usd, unless told otherwise."),
	FIELD(interval, BODY, T_ENUM, INTERVALS,
	    .doc = "How long a period is; monthly, unless told otherwise."),
	PLAN_WORDS,
	PLAN_LIMITS,
	FIELD(stripe_price_id, BODY, T_STR, .min = 1, .max = 255,
	    .doc = "A price that was made at Stripe by hand; without it one is made there when "
		   "somebody takes the plan first."),
};

static const struct field plan_update_fields[] = {
	PLAN_ID,
	FIELD(name, BODY, T_STR, .min = 1, .max = 100, .doc = "Its name."),
	FIELD(price_cents, BODY, T_INT, .min = 0, .max = CENTS_MAX,
	    .doc = "What a period costs whoever takes it from now on; who pays another price goes "
		   "on with that."),
	FIELD(currency, BODY, T_STR, .min = 3, .max = 3,
	    .doc = "Three small letters (ISO 4217). Stays while somebody has it."),
	FIELD(interval, BODY, T_ENUM, INTERVALS,
	    .doc = "How long a period is. Stays while somebody has it."),
	PLAN_WORDS,
	PLAN_LIMITS,
	FIELD(stripe_price_id, BODY, T_STR, .min = 1, .max = 255,
	    .doc = "A price that was made at Stripe by hand, to be sold from now on."),
};

static const struct field plan_fields[] = { PLAN_ID };

static const struct field plan_price_fields[] = {
	PLAN_ID,
	FIELD(provider, BODY, T_ENUM, MONEY_PROVIDERS, .required = true, .doc = "Whose price."),
	FIELD(price_id, BODY, T_STR, .min = 1, .max = 255, .required = true,
	    .doc = "The price's id there."),
	FIELD(kind, BODY, T_ENUM, PRICE_KINDS, .dflt = "base",
	    .doc = "The plan itself, or what is used beyond it, by the second."),
	FIELD(active, BODY, T_BOOL, .dflt = "false",
	    .doc = "Whether it is the one that is sold from now on."),
};

/* ---- plans: answered ---------------------------------------------------------- */

static const struct field admin_plan_price_out[] = {
	ABOUT("A price at a provider that stands for a plan."),
	FIELD(provider, OUT, T_ENUM, MONEY_PROVIDERS, .required = true, .doc = "Whose price."),
	FIELD(price_id, OUT, T_STR, .required = true, .doc = "Its id there."),
	FIELD(kind, OUT, T_ENUM, PRICE_KINDS, .required = true,
	    .doc = "The plan itself, or what is used beyond it."),
	FIELD(active, OUT, T_BOOL, .required = true, .doc = "The one that is sold now."),
	FIELD(created_at, OUT, T_TIME, .required = true, .doc = "Known since."),
};

/* public.admin_plan_view */
static const struct field admin_plan_full_out[] = {
	ABOUT("A plan, as operators see one."),
	FIELD(id, OUT, T_UUID, .required = true, .doc = "The plan."),
	FIELD(name, OUT, T_STR, .required = true, .doc = "Its name."),
	FIELD(description, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "What it is for."),
	FIELD(tier, OUT, T_STR, .required = true, .doc = "What its subscriptions say as tier."),
	FIELD(rank, OUT, T_INT, .required = true,
	    .doc = "From a smaller to a greater one is an upgrade."),
	FIELD(price_cents, OUT, T_INT, .max = INT64_MAX, .required = true,
	    .doc = "What a period costs, in the currency's smallest unit."),
	FIELD(currency, OUT, T_STR, .required = true, .doc = "ISO 4217, in small letters."),
	FIELD(interval, OUT, T_ENUM, INTERVALS, .required = true, .doc = "How long a period is."),
	FIELD(features, OUT, T_ARRAY, ITEMS(T_STR), .required = true,
	    .doc = "What it brings, in words for people."),
	FIELD(call_limit, OUT, T_INT, .required = true, .nullable = true,
	    .doc = "Calls in a period; null: no limit."),
	FIELD(minutes_limit, OUT, T_INT, .required = true, .nullable = true,
	    .doc = "Minutes in a period; null: no limit."),
	FIELD(number_limit, OUT, T_INT, .required = true, .nullable = true,
	    .doc = "Phone numbers at once; null: no limit."),
	FIELD(limit_mode, OUT, T_ENUM, LIMIT_MODES, .required = true,
	    .doc = "What happens at its limits."),
	FIELD(overage_cents, OUT, T_NUMBER, .required = true, .nullable = true,
	    .doc = "A further minute, in the currency's smallest unit; null: none is sold."),
	FIELD(increment_seconds, OUT, T_INT, .required = true,
	    .doc = "A call's seconds are rounded up to a multiple of this."),
	FIELD(trial_days, OUT, T_INT, .required = true, .doc = "Days for nothing."),
	FIELD(is_default, OUT, T_BOOL, .required = true,
	    .doc = "What an organization has that pays for nothing."),
	FIELD(on_sale, OUT, T_BOOL, .required = true, .doc = "Whether it can be taken."),
	FIELD(stripe_price_id, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "Its price at Stripe; null: made when somebody takes it first."),
	FIELD(organizations, OUT, T_INT, .max = INT64_MAX, .required = true,
	    .doc = "How many have it, or will at their period's end."),
	FIELD(paying, OUT, T_INT, .max = INT64_MAX, .required = true,
	    .doc = "How many of them pay for it at Stripe or Paddle."),
	FIELD(prices, OUT, T_ARRAY, MEMBERS(admin_plan_price_out), .required = true,
	    .doc = "All prices that stand for it, old ones too."),
	FIELD(created_at, OUT, T_TIME, .required = true, .doc = "Made at this time."),
	FIELD(updated_at, OUT, T_TIME, .required = true, .doc = "Last changed at this time."),
};

/* ---- subscriptions -------------------------------------------------------------- */

static const struct field subscription_put_fields[] = {
	FIELD(organization_id, PATH, T_UUID, .required = true, .doc = "The organization."),
	FIELD(plan_id, BODY, T_UUID, .required = true, .doc = "The plan that it gets."),
	FIELD(ends_at, BODY, T_TIME, .nullable = true,
	    .doc = "Until when; null or left out: for good."),
};

static const struct field admin_plan_name_out[] = {
	ABOUT("A plan, by name."),
	FIELD(id, OUT, T_UUID, .required = true, .doc = "The plan."),
	FIELD(name, OUT, T_STR, .required = true, .doc = "Its name."),
	FIELD(tier, OUT, T_STR, .required = true, .doc = "Its tier."),
};

/* public.admin_subscription_line */
static const struct field admin_subscription_line_out[] = {
	ABOUT("A subscription, as operators see one."),
	FIELD(id, OUT, T_UUID, .required = true, .doc = "The subscription."),
	FIELD(origin, OUT, T_ENUM, VALUES("manual", "stripe", "paddle"), .required = true,
	    .doc = "Where it is paid; manual: by hand, or for nothing."),
	FIELD(status, OUT, T_STR, .required = true, .doc = "How it stands."),
	FIELD(external_status, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "The provider's own word for that."),
	FIELD(external_id, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "Its id at the provider."),
	FIELD(external_customer_id, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "The customer there."),
	FIELD(external_price_id, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "The price that is paid."),
	FIELD(plan, OUT, T_OBJECT, MEMBERS(admin_plan_name_out), .required = true, .nullable = true,
	    .doc = "What it gives; null: its price stands for no plan."),
	FIELD(next_plan, OUT, T_OBJECT, MEMBERS(admin_plan_name_out), .required = true,
	    .nullable = true, .doc = "What it becomes when the period ends; null: what it is."),
	FIELD(current, OUT, T_BOOL, .required = true, .doc = "Whether it is the one that counts."),
	FIELD(surplus, OUT, T_BOOL, .required = true,
	    .doc = "A second one at once, which is canceled and paid back."),
	FIELD(cancel_at_period_end, OUT, T_BOOL, .required = true,
	    .doc = "It ends with its period."),
	FIELD(ends_at, OUT, T_TIME, .required = true, .nullable = true,
	    .doc = "When it ends; null: that is not known."),
	FIELD(trial_end, OUT, T_TIME, .required = true, .nullable = true,
	    .doc = "Until when it is for nothing."),
	FIELD(canceled_at, OUT, T_TIME, .required = true, .nullable = true,
	    .doc = "When it was canceled."),
	FIELD(ended_at, OUT, T_TIME, .required = true, .nullable = true, .doc = "When it ended."),
	FIELD(past_due_since, OUT, T_TIME, .required = true, .nullable = true,
	    .doc = "Since when a bill is not paid."),
	FIELD(synced_at, OUT, T_TIME, .required = true, .nullable = true,
	    .doc = "When it was last read at the provider."),
	FIELD(created_at, OUT, T_TIME, .required = true, .doc = "Known since."),
};

static const struct field admin_subscription_usage_out[] = {
	ABOUT("What was used in a billing period, from the ledger."),
	FIELD(calls, OUT, T_INT, .max = INT64_MAX, .required = true, .doc = "Calls."),
	FIELD(seconds, OUT, T_INT, .max = INT64_MAX, .required = true, .doc = "How long."),
	FIELD(billable_seconds, OUT, T_INT, .max = INT64_MAX, .required = true,
	    .doc = "The same as the plan counts it."),
	FIELD(overage_seconds, OUT, T_INT, .max = INT64_MAX, .required = true,
	    .doc = "How much of that lies beyond the plan."),
};

/* public.admin_subscription_view */
static const struct field admin_subscription_out[] = {
	ABOUT("What an organization has, how it stands, and what it had before."),
	FIELD(organization_id, OUT, T_UUID, .required = true, .doc = "The organization."),
	FIELD(subscription, OUT, T_OBJECT, MEMBERS(admin_subscription_line_out), .required = true,
	    .nullable = true, .doc = "The one that counts; null: none."),
	FIELD(may_call, OUT, T_BOOL, .required = true, .doc = "Whether it opens calls."),
	FIELD(period_start, OUT, T_TIME, .required = true, .nullable = true,
	    .doc = "The billing period's begin."),
	FIELD(period_end, OUT, T_TIME, .required = true, .nullable = true, .doc = "Its end."),
	FIELD(usage, OUT, T_OBJECT, MEMBERS(admin_subscription_usage_out), .required = true,
	    .nullable = true, .doc = "What was used in it."),
	FIELD(standing, OUT, T_ENUM, VALUES("good", "past_due", "read_only", "suspended"),
	    .required = true, .doc = "How it stands with its bills."),
	FIELD(standing_since, OUT, T_TIME, .required = true, .nullable = true,
	    .doc = "Since when."),
	FIELD(invoiced_until, OUT, T_TIME, .required = true, .nullable = true,
	    .doc = "Usage up to here is on a final invoice."),
	FIELD(before, OUT, T_ARRAY, MEMBERS(admin_subscription_line_out), .required = true,
	    .doc = "The last twenty that it had before."),
};

/* ---- the books ------------------------------------------------------------------ */

static const struct field differences_fields[] = {
	FIELD(state, QUERY, T_ENUM, VALUES("open", "resolved", "all"), .dflt = "open",
	    .doc = "Those that still differ, those that agree again, or all."),
	FIELD(kind, QUERY, T_STR, .min = 1, .max = 100, .doc = "Only of this kind."),
	FIELD(organization_id, QUERY, T_UUID, .doc = "Only of this organization."),
	PAGE,
};

static const struct field difference_fields[] = {
	FIELD(difference_id, PATH, T_UUID, .required = true, .doc = "The difference."),
};

static const struct field billing_events_fields[] = {
	FIELD(organization_id, QUERY, T_UUID, .doc = "Only of this organization."),
	FIELD(event_type, QUERY, T_STR, .min = 1, .max = 100,
	    .doc = "Only of this type: invoice_paid."),
	PAGE,
};

/* public.admin_difference_view */
static const struct field admin_difference_out[] = {
	ABOUT("Where our books and a provider's do not agree."),
	FIELD(id, OUT, T_UUID, .required = true, .doc = "The difference."),
	FIELD(provider, OUT, T_STR, .required = true, .doc = "Whose books."),
	FIELD(kind, OUT, T_STR, .required = true, .doc = "What differs; see the manual."),
	FIELD(external_id, OUT, T_STR, .required = true, .doc = "The provider's id of the thing."),
	FIELD(organization_id, OUT, T_UUID, .required = true, .nullable = true,
	    .doc = "Whose it is, where that is known."),
	FIELD(ours, OUT, T_OBJECT, .required = true, .nullable = true,
	    .doc = "What we had; null: nothing."),
	FIELD(theirs, OUT, T_OBJECT, .required = true, .nullable = true,
	    .doc = "What the provider has; null: nothing."),
	FIELD(seen, OUT, T_INT, .required = true, .doc = "How often it was found."),
	FIELD(first_seen_at, OUT, T_TIME, .required = true, .doc = "First at this time."),
	FIELD(last_seen_at, OUT, T_TIME, .required = true, .doc = "Last at this time."),
	FIELD(resolved_at, OUT, T_TIME, .required = true, .nullable = true,
	    .doc = "Agreed again at this time; null: it still differs."),
};

static const struct field admin_reconcile_out[] = {
	ABOUT("A reconciliation that was started, or that goes on already."),
	FIELD(run_id, OUT, T_STR, .required = true, .doc = "Its run."),
};

/* public.admin_billing_event_view */
static const struct field admin_billing_event_out[] = {
	ABOUT("Something that happened to an organization's money."),
	FIELD(id, OUT, T_UUID, .required = true, .doc = "The event."),
	FIELD(organization_id, OUT, T_UUID, .required = true, .doc = "Whose."),
	FIELD(event_type, OUT, T_STR, .required = true, .doc = "What happened."),
	FIELD(provider, OUT, T_STR, .required = true, .nullable = true, .doc = "Where."),
	FIELD(amount_cents, OUT, T_INT, .max = INT64_MAX, .required = true, .nullable = true,
	    .doc = "How much, in the currency's smallest unit."),
	FIELD(currency, OUT, T_STR, .required = true, .nullable = true, .doc = "Of what."),
	FIELD(external_invoice_id, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "The invoice's id at the provider."),
	FIELD(external_subscription_id, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "The subscription's id there."),
	FIELD(metadata, OUT, T_OBJECT, .required = true, .doc = "More of it, by its type."),
	FIELD(occurred_at, OUT, T_TIME, .required = true, .doc = "When it happened."),
	FIELD(created_at, OUT, T_TIME, .required = true, .doc = "When we learnt of it."),
};

#endif
