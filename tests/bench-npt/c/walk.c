/*
 * The least a careful reader does: every table read is bounds-checked, entries that are not
 * present or map large pages are honoured, nothing else is looked at.
 */
#include <stdint.h>
#include <stddef.h>

struct memory {
	const volatile uint64_t *words;
	uint64_t bytes;
};

#define ADDRESS 0x000ffffffffff000ull

static int
get(const struct memory *m, uint64_t at, uint64_t *value)
{
	if (at >= m->bytes || m->bytes - at < 8)
		return 0;
	*value = m->words[at / 8];
	return 1;
}

int
plain_walk(const struct memory *m, uint64_t root, uint64_t gva, uint64_t *gpa)
{
	uint64_t table = root, entry;

	for (int shift = 39; shift >= 12; shift -= 9) {
		if (!get(m, table + ((gva >> shift) & 511) * 8, &entry) || !(entry & 1))
			return 0;
		if (shift == 12 || (shift < 39 && (entry & 0x80))) {
			uint64_t mask = (1ull << shift) - 1;
			*gpa = (entry & ADDRESS & ~mask) | (gva & mask);
			return 1;
		}
		table = entry & ADDRESS;
	}
	return 0;
}

static int
nested(const struct memory *m, uint64_t root, uint64_t gpa, uint64_t *hpa)
{
	uint64_t table = root, entry;

	for (int shift = 39; shift >= 12; shift -= 9) {
		if (!get(m, table + ((gpa >> shift) & 511) * 8, &entry) || !(entry & 1))
			return 0;
		if (shift == 12 || (shift < 39 && (entry & 0x80))) {
			uint64_t mask = (1ull << shift) - 1;
			*hpa = (entry & ADDRESS & ~mask) | (gpa & mask);
			return 1;
		}
		table = entry & ADDRESS;
	}
	return 0;
}

int
plain_walk_two(const struct memory *m, uint64_t root, uint64_t eptroot, uint64_t gva, uint64_t *out)
{
	uint64_t table = root, entry, hpa;

	for (int shift = 39; shift >= 12; shift -= 9) {
		if (!nested(m, eptroot, table + ((gva >> shift) & 511) * 8, &hpa))
			return 0;
		if (!get(m, hpa, &entry) || !(entry & 1))
			return 0;
		if (shift == 12 || (shift < 39 && (entry & 0x80))) {
			uint64_t mask = (1ull << shift) - 1;
			return nested(m, eptroot, (entry & ADDRESS & ~mask) | (gva & mask), out);
		}
		table = entry & ADDRESS;
	}
	return 0;
}
