/* SPDX-License-Identifier: BSD-2-Clause */
/* Apart from the rest, so that a test can compile insn.c by itself. */
#ifndef HYPERTRACE_INSN_H
#define HYPERTRACE_INSN_H

#ifdef _KERNEL
#include <sys/types.h>
#else
#include <stddef.h>
#endif

/* The longest instruction there is. */
#define HT_INSN_MOST 15

unsigned int ht_insn_length(const unsigned char *code, size_t room);

#endif
