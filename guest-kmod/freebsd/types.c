/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A file's types and all its symbols, which the linker gives out together.
 *
 * The types are CTF, as ctfconvert(1) wrote them: of version 2 or 3, and compressed on disk. What
 * the linker hands out is decompressed, but its head says otherwise; so the host gets a copy with a
 * head that is true.
 */
#include "hypertrace.h"

#include <sys/ctf.h>
#include <sys/linker.h>
#include <machine/elf.h>

/*
 * Names of the file in hand that an ifunc resolves: the linker's list of functions gives each the
 * address of what was chosen, but the size of what chooses. There are some twenty in a kernel.
 */
#define	IFUNCS	64

static const char *ifuncs[IFUNCS];
static uint32_t nifuncs;

bool
ht_types_is_ifunc(const char *name)
{
	uint32_t i;

	for (i = 0; i < nifuncs; i++)
		if (strcmp(ifuncs[i], name) == 0)
			return (true);
	return (false);
}

/* Bytes of a container with its head, 0 if it is none. The linker's count is that on disk. */
static size_t
length_of(const linker_ctf_t *ctf)
{
	const ctf_header_t *head = (const void *)ctf->ctftab;
	size_t len;

	if (ctf->ctftab == NULL || ctf->ctfcnt < (int)sizeof(*head) ||
	    head->cth_magic != CTF_MAGIC ||
	    (head->cth_version != CTF_VERSION_2 && head->cth_version != CTF_VERSION_3))
		return (0);
	len = sizeof(*head) + (size_t)head->cth_stroff + head->cth_strlen;
	return (len <= HT_MAX_TYPES_BYTES ? len : 0);
}

static void
send_types(const linker_ctf_t *ctf, const char *module)
{
	struct ht_types *body = ht_body();
	size_t len = length_of(ctf);
	ctf_header_t *copy;
	uint32_t status;

	if (len == 0)
		return;
	copy = malloc(len, M_HYPERTRACE, M_WAITOK);
	memcpy(copy, ctf->ctftab, len);
	copy->cth_flags &= ~CTF_F_COMPRESS;
	memset(body, 0, sizeof(*body));
	body->gva = (uintptr_t)copy;
	body->len = len;
	body->format = HT_TYPE_FORMAT_CTF;
	body->flags = strcmp(module, "kernel") == 0 ? HT_BATCH_FLAGS_FIRST : 0;
	strlcpy((char *)body->module, module, sizeof(body->module));
	status = ht_call(HT_CALL_TYPES, sizeof(*body));
	if (status != HT_STATUS_OK)
		ht_say("the host refuses the types of %s: status %u", module, status);
	free(copy, M_HYPERTRACE);
}

/* nm's letter; 0 for what has no address of its own. */
static char
letter(const Elf_Sym *symbol)
{
	bool global = ELF_ST_BIND(symbol->st_info) != STB_LOCAL;

	switch (ELF_ST_TYPE(symbol->st_info)) {
	case STT_FUNC:
		return (global ? 'T' : 't');
	case STT_OBJECT:
		return (global ? 'D' : 'd');
	case STT_GNU_IFUNC:
		return ('i');
	case STT_NOTYPE:
		return ('n');
	default:
		return (0);
	}
}

static int
send_symbols(const linker_ctf_t *ctf, linker_file_t file, const char *module)
{
	const Elf_Sym *at;
	int error = 0;

	for (at = ctf->symtab; at < ctf->symtab + ctf->nsym && error == 0; at++) {
		char kind = letter(at);

		/* Undefined ones, and those of other files that the linker has filled in. */
		if (kind == 0 || at->st_shndx == SHN_UNDEF || at->st_name >= ctf->strcnt ||
		    at->st_value - (uintptr_t)file->address >= file->size ||
		    ctf->strtab[at->st_name] == '\0')
			continue;
		if (kind == 'i' && nifuncs < IFUNCS)
			ifuncs[nifuncs++] = ctf->strtab + at->st_name;
		error = ht_symbol_add(ctf->strtab + at->st_name, module, at->st_value, at->st_size,
		    kind);
	}
	return (error);
}

/*
 * Announces a file's types and symbols. `complete` says whether its symbols are; a file without
 * types has only its functions, which its publisher adds.
 */
int
ht_types_publish(linker_file_t file, const char *module, bool *complete)
{
	linker_ctf_t ctf;

	nifuncs = 0;
	memset(&ctf, 0, sizeof(ctf));
	*complete = linker_ctf_get(file, &ctf) == 0 && ctf.symtab != NULL && ctf.strtab != NULL;
	if (!*complete) {
		if (file == linker_kernel_file)
			ht_say("this kernel has no types (CTF), and so no data symbols");
		return (0);
	}
	send_types(&ctf, module);
	return (send_symbols(&ctf, file, module));
}
