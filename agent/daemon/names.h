#pragma once

struct policy_names;

/* The machine's name service, for policy_resolve(). */
extern const struct policy_names names_of_machine;
