/*
 * crash.h - named points at which a test build ends itself, as kill -9 would.
 *
 * In other builds crash_point is nothing.  In the build configured with --enable-crash-points the
 * setting HOOKSWITCH_CRASH_POINT=name (with HOOKSWITCH_CRASH_SKIP=n: let it pass n times first)
 * kills the process there, with several names, separated by commas, at the first of them;
 * HOOKSWITCH_CRASH_ONCE=file: only if that file does not exist yet (it is made first), so that a
 * successor lives. crash_points_list prints all names known to the build: they are in crash.def,
 * one CRASH_POINT(name, sentence) each.
 */
#ifndef BASE_CRASH_H
#define BASE_CRASH_H

enum crash_id {
#define CRASH_POINT(name, sentence) CRASH_##name,
#include "base/crash.def"
#undef CRASH_POINT
	CRASH_COUNT
};

/* crash_at: ends the process when the environment names this point. */
void crash_at(enum crash_id id);
/* crash_name / crash_sentence: of point number id; NULL behind the last one. */
const char *crash_name(int id);
const char *crash_sentence(int id);

#ifdef HOOKSWITCH_CRASH_POINTS
#define crash_point(name) crash_at(CRASH_##name)
#else
#define crash_point(name) ((void)0)
#endif

#endif
