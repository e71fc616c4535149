/* SPDX-License-Identifier: BSD-2-Clause */
/* For each line of hexadecimal bytes in a file, the length that the guest module gives its first instruction. */
#include <stdio.h>
#include <string.h>

#include "../../../guest-kmod/freebsd/hypertrace_insn.h"

int
main(int argc, char **argv)
{
	FILE *in = argc == 2 ? fopen(argv[1], "r") : NULL;
	unsigned char code[2 * HT_INSN_MOST];
	char line[256];
	unsigned int byte;
	size_t n;

	if (in == NULL)
		return (1);
	while (fgets(line, sizeof(line), in) != NULL) {
		memset(code, 0, sizeof(code));
		for (n = 0; n < HT_INSN_MOST && sscanf(line + 2 * n, "%2x", &byte) == 1; n++)
			code[n] = byte;
		printf("%u\n", ht_insn_length(code, sizeof(code)));
	}
	return (0);
}
