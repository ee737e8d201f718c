/*
 * Owns: one side of a conversation. Must not: know which module speaks.
 */
#include "fake/pam.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int answer(struct fake_person *p, char **ret)
{
    const char *text = p->answers ? p->answers[p->asked] : NULL;

    if (p->answers_null)
        return PAM_SUCCESS;
    if (!text)
        return PAM_CONV_ERR;
    p->asked++;
    *ret = strdup(text);
    return *ret ? PAM_SUCCESS : PAM_BUF_ERR;
}

static int hear(struct fake_person *p, const struct pam_message *message, struct pam_response *response)
{
    if (p->said < FAKE_PAM_SAID) {
        p->heard[p->said].style = message->msg_style;
        (void)snprintf(p->heard[p->said].text, FAKE_PAM_TEXT, "%s", message->msg);
    }
    p->said++;
    if (message->msg_style == PAM_PROMPT_ECHO_OFF || message->msg_style == PAM_PROMPT_ECHO_ON)
        return answer(p, &response->resp);
    return PAM_SUCCESS;
}

static int converse(int n, const struct pam_message **messages, struct pam_response **ret, void *context)
{
    struct fake_person *p = context;
    struct pam_response *responses;
    int r = PAM_SUCCESS;

    if (p->leaves || n != 1)
        return PAM_CONV_ERR;
    responses = calloc((size_t)n, sizeof(*responses));
    if (!responses)
        return PAM_BUF_ERR;
    r = hear(p, messages[0], responses);
    if (r != PAM_SUCCESS) {
        free(responses);
        return r;
    }
    *ret = responses;
    return PAM_SUCCESS;
}

pam_handle_t *fake_pam_start(struct fake_person *person, const char *user)
{
    const struct pam_conv conversation = {.conv = converse, .appdata_ptr = person};
    pam_handle_t *pamh = NULL;

    if (pam_start("kuraban-test", user, &conversation, &pamh) != PAM_SUCCESS ||
        pam_set_item(pamh, PAM_RHOST, "192.0.2.7") != PAM_SUCCESS ||
        pam_set_item(pamh, PAM_TTY, "/dev/tty7") != PAM_SUCCESS)
        abort();
    return pamh;
}

void fake_pam_end(pam_handle_t *pamh)
{
    if (pam_end(pamh, PAM_SUCCESS) != PAM_SUCCESS)
        abort();
}

bool fake_pam_heard(const struct fake_person *p, int style, const char *text)
{
    for (size_t i = 0; i < p->said && i < FAKE_PAM_SAID; i++)
        if (p->heard[i].style == style && strstr(p->heard[i].text, text))
            return true;
    return false;
}
