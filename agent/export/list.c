/*
 * Owns: in which order and form the list goes into its digest. Must not: judge it.
 */
#include "export/list.h"

#include <string.h>

static int add_number(struct digest_fields *list, uint64_t value, size_t size)
{
    uint8_t bytes[sizeof(value)];

    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
    return digest_fields_add(list, bytes, size);
}

int export_list_new(size_t count, struct digest_fields **ret)
{
    struct digest_fields *list = NULL;
    int r = digest_fields_new(&list);

    if (r >= 0)
        r = add_number(list, count, sizeof(uint32_t));
    if (r < 0) {
        (void)digest_fields_free(list);
        return r;
    }
    *ret = list;
    return 0;
}

int export_list_add(struct digest_fields *list, const char *name, uint64_t size)
{
    int r = digest_fields_add(list, name, strlen(name));

    return r < 0 ? r : add_number(list, size, sizeof(size));
}
