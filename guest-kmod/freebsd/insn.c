/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lengths of instructions in 64-bit mode: enough of the processor's encoding to walk from one
 * instruction to the next in what a compiler makes of C (Intel SDM volume 2, chapter 2 and
 * appendix A). Anything that is not known for sure has length 0, and the walk ends there.
 */
#include "hypertrace_insn.h"

/* What follows an opcode. */
#define M	0x10	/* a ModRM byte, with what that asks for */
#define I1	0x01	/* immediates: bytes */
#define I2	0x02
#define I3	0x03
#define IZ	0x04	/* 4 bytes, 2 with an operand-size prefix */
#define IV	0x05	/* as IZ, 8 with REX.W */
#define IA	0x06	/* an address: 8 bytes, 4 with an address-size prefix */
#define IT	0x07	/* of F6 and F7: only if ModRM says TEST */
#define IMM	0x0f
#define X	0x80	/* no instruction, or one we do not know */

/* One row is 8 opcodes of arithmetic: r/m forms, AL and eAX forms, two that are not there. */
#define ALU	M, M, M, M, I1, IZ, X, X
#define EIGHT(a) a, a, a, a, a, a, a, a

static const unsigned char one_byte[256] = {
	ALU, ALU, ALU, ALU, ALU, ALU, ALU, ALU,			/* 00 to 3f */
	EIGHT(X), EIGHT(X),					/* 40: REX, never last */
	EIGHT(0), EIGHT(0),					/* 50: push, pop */
	X, X, X, M, X, X, X, X,					/* 60: movsxd */
	IZ, M | IZ, I1, M | I1, 0, 0, 0, 0,
	EIGHT(I1), EIGHT(I1),					/* 70: jcc */
	M | I1, M | IZ, X, M | I1, M, M, M, M,			/* 80 */
	EIGHT(M),
	EIGHT(0),						/* 90 */
	0, 0, X, 0, 0, 0, 0, 0,
	IA, IA, IA, IA, 0, 0, 0, 0,				/* a0 */
	I1, IZ, 0, 0, 0, 0, 0, 0,
	EIGHT(I1), EIGHT(IV),					/* b0: mov */
	M | I1, M | I1, I2, 0, X, X, M | I1, M | IZ,		/* c0 */
	I3, 0, I2, 0, 0, I1, X, 0,
	M, M, M, M, X, X, X, 0,					/* d0 */
	EIGHT(M),
	EIGHT(I1),						/* e0 */
	IZ, IZ, X, I1, 0, 0, 0, 0,
	X, 0, X, X, 0, 0, M | IT, M | IT,			/* f0 */
	0, 0, 0, 0, 0, 0, M, M,
};

static const unsigned char two_bytes[256] = {
	M, M, M, M, X, 0, 0, 0, 0, 0, X, 0, X, M, X, X,		/* 00 */
	EIGHT(M), EIGHT(M),					/* 10 */
	M, M, M, M, X, X, X, X, EIGHT(M),			/* 20: mov cr, dr */
	0, 0, 0, 0, 0, 0, X, 0, X, X, X, X, X, X, X, X,		/* 30: msr, tsc */
	EIGHT(M), EIGHT(M),					/* 40: cmov */
	EIGHT(M), EIGHT(M),					/* 50 */
	EIGHT(M), EIGHT(M),					/* 60 */
	M | I1, M | I1, M | I1, M | I1, M, M, M, 0,		/* 70 */
	EIGHT(M),
	EIGHT(IZ), EIGHT(IZ),					/* 80: jcc */
	EIGHT(M), EIGHT(M),					/* 90: setcc */
	0, 0, 0, M, M | I1, M, X, X,				/* a0 */
	0, 0, 0, M, M | I1, M, M, M,
	EIGHT(M),						/* b0 */
	M, M, M | I1, M, M, M, M, M,
	M, M, M | I1, M, M | I1, M | I1, M | I1, M,		/* c0 */
	EIGHT(0),						/* bswap */
	EIGHT(M), EIGHT(M),					/* d0 */
	EIGHT(M), EIGHT(M),					/* e0 */
	EIGHT(M), EIGHT(M),					/* f0 */
};

struct decoder {
	const unsigned char *at, *end;
	unsigned char	rex;
	int		operand16, address32;
};

/* The next byte, -1 behind the end. */
static int
next(struct decoder *d)
{
	return (d->at < d->end ? *d->at++ : -1);
}

/* Reads prefixes and returns the first byte that is none. */
static int
prefixes(struct decoder *d)
{
	for (;;) {
		int byte = next(d);

		switch (byte) {
		case 0x66:
			d->operand16 = 1;
			break;
		case 0x67:
			d->address32 = 1;
			break;
		case 0x26: case 0x2e: case 0x36: case 0x3e: case 0x64: case 0x65:
		case 0xf0: case 0xf2: case 0xf3:
			break;
		default:
			if ((byte & ~0xf) != 0x40)
				return (byte);
			d->rex = byte;
			/* REX counts only right before the opcode. */
			byte = next(d);
			return (byte);
		}
	}
}

/* Reads the opcode and says what follows it. */
static int
opcode(struct decoder *d, int *first)
{
	int byte = prefixes(d);

	*first = byte;
	if (byte < 0)
		return (X);
	if (byte != 0x0f)
		return (one_byte[byte]);
	byte = next(d);
	if (byte < 0)
		return (X);
	if (byte == 0x38 || byte == 0x3a)
		return (next(d) < 0 ? X : byte == 0x3a ? M | I1 : M);
	return (two_bytes[byte]);
}

/* Bytes behind a ModRM byte: SIB and displacement; -1 if the code ends. */
static int
behind_modrm(struct decoder *d, int modrm)
{
	int mod = modrm >> 6, base = modrm & 7, more = 0;

	if (mod == 3)
		return (0);
	if (base == 4) {
		int sib = next(d);

		if (sib < 0)
			return (-1);
		base = sib & 7;
		more = base == 5 && mod == 0 ? 4 : 0;
	} else if (base == 5 && mod == 0) {
		more = 4;
	}
	return (mod == 1 ? 1 : mod == 2 ? 4 : more);
}

static int
immediate(const struct decoder *d, int what, int first, int modrm)
{
	int size = d->operand16 ? 2 : 4;

	switch (what & IMM) {
	case IZ:
		/* Jumps and calls have 4 bytes whatever the prefix. */
		return (first == 0xe8 || first == 0xe9 || first == 0x0f ? 4 : size);
	case IV:
		return ((d->rex & 8) != 0 ? 8 : size);
	case IA:
		return (d->address32 ? 4 : 8);
	case IT:
		if ((modrm & 0x30) != 0)
			return (0);
		return (first == 0xf6 ? 1 : size);
	default:
		return (what & IMM);
	}
}

/* Bytes of the instruction at `code`, of which `room` can be read; 0 if it is not known. */
unsigned int
ht_insn_length(const unsigned char *code, size_t room)
{
	struct decoder d = { code, code + (room < HT_INSN_MOST ? room : HT_INSN_MOST), 0, 0, 0 };
	int first, what = opcode(&d, &first), modrm = 0, more = 0;

	if ((what & X) != 0)
		return (0);
	if ((what & M) != 0) {
		modrm = next(&d);
		/* mov to and from control and debug registers has no memory form. */
		if (modrm < 0)
			return (0);
		more = behind_modrm(&d, modrm);
		if (more < 0)
			return (0);
	}
	more += immediate(&d, what, first, modrm);
	return (more <= d.end - d.at ? (unsigned int)(d.at - code) + more : 0);
}
