/*
 * Types of every kind, and what this compiler makes of them: one line a fact, `type member
 * offset-in-bits size-in-bytes` (a bit-field: width in bits, with a colon before it), or
 * `type - 0 size`.
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum color { RED = 1, GREEN = 200, BLUE = 70000 };
enum signed_enum { MINUS = -5, PLUS = 5 };
enum wide_enum { WIDE = 0x100000000LL, TOP = -1LL };

typedef unsigned long word_t;
typedef int (*callback_t)(const char *, ...);

struct later;

struct inner {
	char c;
	short s;
	_Bool b;
};

struct fields {
	unsigned int a : 3;
	unsigned int b : 13;
	int c : 7;
	unsigned long d : 40;
	unsigned char e : 2;
	enum color f : 20;
};

struct __attribute__((packed)) packed {
	char c;
	long l;
	unsigned int x : 5;
	unsigned int y : 30;
};

struct outer {
	int first;
	struct inner in;
	struct inner array[3][2];
	union {
		double d;
		struct {
			word_t low, high;
		};
	};
	struct later *later;
	const volatile char *restrict text;
	callback_t callback;
	enum wide_enum wide;
	float f;
	long double ld;
	__int128 big;
	struct {
		int x, y;
	} point;
	unsigned char tail[];
};

struct large {
	char pad[3 << 20];
	int end;
};

struct outer an_outer;
struct fields some_fields = { 1, 2, -3, 4, 1, RED };
struct packed a_packed;
struct large a_large;
enum signed_enum signed_value;
int (*pointer_to_array)[7];

int
add(int left, const struct outer *right, ...)
{
	return left + right->first;
}

#define SIZE(type) printf("%s - 0 %zu\n", #type, sizeof(type))
#define MEMBER(type, member) \
	printf("%s %s %zu %zu\n", #type, #member, 8 * offsetof(type, member), \
	    sizeof(((type *)0)->member))
/* Sets all bits of the field, and finds where they are. */
#define FIELD(type, member) do { \
	type probe; \
	unsigned char bytes[sizeof(type)]; \
	int at = -1, width = 0; \
	memset(&probe, 0, sizeof(probe)); \
	probe.member = -1; \
	memcpy(bytes, &probe, sizeof(probe)); \
	for (int bit = 0; bit < 8 * (int)sizeof(type); bit++) \
		if (bytes[bit / 8] >> (bit % 8) & 1) { \
			if (at < 0) \
				at = bit; \
			width++; \
		} \
	printf("%s %s %d :%d\n", #type, #member, at, width); \
} while (0)

int
main(void)
{
	SIZE(struct inner);
	SIZE(struct fields);
	SIZE(struct packed);
	SIZE(struct outer);
	SIZE(struct large);
	SIZE(enum wide_enum);
	MEMBER(struct inner, s);
	MEMBER(struct inner, b);
	FIELD(struct fields, a);
	FIELD(struct fields, b);
	FIELD(struct fields, c);
	FIELD(struct fields, d);
	FIELD(struct fields, e);
	FIELD(struct fields, f);
	MEMBER(struct packed, l);
	FIELD(struct packed, x);
	FIELD(struct packed, y);
	MEMBER(struct outer, in);
	MEMBER(struct outer, array);
	MEMBER(struct outer, d);
	MEMBER(struct outer, low);
	MEMBER(struct outer, high);
	MEMBER(struct outer, later);
	MEMBER(struct outer, text);
	MEMBER(struct outer, callback);
	MEMBER(struct outer, wide);
	MEMBER(struct outer, f);
	MEMBER(struct outer, ld);
	MEMBER(struct outer, big);
	MEMBER(struct outer, point);
	MEMBER(struct large, end);
	return add(0, &an_outer) + (signed_value == PLUS) + (a_packed.c == 1) + (pointer_to_array != 0);
}
