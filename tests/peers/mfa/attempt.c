/*
 * Logins through PAM as a program makes them that does not wait: attempt CONFDIR SERVICE USER [BARRIER]. Each line of standard input answers the
 * prompt of one pam_authenticate(3); after each the name of its result is printed. With BARRIER, a FIFO, the first attempt begins when its writer
 * has gone, so that many processes begin at once.
 */
#include <fcntl.h>
#include <security/pam_appl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char line[1024];

static int converse(int n, const struct pam_message **messages, struct pam_response **ret, void *context)
{
    struct pam_response *responses = calloc((size_t)n, sizeof(*responses));

    (void)context;
    if (!responses)
        return PAM_BUF_ERR;
    for (int i = 0; i < n; i++)
        if (messages[i]->msg_style == PAM_PROMPT_ECHO_OFF || messages[i]->msg_style == PAM_PROMPT_ECHO_ON)
            responses[i].resp = strdup(line);
    *ret = responses;
    return PAM_SUCCESS;
}

/* The pause after a failure is the application's to keep, and an attacker's does not. */
static void no_delay(int result, unsigned us, void *context)
{
    (void)result, (void)us, (void)context;
}

static const char *name_of(int result)
{
    switch (result) {
    case PAM_SUCCESS:
        return "success";
    case PAM_IGNORE:
        return "ignore";
    case PAM_AUTH_ERR:
        return "auth-err";
    case PAM_MAXTRIES:
        return "maxtries";
    case PAM_AUTHINFO_UNAVAIL:
        return "authinfo-unavail";
    case PAM_USER_UNKNOWN:
        return "user-unknown";
    default:
        return "other";
    }
}

static int attempt(const char *directory, const char *service, const char *user)
{
    const struct pam_conv conversation = {.conv = converse};
    void (*delay)(int, unsigned, void *) = no_delay;
    pam_handle_t *pamh = NULL;
    void *item;
    int r;

    memcpy(&item, &delay, sizeof(item));
    r = pam_start_confdir(service, user, &conversation, directory, &pamh);
    if (r == PAM_SUCCESS)
        r = pam_set_item(pamh, PAM_FAIL_DELAY, item);
    if (r == PAM_SUCCESS)
        r = pam_authenticate(pamh, 0);
    (void)pam_end(pamh, r);
    return r;
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 2;
    if (argc > 4) {
        char byte;
        int fd = open(argv[4], O_RDONLY | O_CLOEXEC);

        while (fd >= 0 && read(fd, &byte, 1) > 0)
            ;
    }
    while (fgets(line, sizeof(line), stdin)) {
        line[strcspn(line, "\n")] = '\0';
        puts(name_of(attempt(argv[1], argv[2], argv[3])));
        (void)fflush(stdout);
    }
    return 0;
}
