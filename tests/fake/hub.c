/*
 * Owns: a whole centre for tests, and requests to become its terminal.
 * Must not: be of any use outside tests.
 */
#include "fake/hub.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "hub/centre/centre.h"
#include "hub/enrol/root_chain.h"
#include "hub/store/groups.h"
#include "hub/store/tokens.h"

static const char passphrase[] = "a passphrase of tests";

const struct fake_machine fake_machine_usual = {
    .journal = STATEMENT_JOURNAL, .wire = STATEMENT_WIRE, .host = "kazei-07", .serial = "5CG1234ABC", .nonce = 1};

static void use_known_head(const struct fake_hub *h)
{
    char path[128], *pem = NULL;
    int fd;

    (void)snprintf(path, sizeof(path), "%s/keys", h->place);
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    signed_insist(fd >= 0, "keys");
    signed_insist(trust_key_write_private(signed_key(6), passphrase, &pem) == 0, "head key");
    signed_insist(files_write_atomic_at(fd, "head.key", pem, strlen(pem), 0600) == 0, "head.key");
    signed_insist(files_write_atomic_at(fd, "head.passphrase", passphrase, strlen(passphrase), 0600) == 0,
                  "head.passphrase");
    (void)trust_secret_free(pem);
    (void)close(fd);
}

struct hub_store *fake_hub_store(const struct fake_hub *h)
{
    struct hub_store *s = NULL;

    signed_insist(hub_store_open(h->directory, SIGNED_NOW, &s) == 0, "store");
    return s;
}

void fake_hub_begin(struct fake_hub *h, int64_t now_us)
{
    static const char *const names[] = {"hub.example", NULL};
    const struct hub_actor actor = {.name = "local:tanaka", .now_us = now_us};
    struct centre_settings settings = {
        .organization = SIGNED_ORGANIZATION, .names = names, .listen = "127.0.0.1", .port = 4222};
    struct centre_complaint complaint = {0};
    struct centre_made made = {0};
    struct hub_store *s;

    *h = (struct fake_hub){0};
    (void)snprintf(h->path, sizeof(h->path), "/tmp/kuraban-hub.XXXXXX");
    signed_insist(mkdtemp(h->path) != NULL, "directory");
    (void)snprintf(h->place, sizeof(h->place), "%s/centre", h->path);
    settings.directory = h->place;
    signed_insist(centre_create(&settings, &actor, &made, &complaint) == CENTRE_OK, "centre");
    signed_insist(digest_from_hex(made.pin + strlen("sha256:"), &h->ca) == 0, "pin");
    centre_made_done(&made);
    use_known_head(h);
    h->directory = open(h->place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    signed_insist(h->directory >= 0, "directory");
    s = fake_hub_store(h);
    signed_insist(hub_group_create(s, &actor, "kazei") == HUB_GROUP_OK, "group");
    (void)hub_store_free(s);
}

void fake_hub_end(struct fake_hub *h)
{
    char command[128];

    (void)close(h->directory);
    (void)snprintf(command, sizeof(command), "rm -rf %s", h->path);
    signed_insist(system(command) == 0, "removal");
}

int fake_hub_add_root(const struct fake_hub *h, struct trust_envelope *root, int64_t now_us)
{
    const struct hub_actor actor = {.name = "local:tanaka", .now_us = now_us};
    struct signed_bytes file = signed_file(root);
    struct root_chain_refusal refusal = {0};
    struct root_chain_added added = {0};
    struct hub_store *s = fake_hub_store(h);
    uint8_t public[TRUST_PUBLIC_SIZE];
    struct digest head;
    int r;

    signed_public(6, public);
    signed_insist(trust_key_id(public, &head) == 0, "head's id");
    r = root_chain_add(s, &actor, &head, file.data, file.size, &added, &refusal);
    signed_insist(r != ROOT_CHAIN_OK || added.n == 1, "one was added");
    (void)hub_store_free(s);
    free(file.data);
    return r;
}

struct fake_token fake_hub_token(const struct fake_hub *h, const char *serial, bool approval, int64_t now_us)
{
    const struct hub_actor actor = {.name = "local:tanaka", .now_us = now_us};
    const struct hub_token_wish wish = {.group = "kazei", .serial = serial, .hours = 72, .approval = approval};
    struct hub_store *s = fake_hub_store(h);
    struct fake_token t = {0};

    signed_insist(hub_token_create(s, &actor, &wish, &t.number, t.text) == HUB_TOKEN_OK, "token");
    (void)hub_store_free(s);
    return t;
}

char *fake_enrolment(const struct fake_hub *h, const struct fake_machine *m, const char *token, int64_t now_us)
{
    struct fleet_statement s = statement_usual(FLEET_ENROLMENT);
    struct trust_complaint complaint = {0};
    uint8_t *envelope = NULL;
    size_t size = 0;
    char *body = NULL;

    s.enrolment.host = (char *)m->host;
    s.enrolment.machine = (char *)m->serial;
    s.enrolment.ca = h->ca;
    s.enrolment.issued_us = now_us;
    memset(s.enrolment.nonce, m->nonce, sizeof(s.enrolment.nonce));
    signed_public(m->journal, s.enrolment.journal);
    statement_wire(m->wire, s.enrolment.wire);
    signed_insist(digest_bytes(token, strlen(token), &s.enrolment.token) == 0, "token");
    signed_insist(fleet_statement_seal(&s, signed_key(m->journal), &envelope, &size, &complaint) == TRUST_OK,
                  complaint.text);
    signed_insist(asprintf(&body, "{\"token\": \"%s\", \"enrolment\": %.*s}", token, (int)size, envelope) > 0, "body");
    free(envelope);
    return body;
}
