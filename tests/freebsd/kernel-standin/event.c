/* SPDX-License-Identifier: BSD-2-Clause */
/* Event handlers: lists by name, in order of priority; one that runs is not removed under it. */
#include "host.h"

#include <sys/eventhandler.h>

MALLOC_DEFINE(M_EVENT, "eventhandler", "event handlers of the stand-in kernel");

static TAILQ_HEAD(, eventhandler_list) lists = TAILQ_HEAD_INITIALIZER(lists);
static volatile u_int lists_lock;

/* The entry's function follows it, whatever its type is. */
struct entry {
	struct eventhandler_entry ee;
	void	*function;
};

static struct eventhandler_list *
find(const char *name)
{
	struct eventhandler_list *list;

	TAILQ_FOREACH(list, &lists, el_link)
		if (strcmp(list->el_name, name) == 0)
			return (list);
	return (NULL);
}

struct eventhandler_list *
eventhandler_create_list(const char *name)
{
	struct eventhandler_list *list, *made;
	char *copy = malloc(strlen(name) + 1, M_EVENT, M_WAITOK);

	made = malloc(sizeof(*made), M_EVENT, M_WAITOK | M_ZERO);
	strlcpy(copy, name, strlen(name) + 1);
	made->el_name = copy;
	TAILQ_INIT(&made->el_entries);
	mtx_init(&made->el_lock, copy, NULL, MTX_DEF);
	ht_spin_lock(&lists_lock);
	list = find(name);
	if (list == NULL)
		TAILQ_INSERT_HEAD(&lists, list = made, el_link);
	ht_spin_unlock(&lists_lock);
	if (list != made) {
		free(copy, M_EVENT);
		free(made, M_EVENT);
	}
	return (list);
}

struct eventhandler_list *
eventhandler_find_list(const char *name)
{
	struct eventhandler_list *list;

	ht_spin_lock(&lists_lock);
	list = find(name);
	ht_spin_unlock(&lists_lock);
	if (list != NULL)
		mtx_lock(&list->el_lock);
	return (list);
}

eventhandler_tag
eventhandler_register(struct eventhandler_list *list, const char *name, void *function, void *arg,
    int priority)
{
	struct entry *entry = malloc(sizeof(*entry), M_EVENT, M_WAITOK | M_ZERO);
	struct eventhandler_entry *at;

	if (list == NULL)
		list = eventhandler_create_list(name);
	entry->function = function;
	entry->ee.ee_arg = arg;
	entry->ee.ee_priority = priority;
	mtx_lock(&list->el_lock);
	TAILQ_FOREACH(at, &list->el_entries, ee_link)
		if (at->ee_priority > priority)
			break;
	if (at != NULL)
		TAILQ_INSERT_BEFORE(at, &entry->ee, ee_link);
	else
		TAILQ_INSERT_TAIL(&list->el_entries, &entry->ee, ee_link);
	mtx_unlock(&list->el_lock);
	return (&entry->ee);
}

/* Called with the list locked, lets go of it, and waits for whoever runs through it. */
void
eventhandler_deregister(struct eventhandler_list *list, eventhandler_tag tag)
{
	while (list->el_runcount != 0)
		mtx_sleep(list, &list->el_lock, 0, "evhrun", 0);
	TAILQ_REMOVE(&list->el_entries, tag, ee_link);
	mtx_unlock(&list->el_lock);
	free(tag, M_EVENT);
}

void
eventhandler_prune_list(struct eventhandler_list *list)
{
	wakeup(list);
}
