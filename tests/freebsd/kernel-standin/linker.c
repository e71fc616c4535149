/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The linker: files that the process has loaded, their symbols and sets, and what happens when a
 * module comes and goes, in the order of kern_linker.c and kern_module.c.
 */
#include "host.h"

#include <sys/eventhandler.h>
#include <sys/linker.h>
#include <sys/module.h>
#include <sys/sx.h>
#include <machine/elf.h>

MALLOC_DEFINE(M_STANDIN_LINKER, "linker", "files of the stand-in kernel");

struct module {
	TAILQ_ENTRY(module) flink;
	const moduledata_t *data;
	int		error;
};

struct file {
	struct linker_file lf;
	struct ht_file	from;
};

linker_file_t linker_kernel_file;
static linker_file_list_t files = TAILQ_HEAD_INITIALIZER(files);
static struct sx kld_sx;
static int next_id;
/* The file whose sysinits run. */
static linker_file_t loading;

void *ht_kernel_add_file(const struct ht_file *);
int ht_kernel_load(linker_file_t);
int ht_kernel_unload(linker_file_t);

void
ht_linker_init(void)
{
	sx_init(&kld_sx, "kernel linker");
}

int
root_mounted(void)
{
	return (1);
}

/* A file, laid out and relocated; `from` and what it points to is the kernel's from now on. */
void *
ht_kernel_add_file(const struct ht_file *from)
{
	struct file *file = malloc(sizeof(*file), M_STANDIN_LINKER, M_WAITOK | M_ZERO);
	linker_file_t lf = &file->lf;

	file->from = *from;
	lf->refs = lf->userrefs = 1;
	lf->flags = LINKER_FILE_LINKED;
	lf->filename = lf->pathname = __DECONST(char *, from->name);
	lf->address = from->base;
	lf->size = from->size;
	lf->id = ++next_id;
	TAILQ_INIT(&lf->modules);
	if (linker_kernel_file == NULL) {
		linker_kernel_file = lf;
		TAILQ_INSERT_TAIL(&files, lf, link);
	}
	return (lf);
}

/* Queries. */

int
linker_file_foreach(linker_predicate_t *predicate, void *context)
{
	linker_file_t lf;
	int result = 0;

	sx_xlock(&kld_sx);
	TAILQ_FOREACH(lf, &files, link) {
		result = predicate(lf, context);
		if (result != 0)
			break;
	}
	sx_xunlock(&kld_sx);
	return (result);
}

int
linker_file_lookup_set(linker_file_t lf, const char *name, void *start, void *stop, int *count)
{
	const struct ht_file *from = &((struct file *)lf)->from;
	size_t i;

	for (i = 0; i < from->nsets; i++) {
		const struct ht_set *set = &from->sets[i];

		if (strcmp(set->name, name) != 0)
			continue;
		if (start != NULL)
			*(void **)start = set->start;
		if (stop != NULL)
			*(void **)stop = set->stop;
		if (count != NULL)
			*count = (void **)set->stop - (void **)set->start;
		return (0);
	}
	return (ESRCH);
}

/* A symbol's value; of an ifunc, that of the function it chooses. */
static caddr_t
value(const Elf_Sym *sym)
{
	if (ELF_ST_TYPE(sym->st_info) == STT_GNU_IFUNC)
		return (((caddr_t (*)(void))sym->st_value)());
	return ((caddr_t)sym->st_value);
}

caddr_t
linker_file_lookup_symbol(linker_file_t lf, const char *name, int deps)
{
	const struct ht_file *from = &((struct file *)lf)->from;
	const Elf_Sym *sym = from->symtab;
	size_t i;

	for (i = 0; i < from->nsym; i++, sym++)
		if (sym->st_shndx != SHN_UNDEF && sym->st_name < from->strcnt &&
		    strcmp(from->strtab + sym->st_name, name) == 0)
			return (value(sym));
	if (deps && lf != linker_kernel_file)
		return (linker_file_lookup_symbol(linker_kernel_file, name, 0));
	return (NULL);
}

int
linker_file_function_listall(linker_file_t lf, linker_function_nameval_callback_t callback,
    void *arg)
{
	const struct ht_file *from = &((struct file *)lf)->from;
	const Elf_Sym *sym = from->symtab;
	int number = 0, error;
	size_t i;

	for (i = 0; i < from->nsym; i++, sym++) {
		int type = ELF_ST_TYPE(sym->st_info);
		linker_symval_t val;

		if (sym->st_shndx == SHN_UNDEF || (type != STT_FUNC && type != STT_GNU_IFUNC))
			continue;
		val.name = from->strtab + sym->st_name;
		/* What the process calls between two threads is the machine's, not the kernel's. */
		if (strncmp(val.name, "ht_kernel_", 10) == 0)
			continue;
		val.value = value(sym);
		val.size = sym->st_size;
		error = callback(lf, number++, &val, arg);
		if (error != 0)
			return (error);
	}
	return (0);
}

/* Types. The offsets of functions in their section are worked out by whoever asks first. */
int
linker_ctf_get(linker_file_t lf, linker_ctf_t *ctf)
{
	const struct ht_file *from = &((struct file *)lf)->from;

	memset(ctf, 0, sizeof(*ctf));
	if (from->ctf_size == 0)
		return (ENOENT);
	ctf->ctftab = from->ctf;
	ctf->ctfcnt = from->ctf_size;
	ctf->symtab = from->symtab;
	ctf->nsym = from->nsym;
	ctf->strtab = from->strtab;
	ctf->strcnt = from->strcnt;
	return (0);
}

/* Modules. */

void
module_register_init(const void *arg)
{
	const moduledata_t *data = arg;
	struct module *mod = malloc(sizeof(*mod), M_STANDIN_LINKER, M_WAITOK | M_ZERO);

	mod->data = data;
	mod->error = data->evhand(mod, MOD_LOAD, data->priv);
	if (mod->error != 0) {
		printf("module_register_init: MOD_LOAD (%s, %p, %p) error %d\n", data->name,
		    data->evhand, data->priv, mod->error);
		data->evhand(mod, MOD_UNLOAD, data->priv);
	}
	TAILQ_INSERT_TAIL(&loading->modules, mod, flink);
}

/* Calls a file's sysinits or sysuninits, in their order or against it. */
static void
call_sysinits(linker_file_t lf, const char *set, bool forward)
{
	struct sysinit **start, **stop, **a, **b, *swap;

	if (linker_file_lookup_set(lf, set, &start, &stop, NULL) != 0)
		return;
	for (a = start; a < stop; a++)
		for (b = a + 1; b < stop; b++) {
			bool later = (*a)->subsystem > (*b)->subsystem ||
			    ((*a)->subsystem == (*b)->subsystem && (*a)->order > (*b)->order);
			bool equal = (*a)->subsystem == (*b)->subsystem &&
			    (*a)->order == (*b)->order;

			if (equal || later != forward)
				continue;
			swap = *a;
			*a = *b;
			*b = swap;
		}
	for (a = start; a < stop; a++)
		(*a)->func((*a)->udata);
}

/* Frees a file and its modules; its memory is the process's. */
static void
drop_file(linker_file_t lf)
{
	struct module *mod;

	while ((mod = TAILQ_FIRST(&lf->modules)) != NULL) {
		TAILQ_REMOVE(&lf->modules, mod, flink);
		free(mod, M_STANDIN_LINKER);
	}
	free(lf, M_STANDIN_LINKER);
}

/* kldload(2), once the object is laid out. An error is the module's, and the file is gone. */
int
ht_kernel_load(linker_file_t lf)
{
	struct module *mod;
	int error = 0;

	sx_xlock(&kld_sx);
	TAILQ_INSERT_TAIL(&files, lf, link);
	sx_xunlock(&kld_sx);
	loading = lf;
	call_sysinits(lf, "sysinit_set", true);
	TAILQ_FOREACH(mod, &lf->modules, flink)
		if (mod->error != 0)
			error = mod->error;
	if (error == 0) {
		EVENTHANDLER_INVOKE(kld_load, lf);
		return (0);
	}
	sx_xlock(&kld_sx);
	call_sysinits(lf, "sysuninit_set", false);
	TAILQ_REMOVE(&files, lf, link);
	sx_xunlock(&kld_sx);
	drop_file(lf);
	return (error);
}

static int
ask(linker_file_t lf, int what)
{
	struct module *mod;
	int error;

	TAILQ_FOREACH(mod, &lf->modules, flink) {
		error = mod->data->evhand(mod, what, mod->data->priv);
		if (error != 0 && !(what == MOD_QUIESCE && error == EOPNOTSUPP))
			return (error);
	}
	return (0);
}

/* kldunload(2): with the linker's lock, which the module's thread may be waiting for. */
int
ht_kernel_unload(linker_file_t lf)
{
	char name[64];
	caddr_t address = lf->address;
	size_t size = lf->size;
	int error = 0;

	sx_xlock(&kld_sx);
	EVENTHANDLER_INVOKE(kld_unload_try, lf, &error);
	if (error != 0)
		error = EBUSY;
	if (error == 0)
		error = ask(lf, MOD_QUIESCE);
	if (error == 0)
		error = ask(lf, MOD_UNLOAD);
	if (error != 0) {
		sx_xunlock(&kld_sx);
		return (error);
	}
	lf->flags &= ~LINKER_FILE_LINKED;
	call_sysinits(lf, "sysuninit_set", false);
	TAILQ_REMOVE(&files, lf, link);
	strlcpy(name, lf->filename, sizeof(name));
	EVENTHANDLER_INVOKE(kld_unload, name, address, size);
	sx_xunlock(&kld_sx);
	drop_file(lf);
	return (0);
}
