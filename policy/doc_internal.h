#pragma once

#include <yaml.h>

#include "policy/doc.h"

/* For doc*.c only. */
struct doc {
    yaml_document_t yaml;
    bool loaded;
    bool stopped;                     /* not everything was read */
    struct policy_findings *findings; /* not owned */
};
