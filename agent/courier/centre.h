#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "policy/fleet/wire_key.h"
#include "policy/trust/trust.h"

/*
 * Where the centre is and how the courier gets in: `centre.json` (kuraban-centre/1, docs/FILEFORMAT.fleet.md) and `wire.nk` in the folder
 * courier/ of kuraband's state directory. The folder is the courier's alone (0700), and so are its files: nothing that they say is believed
 * by kuraband.
 */

enum {
    CENTRE_URLS_MAX = 16,
    CENTRE_FILE_MAX = 64 * 1024,
    CENTRE_JWT_MAX = 16 * 1024,
    CENTRE_URL_MAX = 255, /* bytes of an address */
};

struct centre {
    char *urls[CENTRE_URLS_MAX + 1]; /* of the broker, "tls://hub.example:4222"; ended by NULL */
    size_t n_urls;                   /* at least 1 */
    char *jwt;                       /* what the broker lets this terminal do */
    char *ca;                        /* PEM: the one authority that is believed */
    char *hub;                       /* "https://hub.example:8443", for renewal */
    struct digest pin;               /* of the authority's SubjectPublicKeyInfo, as it was given to a person */
};

void centre_done(struct centre *c);
/* enum trust_result, -ENOMEM. What is read is written the same again. */
int centre_parse(const uint8_t *bytes, size_t size, struct centre *ret, struct trust_complaint *complaint);
int centre_format(const struct centre *c, uint8_t **ret, size_t *ret_size, struct trust_complaint *complaint);

/*
 * The folder, held open. owner: whose it is made; NOBODY of it is asked when it is there. -ENOENT: not there and create is 0; -EPERM: it is another's
 * than owner's, or others can enter it.
 */
int centre_folder(int state_directory, uid_t owner, gid_t group, int create);
/* By whoever owns the folder, or root for its owner: what is written is the owner's, 0600. enum trust_result (write only: what would be refused
 * when read), -EPERM: others can read it; -ENOENT, … */
int centre_write(int folder, const struct centre *c, struct trust_complaint *complaint);
int centre_read(int folder, struct centre *ret, struct trust_complaint *complaint);
/* A new key of the wire instead of the one that is there; and the one that is. As wire_file_*(). */
int centre_key_create(int folder, struct wire_key **ret);
int centre_key_read(int folder, struct wire_key **ret);
int centre_remove(int folder); /* both files. 0 or -errno */
