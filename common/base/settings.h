/*
 * settings.h - settings from the environment, or from the file named by HOOKSWITCH_CONF (NAME=value
 * lines; the environment wins).  Declared once, in settings.def.
 */
#ifndef BASE_SETTINGS_H
#define BASE_SETTINGS_H

#include "base/base.h"

enum setting {
#define SETTING(name, type, dflt, min, max, doc) SET_##name,
#include "base/settings.def"
#undef SETTING
	SET_COUNT
};

/* settings_load: reads and checks all; -1 when one is wrong, each of those named on standard error
 * with the reason. Call once, before threads. */
int settings_load(void);
/* settings_need: names on standard error each listed setting that is not set; -1 when there is one.
 * The list ends with -1. */
int settings_need(const int *list);
/* setting_str: the value, or NULL when it is not set. */
const char *setting_str(enum setting s);
int64_t setting_int(enum setting s);
bool setting_bool(enum setting s);
/* settings_describe: all settings as JSON on out: [{"name","type","default","min","max","doc"}]. */
void settings_describe(FILE *out);

#endif
