/*
 * condition.h - ETags: a GET's answer gets one, and is not sent again to somebody who has it
 * (If-None-Match); a change is only made to what somebody has seen (If-Match).
 *
 * The tag of a path is that of its GET's answer, so If-Match needs a row with GET for the same
 * path.
 */
#ifndef WEB_CONDITION_H
#define WEB_CONDITION_H

#include "web/request.h"

/* condition_tag: gives the answer of a GET its ETag; where If-None-Match names it, the answer is
 * 304.
 */
void condition_tag(struct ctx *c);
/* condition_wanted: the If-Match of a PUT, PATCH or DELETE; NULL when there is none. */
const char *condition_wanted(const struct ctx *c);
/* condition_run: runs the route under its If-Match: the GET of the same path, as the same identity,
 * and the route itself in one transaction that sees the data of one moment.  Where the path has no
 * GET there is nothing that could match. */
int condition_run(struct ctx *c);
/* condition_names: true when a header's list of tags ("*", "\"a\", W/\"b\"") names the tag.  nginx
 * marks a tag as weak when it compresses an answer: the mark is not looked at. */
bool condition_names(const char *list, const char *tag);

#endif
