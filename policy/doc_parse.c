/*
 * Owns: turning bytes into a YAML document that holds nothing but plain maps, lists and scalars, within limits.
 * Must not: know any key. What a document means is doc.c's and its tables' business.
 *
 * Two passes: events first, because anchors, tags and directives are gone from the loaded document, and because depth and
 * number of nodes must be known before memory is spent on them; then libyaml's document with a position for every node.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "policy/doc_internal.h"

struct scan {
    struct policy_findings *findings;
    size_t depth_max, nodes_max;
    size_t depth, nodes, documents;
};

static struct policy_position position_of(yaml_mark_t mark)
{
    return (struct policy_position){.line = (unsigned)mark.line + 1, .column = (unsigned)mark.column + 1};
}

static const char *problem_text(const yaml_parser_t *parser)
{
    /* libyaml's own words stay English: there are some hundred, and an SE reads them. */
    return parser->problem ? parser->problem : N_("this is not YAML");
}

/* Characters libyaml does not take (reader errors carry a byte offset and no mark). */
static struct policy_position position_of_offset(const uint8_t *bytes, size_t size, size_t offset)
{
    struct policy_position at = {1, 1};

    for (size_t i = 0; i < size && i < offset; i++) {
        if (bytes[i] == '\n')
            at = (struct policy_position){at.line + 1, 1};
        else if (bytes[i] < 0x80 || bytes[i] >= 0xc0)
            at.column++;
    }
    return at;
}

/* A quote or a key that never ends is noticed at the end of the text, or a line later: there is nothing to be seen there. */
static bool is_noticed_late(const yaml_parser_t *parser)
{
    return parser->context && parser->context_mark.line < parser->problem_mark.line &&
           (text_equal(parser->problem, "found unexpected end of stream") ||
            text_equal(parser->problem, "could not find expected ':'"));
}

static void tell_syntax_error(const yaml_parser_t *parser, struct policy_findings *findings)
{
    bool late = is_noticed_late(parser);

    policy_findings_add(findings, POLICY_ERROR, position_of(late ? parser->context_mark : parser->problem_mark),
                        N_("not valid YAML: %s"), problem_text(parser));
    if (parser->context && late)
        policy_findings_hint(findings, "%s", parser->context);
    else if (parser->context && parser->context_mark.index != parser->problem_mark.index)
        policy_findings_hint(findings, N_("%s that begins in line %zu, column %zu"), parser->context,
                             parser->context_mark.line + 1, parser->context_mark.column + 1);
}

static int tell_parser_error(const yaml_parser_t *parser, const uint8_t *bytes, size_t size,
                             struct policy_findings *findings)
{
    /* libyaml ends without any error where it could not copy a tag or an anchor. */
    if (parser->error == YAML_MEMORY_ERROR || parser->error == YAML_NO_ERROR)
        return -ENOMEM;
    if (parser->error == YAML_READER_ERROR)
        policy_findings_add(findings, POLICY_ERROR, position_of_offset(bytes, size, parser->problem_offset),
                            N_("not valid UTF-8 text: %s"), problem_text(parser));
    else
        tell_syntax_error(parser, findings);
    return DOC_E_INVALID;
}

static int refuse(struct scan *s, const yaml_event_t *event, const char *message, ...)
    __attribute__((format(printf, 3, 4)));
static int refuse(struct scan *s, const yaml_event_t *event, const char *message, ...)
{
    va_list arguments;

    va_start(arguments, message);
    policy_findings_add_v(s->findings, POLICY_ERROR, position_of(event->start_mark), message, arguments);
    va_end(arguments);
    return DOC_E_INVALID;
}

static int scan_node(struct scan *s, const yaml_event_t *event, const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (anchor)
        return refuse(s, event, N_("anchors (&) are not used here: write the value out"));
    if (tag)
        return refuse(s, event, N_("tags (!) are not used here"));
    if (++s->nodes > s->nodes_max)
        return refuse(s, event, N_("too many values in one document"));
    return 0;
}

static int scan_open(struct scan *s, const yaml_event_t *event)
{
    if (++s->depth > s->depth_max)
        return refuse(s, event, N_("nested too deeply"));
    return 0;
}

static int scan_scalar(struct scan *s, const yaml_event_t *event)
{
    if (memchr(event->data.scalar.value, 0, event->data.scalar.length))
        return refuse(s, event, N_("a NUL character is not allowed"));
    return scan_node(s, event, event->data.scalar.anchor, event->data.scalar.tag);
}

static int scan_document(struct scan *s, const yaml_event_t *event)
{
    if (++s->documents > 1)
        return refuse(s, event, N_("a second document: one file holds one"));
    if (event->data.document_start.version_directive ||
        event->data.document_start.tag_directives.start != event->data.document_start.tag_directives.end)
        return refuse(s, event, N_("directives (%%) are not used here"));
    return 0;
}

static int scan_event(struct scan *s, const yaml_event_t *event)
{
    int r;

    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        return scan_document(s, event);
    case YAML_ALIAS_EVENT:
        return refuse(s, event, N_("aliases (*) are not used here: write the value out, or put it in quotes"));
    case YAML_SCALAR_EVENT:
        return scan_scalar(s, event);
    case YAML_SEQUENCE_START_EVENT:
        r = scan_node(s, event, event->data.sequence_start.anchor, event->data.sequence_start.tag);
        return r != 0 ? r : scan_open(s, event);
    case YAML_MAPPING_START_EVENT:
        r = scan_node(s, event, event->data.mapping_start.anchor, event->data.mapping_start.tag);
        return r != 0 ? r : scan_open(s, event);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        s->depth--;
        return 0;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return 0;
    }
    return 0;
}

static int scan_events(struct scan *s, yaml_parser_t *parser, const uint8_t *bytes, size_t size)
{
    for (;;) {
        yaml_event_t event;
        bool end;
        int r;

        if (!yaml_parser_parse(parser, &event))
            return tell_parser_error(parser, bytes, size, s->findings);
        r = scan_event(s, &event);
        end = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
        if (r != 0 || end)
            return r;
    }
}

/* Editors on other systems write these in front. libyaml would take the first and count it as a column: then every place in the
 * first line is off by one, and a first key behind two of them is unknown for no reason to be seen. */
static int check_mark(struct policy_findings *findings, const uint8_t *bytes, size_t size)
{
    const char *problem = NULL;

    if (size >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0)
        problem = N_("the file begins with a byte order mark (BOM)");
    else if (size >= 2 && (memcmp(bytes, "\xff\xfe", 2) == 0 || memcmp(bytes, "\xfe\xff", 2) == 0))
        problem = N_("the file is UTF-16, not UTF-8");
    if (!problem)
        return 0;
    policy_findings_add(findings, POLICY_ERROR, (struct policy_position){1, 1}, "%s",
                        policy_findings_translate(findings, problem));
    policy_findings_hint(findings, "%s",
                         policy_findings_translate(findings, N_("save it as UTF-8 without a byte order mark")));
    return DOC_E_INVALID;
}

/*
 * libyaml ends a line also at U+0085, U+2028, U+2029 and a lone carriage return. Whoever reads the text does not, and signs a rule that looks
 * like the rest of a comment. Controls of the writing direction do the same to what stands in one line (CVE-2021-42574). Nothing else
 * that does not show is left once libyaml has taken the text.
 */
static int check_hidden(struct policy_findings *findings, const uint8_t *bytes, size_t size)
{
    for (size_t at = 0;; at++) {
        at += text_printable_length((const char *)bytes + at, size - at);
        if (at == size)
            return 0;
        if (bytes[at] == '\n' || bytes[at] == '\t' || (bytes[at] == '\r' && at + 1 < size && bytes[at + 1] == '\n'))
            continue;
        policy_findings_add(findings, POLICY_ERROR, position_of_offset(bytes, size, at),
                            N_("a character that does not show, and changes how the text is read"));
        policy_findings_hint(findings,
                             N_("delete it: with such line ends and marks of the writing direction a rule can "
                                "look like a part of a comment"));
        return DOC_E_INVALID;
    }
}

static int scan_bytes(struct scan *s, const uint8_t *bytes, size_t size)
{
    yaml_parser_t parser;
    int r;

    if (!yaml_parser_initialize(&parser))
        return -ENOMEM;
    yaml_parser_set_input_string(&parser, bytes, size);
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING); /* never UTF-16 by a byte order mark */
    r = scan_events(s, &parser, bytes, size);
    yaml_parser_delete(&parser);
    if (r == 0 && (s->documents == 0 || s->nodes == 0)) {
        policy_findings_add(s->findings, POLICY_ERROR, (struct policy_position){1, 1}, N_("the document is empty"));
        return DOC_E_INVALID;
    }
    return r;
}

static int load_bytes(struct doc *d, const uint8_t *bytes, size_t size)
{
    yaml_parser_t parser;
    int r = 0;

    if (!yaml_parser_initialize(&parser))
        return -ENOMEM;
    yaml_parser_set_input_string(&parser, bytes, size);
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    if (yaml_parser_load(&parser, &d->yaml))
        d->loaded = true;
    else
        r = tell_parser_error(&parser, bytes, size, d->findings);
    yaml_parser_delete(&parser);
    return r;
}

struct key {
    const char *text;
    const yaml_node_t *node;
};

static int compare_keys(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    int r = strcmp(x->text, y->text);

    if (r != 0)
        return r;
    return x->node->start_mark.index < y->node->start_mark.index   ? -1
           : x->node->start_mark.index > y->node->start_mark.index ? 1
                                                                   : 0;
}

/* Keys are scalars and no two of one map are equal. Sorted, because a map of a hostile document may have thousands. */
static int check_map(struct doc *d, const yaml_node_t *map)
{
    size_t n = doc_count(map);
    _cleanup_free_ struct key *keys = calloc(n > 0 ? n : 1, sizeof(*keys));

    if (!keys)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        keys[i].node = doc_key(d, map, i);
        keys[i].text = doc_text(keys[i].node);
        if (!keys[i].text) {
            doc_error(d, keys[i].node, N_("a key must be a word"));
            return DOC_E_INVALID;
        }
    }
    qsort(keys, n, sizeof(*keys), compare_keys);
    for (size_t i = 1; i < n && !doc_stops(d); i++)
        if (strcmp(keys[i - 1].text, keys[i].text) == 0) {
            doc_error(d, keys[i].node, N_("key '%s' is given twice"), keys[i].text);
            doc_hint(d, N_("first given in line %u"), doc_position(keys[i - 1].node).line);
        }
    return 0;
}

static int check_maps(struct doc *d)
{
    for (const yaml_node_t *node = d->yaml.nodes.start; node < d->yaml.nodes.top; node++) {
        int r = node->type == YAML_MAPPING_NODE ? check_map(d, node) : 0;

        if (r != 0)
            return r;
    }
    return 0;
}

int doc_parse(const uint8_t *bytes, size_t size, const struct doc_limits *limits, struct policy_findings *findings,
              struct doc **ret)
{
    struct scan s = {
        .findings = findings,
        .depth_max = limits->depth > 0 ? limits->depth : DOC_DEPTH_MAX,
        .nodes_max = limits->nodes > 0 ? limits->nodes : DOC_NODES_MAX,
    };
    size_t errors = findings->n_errors;
    struct doc *d;
    int r;

    if (size > limits->size) {
        policy_findings_add(findings, POLICY_ERROR, (struct policy_position){0, 0},
                            N_("the document has %zu bytes, at most %zu are read"), size, limits->size);
        return DOC_E_INVALID;
    }
    r = check_mark(findings, bytes, size);
    if (r == 0)
        r = scan_bytes(&s, bytes, size);
    if (r == 0)
        r = check_hidden(findings, bytes, size);
    if (r != 0)
        return r;
    d = calloc(1, sizeof(*d));
    if (!d)
        return -ENOMEM;
    d->findings = findings;
    r = load_bytes(d, bytes, size);
    if (r == 0)
        r = check_maps(d);
    if (r == 0 && (d->stopped || findings->n_errors > errors || findings->incomplete))
        r = findings->incomplete ? -ENOMEM : DOC_E_INVALID;
    if (r != 0) {
        doc_free(d);
        return r;
    }
    *ret = d;
    return 0;
}

struct doc *doc_free(struct doc *d)
{
    if (d && d->loaded)
        yaml_document_delete(&d->yaml);
    free(d);
    return NULL;
}
