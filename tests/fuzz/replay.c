/*
 * replay.c - the main program of a fuzz entry when no fuzzer is at hand: feeds it each file of the
 * folders (or each file) named on the command line, and says how many there were.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LARGEST = 16 << 20 };

/* Exactly as long as the input, so that one byte too far is seen by the sanitizers. */
static int
replay_bytes(FILE *f, size_t size)
{
	uint8_t *data = malloc(size ? size : 1);
	int ok;

	if (!data)
		return -1;
	ok = fread(data, 1, size, f) == size;
	if (ok)
		LLVMFuzzerTestOneInput(data, size);
	free(data);
	return ok ? 0 : -1;
}

static int
replay_file(const char *path)
{
	struct stat st;
	FILE *f = fopen(path, "rb");
	int rc = -1;

	if (!f) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	if (fstat(fileno(f), &st) == 0 && st.st_size <= LARGEST)
		rc = replay_bytes(f, (size_t)st.st_size);
	if (rc != 0)
		fprintf(stderr, "%s: could not be read, or is larger than 16 MB\n", path);
	fclose(f);
	return rc;
}

static int
replay_entry(const char *folder, const char *name, int *count)
{
	char path[4096];
	int n = snprintf(path, sizeof(path), "%s/%s", folder, name);

	if (name[0] == '.')
		return 0;
	if (n < 0 || (size_t)n >= sizeof(path) || replay_file(path) != 0)
		return -1;
	++*count;
	return 0;
}

static int
replay_folder(const char *folder, int *count)
{
	const struct dirent *e;
	DIR *d = opendir(folder);
	int rc = 0;

	if (!d) {
		fprintf(stderr, "%s: %s\n", folder, strerror(errno));
		return -1;
	}
	while ((e = readdir(d)) != NULL)
		if (replay_entry(folder, e->d_name, count) != 0)
			rc = -1;
	closedir(d);
	return rc;
}

static int
replay_path(const char *path, int *count)
{
	struct stat st;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return replay_folder(path, count);
	if (replay_file(path) != 0)
		return -1;
	++*count;
	return 0;
}

int
main(int argc, char *argv[])
{
	int count = 0, rc = 0, i;

	for (i = 1; i < argc; i++)
		if (replay_path(argv[i], &count) != 0)
			rc = 1;
	if (count == 0) {
		fprintf(stderr, "%s: no input was replayed\n", argv[0]);
		return 1;
	}
	printf("%d inputs\n", count);
	return rc;
}
