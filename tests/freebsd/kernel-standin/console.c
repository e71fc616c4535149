/* SPDX-License-Identifier: BSD-2-Clause */
/* printf(9), as much of it as kernel code here uses, to the process's standard error. */
#include "host.h"

#include <sys/kdb.h>

struct text {
	char	*at;
	size_t	size;
	size_t	len;
};

static void
put(struct text *text, char byte)
{
	if (text->len + 1 < text->size)
		text->at[text->len] = byte;
	text->len++;
}

static void
number(struct text *text, uint64_t value, u_int base, int width, char fill)
{
	char digits[24];
	int n = 0;

	do {
		digits[n++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value != 0);
	while (width-- > n)
		put(text, fill);
	while (n > 0)
		put(text, digits[--n]);
}

static void
string(struct text *text, const char *s, int precision)
{
	if (s == NULL)
		s = "(null)";
	while (*s != '\0' && precision-- != 0)
		put(text, *s++);
}

/* A signed number's magnitude, its sign written. */
static uint64_t
magnitude(struct text *text, int64_t value)
{
	if (value >= 0)
		return (value);
	put(text, '-');
	return (-(uint64_t)value);
}

/* One conversion, from behind its %; returns where the next text begins. */
static const char *
convert(struct text *text, const char *format, va_list *list)
{
	int width = 0, precision = -1, longs = 0;
	char fill = ' ';
	bool alternate = false;

	for (;; format++) {
		if (*format == '#')
			alternate = true;
		else if (*format == '0')
			fill = '0';
		else
			break;
	}
	while (*format >= '0' && *format <= '9')
		width = width * 10 + *format++ - '0';
	if (*format == '.') {
		format++;
		precision = 0;
		if (*format == '*') {
			precision = va_arg(*list, int);
			format++;
		}
		while (*format >= '0' && *format <= '9')
			precision = precision * 10 + *format++ - '0';
	}
	while (*format == 'l' || *format == 'j' || *format == 'z') {
		longs++;
		format++;
	}
	switch (*format) {
	case 'd':
		number(text, magnitude(text, longs ? va_arg(*list, long) : va_arg(*list, int)), 10,
		    width, fill);
		break;
	case 'u':
		number(text, longs ? va_arg(*list, u_long) : va_arg(*list, u_int), 10, width, fill);
		break;
	case 'p':
		alternate = true;
		longs = 1;
		/* FALLTHROUGH */
	case 'x':
		if (alternate)
			string(text, "0x", -1);
		number(text, longs ? va_arg(*list, u_long) : va_arg(*list, u_int), 16, width, fill);
		break;
	case 's':
		string(text, va_arg(*list, const char *), precision);
		break;
	case 'c':
		put(text, va_arg(*list, int));
		break;
	default:
		put(text, *format);
	}
	return (*format == '\0' ? format : format + 1);
}

int
vsnprintf(char *to, size_t size, const char *format, va_list arguments)
{
	struct text text = { to, size, 0 };
	va_list list;

	va_copy(list, arguments);
	while (*format != '\0') {
		if (*format != '%')
			put(&text, *format++);
		else
			format = convert(&text, format + 1, &list);
	}
	va_end(list);
	if (size > 0)
		to[MIN(text.len, size - 1)] = '\0';
	return (text.len);
}

int
snprintf(char *to, size_t size, const char *format, ...)
{
	va_list list;
	int len;

	va_start(list, format);
	len = vsnprintf(to, size, format, list);
	va_end(list);
	return (len);
}

int
vprintf(const char *format, va_list list)
{
	char line[512];
	int len = vsnprintf(line, sizeof(line), format, list);

	ht_host_write(line, MIN((size_t)len, sizeof(line) - 1));
	return (len);
}

int
printf(const char *format, ...)
{
	va_list list;
	int len;

	va_start(list, format);
	len = vprintf(format, list);
	va_end(list);
	return (len);
}

void
log(int level __unused, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vprintf(format, list);
	va_end(list);
}

void
vpanic(const char *format, va_list list)
{
	char line[256];

	vsnprintf(line, sizeof(line), format, list);
	ht_host_abort(line);
}

void
panic(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vpanic(format, list);
}

static volatile u_int entered;

uint64_t ht_debugger(void);

/* The debugger: whoever sits at it says `continue` at once. */
void
kdb_enter(const char *why, const char *message)
{
	printf("KDB: enter: %s: %s\n", why, message);
	atomic_add_int(&entered, 1);
}

/* How often it was entered. */
uint64_t
ht_debugger(void)
{
	return (entered);
}
