#pragma once

#include <jansson.h>
#include <stdio.h>

/* Records for other programs. Both return 0 or -EIO when the stream does not take them. */

/* RFC 4180: CRLF, every field quoted. A field that a spreadsheet would read as a formula gets a leading apostrophe. */
int export_csv_header(FILE *out);
int export_csv_record(FILE *out, json_t *record);
/* The line exactly as it stands in the journal, so that what is exported still verifies. */
int export_ndjson_line(FILE *out, const char *line, size_t size);
/* One field, without the separators; text may be NULL (an empty field). */
int export_csv_field(FILE *out, const char *text);
