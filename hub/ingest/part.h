#pragma once

#include "hub/serve/serve.h"

/* The record, as a part of the centre's process: from the stream EVT into hub.db, and acknowledgements back. */
extern const struct hub_part hub_ingest_part;
