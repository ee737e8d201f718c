#pragma once

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "policy/fleet/names.h"
#include "policy/fleet/nkey.h"
#include "policy/trust/write.h"

/*
 * What terminals and centre tell each other, signed: docs/FILEFORMAT.fleet.md. The wire between them is trusted with nothing; who reads one of
 * these has verified it here. No clock, no file, no state: what a statement is worth beside what one holds, judge.h says.
 *
 * Outcomes are enum trust_result; -ENOMEM and -EIO (OpenSSL) are fatal.
 */

enum fleet_kind {
    FLEET_NONE = 0,
    FLEET_MEMBERSHIP, /* centre: who this terminal is, and its groups. Role `head` */
    FLEET_ACK,        /* centre: the journal is kept up to here. Role `head` */
    FLEET_ORDER,      /* centre: asks or takes away, gives nothing. Role `head` */
    FLEET_REPORT,     /* terminal: what rules here. Its journal's key */
    FLEET_ENROLMENT,  /* a terminal that wants to become one. Its journal's key, which it names */
    FLEET_KIND_COUNT_,
};

enum {
    FLEET_GROUPS_MAX = 16,
    FLEET_ID128_SIZE = 16,
    FLEET_ID128_HEX_SIZE = 33,              /* characters with NUL */
    FLEET_ENVELOPE_MAX = 32 * 1024,         /* bytes of a statement's envelope; nothing longer is parsed */
    FLEET_ORDER_SECONDS_MAX = 24 * 60 * 60, /* an order is good that long */
};

struct fleet_groups {
    char *names[FLEET_GROUPS_MAX]; /* as policies call them; different ones */
    size_t n;                      /* at least 1 */
};

struct fleet_membership {
    char *organization;
    char terminal[FLEET_ID_SIZE]; /* the id of the journal's key */
    uint8_t journal[TRUST_PUBLIC_SIZE];
    char wire[NKEY_PUBLIC_SIZE]; /* "U…"; never the journal's key */
    struct fleet_groups groups;
    uint64_t serial; /* only rises */
    int64_t issued_us;
};

struct fleet_ack {
    char *organization;
    char terminal[FLEET_ID_SIZE];
    uint64_t sequence;  /* of the last record kept */
    struct digest hash; /* its hash in the journal */
    int64_t issued_us;
};

enum fleet_order_kind {
    FLEET_ORDER_NONE = 0,
    FLEET_ORDER_REPORT,     /* report now */
    FLEET_ORDER_END_GRANTS, /* end all temporary permissions */
};

struct fleet_order {
    char *organization;
    char terminal[FLEET_ID_SIZE];
    uint8_t id[FLEET_ID128_SIZE]; /* random: each is carried out once */
    enum fleet_order_kind kind;
    int64_t issued_us, expires_us;
};

enum fleet_source {
    FLEET_SOURCE_NONE = 0,
    FLEET_SOURCE_FILE,
    FLEET_SOURCE_LAST_GOOD,
    FLEET_SOURCE_SIGNED,
};

enum fleet_status {
    FLEET_STATUS_NONE = 0,
    FLEET_STATUS_APPLIED,
    FLEET_STATUS_FAILED,
};

struct fleet_report {
    char *organization; /* NULL: no root is installed */
    char terminal[FLEET_ID_SIZE];
    uint64_t sequence; /* counts the reports of one run of kuraband, from 1 */
    int64_t issued_us; /* by the terminal's clock */
    uint8_t boot[FLEET_ID128_SIZE];
    struct {
        char *agent, *kernel, *system;
    } versions;
    bool has_policy;
    struct {
        uint64_t version;
        struct digest sha256;
        char *name;
        enum fleet_source source;
    } policy; /* what rules */
    bool has_head;
    struct {
        char *group;
        uint64_t version;
    } head;
    bool has_outcome;
    struct {
        struct digest bundle; /* SHA-256 of its bytes */
        enum fleet_status status;
        char *reason; /* of a failure, else NULL */
    } outcome;        /* of the bundle that came last */
    struct {
        uint64_t sequence;
        struct digest hash;
    } journal;           /* its last record */
    uint64_t membership; /* serial; 0: none yet */
};

struct fleet_enrolment {
    struct digest token; /* SHA-256 of the token that goes beside it: the request is of no use with another */
    struct digest
        ca; /* of the SubjectPublicKeyInfo of the centre's CA, as the terminal has pinned it: nor at another centre */
    char *host;
    char *machine; /* the serial number the firmware tells; NULL: it tells none */
    char *agent;   /* version */
    uint8_t journal[TRUST_PUBLIC_SIZE];
    char wire[NKEY_PUBLIC_SIZE];
    int64_t issued_us;
    uint8_t nonce[FLEET_ID128_SIZE]; /* the same again: the answer was lost, not another request */
};

struct fleet_statement {
    enum fleet_kind kind;
    union {
        struct fleet_membership membership;
        struct fleet_ack ack;
        struct fleet_order order;
        struct fleet_report report;
        struct fleet_enrolment enrolment;
    };
};

/* 32 lower-case hexadecimal digits. 0 or -EBADMSG. */
int fleet_id128_read(const char *text, uint8_t ret[static FLEET_ID128_SIZE]);
void fleet_id128_write(const uint8_t id[static FLEET_ID128_SIZE], char ret[static FLEET_ID128_HEX_SIZE]);

const char *fleet_kind_type(enum fleet_kind kind); /* TRUST_TYPE_…; NULL: no such kind */
struct fleet_statement *fleet_statement_free(struct fleet_statement *s);
DEFINE_CLEANUP(struct fleet_statement *, fleet_statement_free);

/* --- Writing --- */

/* JSON, pretty, ends with a newline; times are cut to the second. What would be refused when read is refused with its result. */
int fleet_statement_write(const struct fleet_statement *s, uint8_t **ret, size_t *ret_size,
                          struct trust_complaint *complaint);
/* The envelope with one signature. A report and an enrolment are signed by their own journal's key and no other: TRUST_E_SCOPE. */
int fleet_statement_seal(const struct fleet_statement *s, EVP_PKEY *key, uint8_t **ret, size_t *ret_size,
                         struct trust_complaint *complaint);

/* --- Reading --- */

/* The payload alone, of this kind and no other; nothing is verified. */
int fleet_statement_parse(enum fleet_kind kind, const uint8_t *payload, size_t size, struct fleet_statement **ret,
                          struct trust_complaint *complaint);

#define FLEET_KIND(kind) (1U << (kind))
/*
 * An envelope of the centre: of one of these kinds (FLEET_KIND() bits, all of them the role `head`'s), signed by a full threshold of the
 * role under this root, for the root's organization. Under a root that has expired nothing is taken: TRUST_E_ROOT_EXPIRED.
 */
int fleet_open_from_centre(const uint8_t *envelope, size_t size, unsigned kinds, const struct trust_root *root,
                           int64_t now_us, struct fleet_statement **ret, struct trust_complaint *complaint);
/* A report, signed by this key, of the terminal that the key is. */
int fleet_open_report(const uint8_t *envelope, size_t size, const uint8_t journal[static TRUST_PUBLIC_SIZE],
                      struct fleet_statement **ret, struct trust_complaint *complaint);
/* An enrolment, signed by the journal's key that it names: so its sender has that key. Whether it may become a terminal, the token says. */
int fleet_open_enrolment(const uint8_t *envelope, size_t size, struct fleet_statement **ret,
                         struct trust_complaint *complaint);
