#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"

/*
 * Who may rule: DSSE envelopes over exact bytes, Ed25519 keys, a root document that names keys, roles and thresholds, a
 * policy signed by the policy role, a head that selects one policy for one group. docs/FILEFORMAT.trust.md has every format with an
 * example that openssl(1) alone verifies. Nothing here reads a clock, a file or a name service; every function starts from refusal.
 *
 * Outcomes of verification are enum trust_result: 0 is good, positive ones are refusals with a message for people
 * (trust_result_text) and a stable name (trust_result_name) for journal and JSON; -ENOMEM and -EIO (OpenSSL) are fatal.
 */

enum trust_result {
    TRUST_OK = 0,
    TRUST_E_TOO_LONG = 1,  /* longer than the limit of its kind; not parsed */
    TRUST_E_MALFORMED,     /* not the JSON it must be: syntax, truncated, unknown or missing key, wrong type, base64 */
    TRUST_E_DUPLICATE_KEY, /* a JSON object names a key twice */
    TRUST_E_PAYLOAD_TYPE,  /* an envelope of another kind than expected */
    TRUST_E_FORMAT,        /* a future version of the format */
    TRUST_E_UNKNOWN_ROLE,  /* the root document names a role this version does not know */
    TRUST_E_THRESHOLD,     /* too few good signatures by different keys of the role */
    TRUST_E_REPEATED_KEY,  /* one key signed twice in the same envelope */
    TRUST_E_BAD_SIGNATURE, /* a signature that claims a known key of the role and does not fit */
    TRUST_E_ORGANIZATION,  /* for another organization */
    TRUST_E_SCOPE,         /* for other groups or terminals */
    TRUST_E_ROLLBACK,      /* older than what rules */
    TRUST_E_SAME_VERSION,  /* the version that rules with other content */
    TRUST_E_ROOT_EXPIRED,  /* nothing new under an expired root; what rules rules on */
    TRUST_E_ROOT_CHAIN,    /* a new root that skips a version, or is not signed by the old and the new threshold */
    TRUST_E_HEAD_EXPIRED,  /* freeze: the head is over */
    TRUST_E_HEAD_MISMATCH, /* mix and match: the head names another policy */
    TRUST_E_EXPIRED,       /* the policy's own time is over before it was ever applied */
    TRUST_E_NOT_YET,       /* valid.from lies ahead */
    TRUST_E_POLICY,        /* well signed, but the document has errors; findings tell */
    TRUST_E_NO_ROOT,       /* no root document is installed */
    TRUST_E_UNSIGNED,      /* a bare document where signed ones rule */
    TRUST_RESULT_COUNT_,
};
const char *trust_result_name(enum trust_result r); /* "too-few-signatures" … */
const char *trust_result_text(enum trust_result r); /* msgid */

/* What went wrong where, beside the result: a line for people, e.g. "1 good signature of 2 needed; key 3f21… signed twice". */
struct trust_complaint {
    char text[256];                                /* printable UTF-8, "" when there is nothing to add */
    const char *(*translate)(const char *message); /* gettext of the program; NULL: English. Set by the caller */
};

enum {
    TRUST_ENVELOPE_MAX = 512 * 1024, /* bytes of an envelope file: it holds a policy of POLICY_DOCUMENT_MAX in base64 */
    TRUST_ROOT_MAX = 64 * 1024,      /* bytes of the payloads */
    TRUST_HEAD_MAX = 16 * 1024,
    TRUST_STATEMENT_MAX = 16 * 1024, /* what terminals and centre tell each other: policy/fleet */
    TRUST_BUNDLE_MAX = 1024 * 1024,  /* bytes of a bundle file and of the state file */
    TRUST_SIGNATURES_MAX = 16,
    TRUST_KEYS_MAX = 64,
    TRUST_ROOTS_MAX = 16, /* rotations one bundle can carry a terminal over */
    TRUST_NAME_MAX = 255,
    TRUST_HEAD_DAYS_MAX = 31,           /* a head may rule that long */
    TRUST_CLOCK_SLACK_S = 24 * 60 * 60, /* so far ahead of the terminal's clock a head may have been issued */
};
#define TRUST_VERSION_MAX ((UINT64_C(1) << 53) - 1) /* what every JSON reader holds exactly */

#define TRUST_TYPE_POLICY "application/vnd.kuraban.policy.v1+yaml"
#define TRUST_TYPE_ROOT "application/vnd.kuraban.root.v1+json"
#define TRUST_TYPE_HEAD "application/vnd.kuraban.head.v1+json"
/* policy/fleet/statement.h. The role `head` signs these: */
#define TRUST_TYPE_MEMBERSHIP "application/vnd.kuraban.membership.v1+json"
#define TRUST_TYPE_ACK "application/vnd.kuraban.ack.v1+json"
#define TRUST_TYPE_ORDER "application/vnd.kuraban.order.v1+json"
/* and a terminal's own key these: */
#define TRUST_TYPE_REPORT "application/vnd.kuraban.report.v1+json"
#define TRUST_TYPE_ENROLMENT "application/vnd.kuraban.enrolment.v1+json"

/* A key's id is the SHA-256 of its DER SubjectPublicKeyInfo. */

/* --- Documents --- */

enum trust_role {
    TRUST_ROLE_ROOT = 0,
    TRUST_ROLE_POLICY,
    TRUST_ROLE_HEAD,
    TRUST_ROLE_COUNT_,
    TRUST_ROLE_NONE = TRUST_ROLE_COUNT_, /* no role of the root document: no threshold of it can be met */
};
const char *trust_role_name(enum trust_role role);

struct trust_key {
    struct digest id;
    char *name; /* whose it is: "総務課 田中" */
    uint8_t public[32];
};

struct trust_root {
    char *organization;
    uint64_t version;
    int64_t expires_us;
    struct trust_key *keys;
    size_t n_keys;
    struct {
        size_t keys[TRUST_KEYS_MAX]; /* indices into keys, different ones */
        size_t n;                    /* 0 for head: nobody may select, no head is ever accepted */
        unsigned threshold;          /* 1…n; 0 when n is 0 */
    } roles[TRUST_ROLE_COUNT_];
};
struct trust_root *trust_root_free(struct trust_root *r);

struct trust_head {
    char *organization, *group;
    uint64_t version; /* of the head itself; only rises */
    int64_t issued_us, expires_us;
    uint64_t policy_version;
    struct digest policy_sha256; /* of the exact bytes of the document */
};
struct trust_head *trust_head_free(struct trust_head *h);

/* --- Verification --- */

/* Who verifies: the terminal, or somebody who checks for it. now_us: the wall clock as it is; trust_apply() itself lets no time before the
 * newest head accepted count. */
struct trust_terminal {
    const char *id;            /* NULL: not known */
    const char *const *groups; /* may be empty */
    size_t n_groups;
    int64_t now_us;
};

/* What a terminal holds: its root, the policy that rules and the newest head. One file, so that no power cut leaves half. */
struct trust_state;
/* The first root: signed by its own threshold; the person who installs it vouches for it. */
int trust_install_root(const uint8_t *envelope, size_t size, int64_t now_us, struct trust_state **ret,
                       struct trust_complaint *complaint);
/*
 * The bytes of the state file; read back, all its signatures are verified again (its times and scope are not asked). The policy is
 * verified under the root that was current when it was accepted: the state keeps that root beside the current one as long as the
 * policy rules, so that a rotation that removes a signer does not take the policy away. A head that the current root does not carry
 * any more is dropped by the rotation: heads count anew from there, so that a stolen head key cannot block all later heads by a huge
 * version.
 */
int trust_state_write(const struct trust_state *s, uint8_t **ret, size_t *ret_size);
int trust_state_read(const uint8_t *bytes, size_t size, struct trust_state **ret, struct trust_complaint *complaint);
struct trust_state *trust_state_free(struct trust_state *s);

const struct trust_root *trust_state_root(const struct trust_state *s); /* never NULL */
const struct trust_head *trust_state_head(const struct trust_state *s); /* NULL: none yet */
/* The exact bytes of the policy, borrowed; NULL: none yet. */
const uint8_t *trust_state_policy(const struct trust_state *s, size_t *ret_size);
uint64_t trust_state_policy_version(const struct trust_state *s); /* 0: none yet */
/* Who signed it, borrowed: keys of the root it was accepted under. 0: no policy yet. */
size_t trust_state_signers(const struct trust_state *s, const struct trust_key *ret[static TRUST_SIGNATURES_MAX]);
/* The digest of the policy's exact bytes; NULL: none yet. */
const struct digest *trust_state_policy_sha256(const struct trust_state *s);

struct policy;
struct policy_findings;
/* Does a policy speak to this terminal? One without scope does to all. For signed and for standalone policies. */
bool trust_policy_in_scope(const struct policy *p, const struct trust_terminal *terminal);

/*
 * A bundle (kuraban-bundle/1: roots, policy, head; each optional but not all) or a bare envelope of any of them, against what the
 * terminal holds (NULL: TRUST_E_NO_ROOT). TRUST_OK: *ret is the new state to be stored and then ruled by, *ret_policy the policy to
 * rule by, one reference, or NULL when the bundle brings none (the one that rules rules on); s is unchanged whatever comes. Order:
 * length, JSON, roots (each against the one before), the last root's expiry; then of the policy: signatures, the document itself
 * (policy_load(): organization, scope and version stand in the YAML), organization, scope, version, times; then of the head:
 * signatures, JSON, organization, group, version, times, the policy it names. The version that rules with the same content is
 * TRUST_OK and its times are not asked: nothing changes but who signed it.
 */
int trust_apply(const struct trust_state *s, const struct trust_terminal *terminal, const uint8_t *bundle, size_t size,
                struct trust_state **ret, struct policy **ret_policy, struct policy_findings *findings,
                struct trust_complaint *complaint);
