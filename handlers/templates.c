/*
 * templates.c - templates: what outbound calls say (call templates), and what assistants are made
 * from.
 *
 * Who sees which, and what a text and a variable may hold, is decided by sql/functions.
 */
#include "base/settings.h"
#include "web/server.h"

#define TEMPLATES_READ SCOPE("templates:read")
#define TEMPLATES_WRITE SCOPE("templates:write")

#define CALL "/api/v1/call-templates"
#define ONE CALL "/{call_template_id}"
#define STOCK "/api/v1/templates"

enum { SAY_MAX = 2000, PROMPT_MAX = 20000, TAGS_MAX = 20, VARIABLES_MAX = 50 };

/* ---- input ---------------------------------------------------------- */

#define TEMPLATE_ID FIELD(call_template_id, PATH, T_UUID, .required = true, .doc = "The template.")
#define PAGE                                                                                       \
	FIELD(after, QUERY, T_CURSOR, .doc = "next_cursor of the page before."),                   \
	    FIELD(limit, QUERY, T_INT, .min = 1, .max = 100, .dflt = "20", .doc = "Page size.")
#define VISIBILITY VALUES("private", "organization", "public")

static const struct field list_fields[] = {
	FIELD(category, QUERY, T_STR, .min = 1, .max = 100, .doc = "Only those of this category."),
	FIELD(tag, QUERY, T_STR, .min = 1, .max = 50, .doc = "Only those with this tag."),
	FIELD(visibility, QUERY, T_ENUM, VISIBILITY, .doc = "Only those that are as visible."),
	FIELD(search, QUERY, T_STR, .min = 1, .max = 100,
	    .doc = "Only those whose name holds this, in whatever case."),
	FIELD(favorite, QUERY, T_BOOL, .doc = "Only your favourites; false: only others."),
	FIELD(editable, QUERY, T_BOOL,
	    .doc = "Only those that you may change; false: only others."),
	PAGE,
};

static const struct field variable_fields[] = {
	FIELD(name, BODY, T_STR, .min = 1, .max = 64, .required = true,
	    .doc = "Its name: texts hold it as {{name}}."),
	FIELD(description, BODY, T_STR, .max = 500, .doc = "What it is, for people."),
	FIELD(required, BODY, T_BOOL, .doc = "Whether each call needs it."),
	FIELD(default, BODY, T_ANY, .doc = "Its value where a call gives none."),
	FIELD(type, BODY, T_ENUM, VALUES("text", "number", "boolean", "date", "phone"),
	    .doc = "What its values are; without it: text."),
	FIELD(max_length, BODY, T_INT, .min = 1, .max = 4000, .doc = "Characters of a value."),
	FIELD(example, BODY, T_ANY, .doc = "A value that it could have."),
};

static const struct field params_fields[] = {
	FIELD(variables, BODY, T_ARRAY, MEMBERS(variable_fields), .max = VARIABLES_MAX,
	    .doc = "The variables; where they are declared a call can have no others."),
	FIELD(required, BODY, T_ARRAY, ITEMS(T_STR, .min = 1, .max = 64), .max = VARIABLES_MAX,
	    .doc = "Names of variables that each call needs, without declaring them."),
	FIELD(voicemail, BODY, T_ENUM, VALUES("accept"),
	    .doc = "accept: a voicemail counts as reached."),
	FIELD(voice_id, BODY, T_UUID,
	    .doc = "The voice it is said with, unless the call names one."),
	FIELD(language, BODY, T_STR, .min = 2, .max = 35,
	    .doc = "The language it is said in; chooses the voice that a person prefers."),
};

static const struct field target_fields[] = {
	FIELD(provider_type, BODY, T_ENUM, VALUES("vapi", "synthflow"), .required = true,
	    .doc = "The kind of provider."),
	FIELD(assistant, BODY, T_STR, .min = 1, .max = 200, .required = true,
	    .doc = "Vapi: the assistant's id; SynthFlow: the model's."),
	FIELD(caller_number, BODY, T_STR, .min = 1, .max = 64,
	    .doc = "Vapi: the id of the number that the call comes from; SynthFlow: the number."),
};

#define TEXTS                                                                                      \
	FIELD(description, BODY, T_STR, .max = 2000, .nullable = true, .doc = "What it is for."),  \
	    FIELD(category, BODY, T_STR, .max = 100, .nullable = true, .doc = "Its category."),    \
	    FIELD(tags, BODY, T_ARRAY, ITEMS(T_STR, .min = 1, .max = 50), .max = TAGS_MAX,         \
		.nullable = true, .doc = "Its tags."),                                             \
	    FIELD(visibility, BODY, T_ENUM, VISIBILITY,                                            \
		.doc = "Who sees it and orders with it: who made it (until he leaves), his "       \
		       "organization, everybody; a new one: the organization."),                   \
	    FIELD(params, BODY, T_OBJECT, MEMBERS(params_fields), .nullable = true,                \
		.doc = "Its variables and settings, all of them."),                                \
	    FIELD(params_order, BODY, T_ARRAY, ITEMS(T_STR, .min = 1, .max = 64),                  \
		.max = VARIABLES_MAX, .nullable = true,                                            \
		.doc = "The names of the variables in the order in which they are asked for."),    \
	    FIELD(first_message, BODY, T_STR, .max = SAY_MAX, .nullable = true,                    \
		.doc = "Said first, in place of the assistant's own."),                            \
	    FIELD(system_prompt, BODY, T_STR, .max = PROMPT_MAX, .nullable = true,                 \
		.doc = "What the assistant is told, in place of its own.  At Vapi it is part "     \
		       "of a model: the assistant's whole model goes for that call, with its "     \
		       "tools and temperature; without it all of it stays."),                      \
	    FIELD(model_provider, BODY, T_STR, .min = 1, .max = 50, .nullable = true,              \
		.doc = "Vapi: whose model follows the prompt; without it: openai."),               \
	    FIELD(model_name, BODY, T_STR, .min = 1, .max = 100, .nullable = true,                 \
		.doc = "Vapi: which model; without it: gpt-4o-mini."),                             \
	    FIELD(targets, BODY, T_ARRAY, MEMBERS(target_fields), .max = 2, .nullable = true,      \
		.doc = "Where it can be said, all of them.")

static const struct field create_fields[] = {
	FIELD(name, BODY, T_STR, .min = 1, .max = 200, .required = true, .doc = "Its name."),
	TEXTS,
};

static const struct field update_fields[] = {
	TEMPLATE_ID,
	FIELD(name, BODY, T_STR, .min = 1, .max = 200, .doc = "Its name."),
	TEXTS,
};

static const struct field rename_fields[] = {
	FIELD(from, BODY, T_STR, .min = 1, .max = 100, .required = true, .doc = "The category."),
	FIELD(to, BODY, T_STR, .min = 1, .max = 100, .required = true,
	    .doc = "What it is called from now on; one that there is takes them in."),
};

static const struct field one_fields[] = { TEMPLATE_ID };

static const struct field copy_fields[] = {
	TEMPLATE_ID,
	FIELD(name, BODY, T_STR, .min = 1, .max = 200,
	    .doc = "The copy's name; without it: the same."),
	FIELD(visibility, BODY, T_ENUM, VISIBILITY,
	    .doc = "Who sees the copy; without it: the organization."),
};

static const struct field share_fields[] = {
	TEMPLATE_ID,
	FIELD(user_id, BODY, T_UUID, .doc = "A member of your organization."),
	FIELD(email, BODY, T_EMAIL, .doc = "Whoever has proved this address, now or later."),
	FIELD(with_organization_id, BODY, T_UUID, .doc = "All members of this organization."),
};

static const struct field share_one_fields[] = {
	TEMPLATE_ID,
	FIELD(share_id, PATH, T_UUID, .required = true, .doc = "The share."),
};

#define SLUG                                                                                       \
	FIELD(slug, PATH, T_STR, .min = 1, .max = 100, .required = true, .doc = "The template.")

static const struct field stock_fields[] = {
	FIELD(category, QUERY, T_STR, .min = 1, .max = 100, .doc = "Only those of this category."),
	FIELD(tag, QUERY, T_STR, .min = 1, .max = 50, .doc = "Only those with this tag."),
	FIELD(language, QUERY, T_STR, .min = 2, .max = 20, .doc = "Only those in this language."),
	PAGE,
};
static const struct field slug_fields[] = { SLUG };
static const struct field render_fields[] = {
	SLUG,
	FIELD(variable_values, BODY, T_OBJECT, .doc = "Values for the template's variables."),
};

/* ---- output --------------------------------------------------------- */

static const struct field call_template_target_out[] = {
	ABOUT("Where a call template can be said: an assistant or model at a kind of provider."),
	FIELD(provider_type, OUT, T_STR, .required = true, .doc = "The kind of provider."),
	FIELD(assistant, OUT, T_STR, .required = true, .doc = "The assistant or model there."),
	FIELD(caller_number, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "The number that the call comes from; null: none, or not yours to see."),
};

static const struct field call_template_out[] = {
	ABOUT("A call template: what an outbound call says."),
	FIELD(id, OUT, T_UUID, .required = true, .doc = "The template."),
	FIELD(organization_id, OUT, T_UUID, .required = true, .nullable = true,
	    .doc = "Your organization, if it belongs to that."),
	FIELD(created_by, OUT, T_UUID, .required = true, .nullable = true,
	    .doc = "Who made it; null: an API key, or somebody elsewhere."),
	FIELD(name, OUT, T_STR, .required = true, .doc = "Its name."),
	FIELD(description, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "What it is for."),
	FIELD(category, OUT, T_STR, .required = true, .nullable = true, .doc = "Its category."),
	FIELD(tags, OUT, T_ARRAY, ITEMS(T_STR), .required = true, .doc = "Its tags."),
	FIELD(visibility, OUT, T_ENUM, VISIBILITY, .required = true, .doc = "Who sees it."),
	FIELD(is_public, OUT, T_BOOL, .required = true, .doc = "The same as visibility public."),
	FIELD(editable, OUT, T_BOOL, .required = true, .doc = "Whether you may change it."),
	FIELD(favorite, OUT, T_BOOL, .required = true,
	    .doc = "Whether it is a favourite of yours."),
	FIELD(params, OUT, T_OBJECT, .required = true, .doc = "Its variables and settings."),
	FIELD(params_order, OUT, T_ARRAY, ITEMS(T_STR), .required = true,
	    .doc = "The names of its variables, in order."),
	FIELD(first_message, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "Said first; null: what the assistant says by itself."),
	FIELD(system_prompt, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "What the assistant is told; null: its own."),
	FIELD(model_provider, OUT, T_STR, .required = true, .nullable = true,
	    .doc = "Whose model follows the prompt."),
	FIELD(model_name, OUT, T_STR, .required = true, .nullable = true, .doc = "Which model."),
	FIELD(targets, OUT, T_ARRAY, MEMBERS(call_template_target_out), .required = true,
	    .doc = "Where it can be said."),
	FIELD(created_at, OUT, T_TIME, .required = true, .doc = "When it was made."),
	FIELD(updated_at, OUT, T_TIME, .required = true, .doc = "When it was last changed."),
};

static const struct field call_template_category_out[] = {
	ABOUT("A category, and how many call templates are in it."),
	FIELD(category, OUT, T_STR, .required = true, .doc = "The category."),
	FIELD(templates, OUT, T_INT, .required = true, .doc = "How many templates."),
};

static const struct field call_template_share_out[] = {
	ABOUT("With whom a call template is shared."),
	FIELD(id, OUT, T_UUID, .required = true, .doc = "The share."),
	FIELD(user_id, OUT, T_UUID, .required = true, .nullable = true, .doc = "With this member."),
	FIELD(email, OUT, T_EMAIL, .required = true, .nullable = true,
	    .doc = "With whoever has proved this address."),
	FIELD(with_organization_id, OUT, T_UUID, .required = true, .nullable = true,
	    .doc = "With this organization."),
	FIELD(created_by, OUT, T_UUID, .required = true, .nullable = true,
	    .doc = "Who shared it; null: an API key."),
	FIELD(created_at, OUT, T_TIME, .required = true, .doc = "When."),
};

static const struct field template_variable_out[] = {
	ABOUT("A variable of a template."),
	FIELD(name, OUT, T_STR, .required = true, .doc = "Its name."),
	FIELD(description, OUT, T_STR, .doc = "What it is."),
	FIELD(required, OUT, T_BOOL, .doc = "Whether it is needed."),
	FIELD(default, OUT, T_ANY, .doc = "Its value where none is given."),
	FIELD(type, OUT, T_STR, .doc = "What its values are; text where it is missing."),
	FIELD(max_length, OUT, T_INT, .doc = "Characters of a value."),
	FIELD(example, OUT, T_ANY, .doc = "A value that it could have."),
};

#define STOCK_OUT                                                                                  \
	FIELD(id, OUT, T_UUID, .required = true, .doc = "The template."),                          \
	    FIELD(slug, OUT, T_STR, .required = true, .doc = "Its name in addresses."),            \
	    FIELD(name, OUT, T_STR, .required = true, .doc = "Its name."),                         \
	    FIELD(description, OUT, T_STR, .required = true, .nullable = true,                     \
		.doc = "What it is for."),                                                         \
	    FIELD(category, OUT, T_STR, .required = true, .nullable = true,                        \
		.doc = "Its category."),                                                           \
	    FIELD(language, OUT, T_STR, .required = true, .doc = "What is spoken."),               \
	    FIELD(tags, OUT, T_ARRAY, ITEMS(T_STR), .required = true, .doc = "Its tags."),         \
	    FIELD(system_prompt, OUT, T_STR, .required = true,                                     \
		.doc = "What the assistant is told."),                                             \
	    FIELD(first_message, OUT, T_STR, .required = true, .doc = "Said first."),              \
	    FIELD(end_call_message, OUT, T_STR, .required = true, .doc = "Said last."),            \
	    FIELD(end_call_phrases, OUT, T_ARRAY, ITEMS(T_STR), .required = true,                  \
		.doc = "Words after which the call is over."),                                     \
	    FIELD(model_provider, OUT, T_STR, .required = true, .nullable = true,                  \
		.doc = "Whose model."),                                                            \
	    FIELD(model_name, OUT, T_STR, .required = true, .nullable = true,                      \
		.doc = "Which model."),                                                            \
	    FIELD(model_temperature, OUT, T_NUMBER, .required = true,                              \
		.doc = "How freely it speaks, from 0 to 2."),                                      \
	    FIELD(voice_provider, OUT, T_STR, .required = true, .nullable = true,                  \
		.doc = "Whose voice."),                                                            \
	    FIELD(voice_id, OUT, T_STR, .required = true, .nullable = true,                        \
		.doc = "Which voice."),                                                            \
	    FIELD(voice_settings, OUT, T_OBJECT, .required = true, .doc = "How it sounds."),       \
	    FIELD(transcriber_provider, OUT, T_STR, .required = true, .doc = "Who listens."),      \
	    FIELD(transcriber_model, OUT, T_STR, .required = true, .doc = "And with what."),       \
	    FIELD(background_sound, OUT, T_STR, .required = true, .doc = "Heard behind it."),      \
	    FIELD(silence_timeout_seconds, OUT, T_INT, .required = true,                           \
		.doc = "After so long without a word the call ends."),                             \
	    FIELD(max_duration_seconds, OUT, T_INT, .required = true,                              \
		.doc = "No call lasts longer."),                                                   \
	    FIELD(functions, OUT, T_ARRAY, ITEMS(T_STR), .required = true,                         \
		.doc = "In-call functions that it makes use of."),                                 \
	    FIELD(created_at, OUT, T_TIME, .required = true, .doc = "When it was made."),          \
	    FIELD(updated_at, OUT, T_TIME, .required = true, .doc = "When it was last changed.")

static const struct field assistant_template_out[] = {
	ABOUT("A template that assistants are made from."),
	STOCK_OUT,
	FIELD(variables, OUT, T_ARRAY, MEMBERS(template_variable_out), .required = true,
	    .doc = "What must be known to use it, in the order in which it is asked for."),
};

static const struct field rendered_template_out[] = {
	ABOUT("The same with its variables filled in."),
	STOCK_OUT,
	FIELD(variable_values, OUT, T_OBJECT, .required = true,
	    .doc = "The values, with defaults filled in."),
};

/* ---- routes --------------------------------------------------------- */

#define UNWRITABLE ERR_CALL_TEMPLATE_NOT_FOUND, ERR_TEMPLATE_READ_ONLY, ERR_ORGANIZATION_INACTIVE
#define MISWRITTEN                                                                                 \
	ERR_VARIABLE_UNDECLARED, ERR_TEMPLATE_TEXT_INVALID, ERR_TEMPLATE_PARAMS_INVALID,           \
	    ERR_TARGET_INVALID, ERR_TARGET_DUPLICATE, ERR_NUMBER_NOT_OWNED
#define NOT_THERE ERRORS(ERR_CALL_TEMPLATE_NOT_FOUND)
#define NO_STOCK ERR_ASSISTANT_TEMPLATE_NOT_FOUND

static const struct route routes[] = {
	{ GET, CALL, TEMPLATES_READ, FIELDS(list_fields), run_query, 200, "call_template_list",
	    "Call templates that you may order with, newest first.",
	    .returns = RETURNS_LIST(call_template_out) },
	{ POST, CALL, TEMPLATES_WRITE, FIELDS(create_fields), run_query, 201,
	    "call_template_create", "Write a call template.", .returns = RETURNS(call_template_out),
	    .errors = ERRORS(MISWRITTEN, ERR_ORGANIZATION_INACTIVE, ERR_CALL_TEMPLATES_FULL) },
	{ GET, CALL "/categories", TEMPLATES_READ, NO_FIELDS, run_query, 200,
	    "call_template_categories", "The categories of call templates that are in use.",
	    .returns = RETURNS_LIST(call_template_category_out) },
	{ POST, CALL "/categories/rename", TEMPLATES_WRITE, FIELDS(rename_fields), run_query, 200,
	    "call_template_category_rename",
	    "Give all templates of a category that you may change another one.",
	    .returns = RETURNS(call_template_category_out),
	    .errors = ERRORS(ERR_CATEGORY_NOT_FOUND, ERR_ORGANIZATION_INACTIVE) },
	{ GET, ONE, TEMPLATES_READ, FIELDS(one_fields), run_query, 200, "call_template_get",
	    "One call template.", .returns = RETURNS(call_template_out), .errors = NOT_THERE },
	{ PATCH, ONE, TEMPLATES_WRITE, FIELDS(update_fields), run_query, 200,
	    "call_template_update", "Change it; calls that wait say what it says then.",
	    .returns = RETURNS(call_template_out), .errors = ERRORS(UNWRITABLE, MISWRITTEN) },
	{ DELETE, ONE, TEMPLATES_WRITE, FIELDS(one_fields), run_query, 204, "call_template_delete",
	    "Take it out of use; calls that were ordered with it are still made.",
	    .errors = ERRORS(UNWRITABLE) },
	{ POST, ONE "/copy", TEMPLATES_WRITE, FIELDS(copy_fields), run_query, 201,
	    "call_template_copy", "Make one of your own out of it.",
	    .returns = RETURNS(call_template_out),
	    .errors = ERRORS(ERR_CALL_TEMPLATE_NOT_FOUND, ERR_ORGANIZATION_INACTIVE,
		ERR_CALL_TEMPLATES_FULL, MISWRITTEN) },
	{ PUT, ONE "/favorite", TEMPLATES_READ, FIELDS(one_fields), run_query, 204,
	    "call_template_favorite_add", "Make it a favourite of yours.",
	    .errors = ERRORS(ERR_CALL_TEMPLATE_NOT_FOUND, ERR_PERSON_NEEDED) },
	{ DELETE, ONE "/favorite", TEMPLATES_READ, FIELDS(one_fields), run_query, 204,
	    "call_template_favorite_remove", "It is no favourite of yours any more.",
	    .errors = ERRORS(ERR_CALL_TEMPLATE_NOT_FOUND, ERR_PERSON_NEEDED) },
	{ GET, ONE "/shares", TEMPLATES_READ, FIELDS(one_fields), run_query, 200,
	    "call_template_share_list", "With whom it is shared.",
	    .returns = RETURNS_LIST(call_template_share_out),
	    .errors = ERRORS(ERR_CALL_TEMPLATE_NOT_FOUND, ERR_TEMPLATE_READ_ONLY) },
	{ POST, ONE "/shares", TEMPLATES_WRITE, FIELDS(share_fields), run_query, 201,
	    "call_template_share_add",
	    "Share it with a colleague, an address, or another organization.",
	    .returns = RETURNS(call_template_share_out),
	    .errors = ERRORS(UNWRITABLE, ERR_MEMBER_NOT_FOUND, ERR_ORGANIZATION_NOT_FOUND,
		ERR_SHARE_RECIPIENT_INVALID, ERR_TEMPLATE_SHARES_FULL) },
	{ DELETE, ONE "/shares/{share_id}", TEMPLATES_WRITE, FIELDS(share_one_fields), run_query,
	    204, "call_template_share_remove", "Take a share back.",
	    .errors = ERRORS(UNWRITABLE, ERR_SHARE_NOT_FOUND) },
	{ GET, STOCK, TEMPLATES_READ, FIELDS(stock_fields), run_query, 200, "template_list",
	    "Templates that assistants are made from.",
	    .returns = RETURNS_LIST(assistant_template_out) },
	{ GET, STOCK "/{slug}", TEMPLATES_READ, FIELDS(slug_fields), run_query, 200, "template_get",
	    "One template for assistants.", .returns = RETURNS(assistant_template_out),
	    .errors = ERRORS(NO_STOCK) },
	{ POST, STOCK "/{slug}/render", TEMPLATES_READ, FIELDS(render_fields), run_query, 200,
	    "template_render", "What an assistant made from it would be told, with your values.",
	    .returns = RETURNS(rendered_template_out),
	    .errors = ERRORS(NO_STOCK, ERR_VARIABLE_MISSING, ERR_VARIABLE_UNKNOWN,
		ERR_VARIABLE_INVALID) },
};

static const int needs[] = { SET_DATABASE_URL, -1 };

int
main(int argc, char *argv[])
{
	return server_main(argc, argv,
	    &(const struct server){ "templates", routes, COUNT(routes),
		.about = "What calls say, and what assistants are made from.", .needs = needs });
}
