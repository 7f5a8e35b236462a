/*
 * run_once.c - one turn from a shell.
 */
#include "web/server.h"
#include "work/run.h"

#include <stdlib.h>
#include <string.h>

bool
work_once(int argc, char *argv[], const struct workflow *const *workflows, int *ret)
{
	struct work w;
	const char *summary;
	long wait = 0;

	if (strcmp(argv[1], "--once") != 0)
		return false;
	if (argc == 4 && strcmp(argv[2], "--wait") == 0)
		wait = strtol(argv[3], NULL, 10);
	else if (argc != 2)
		return false;
	*ret = EXIT_FAILURE;
	if (work_open(&w, server_db(), workflows) == -1)
		return true;
	summary = work_turn(&w, wait * 1000, server_stop_fd());
	if (summary)
		puts(summary);
	if (summary && w.counts.failures == 0)
		*ret = EXIT_SUCCESS;
	work_close(&w);
	return true;
}
