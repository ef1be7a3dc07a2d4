/* SPDX-License-Identifier: Apache-2.0 */
#include "setup/removed_input.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "intake/retired.h"
#include "intake/socket.h"
#include "journal/journal.h"
#include "parse/parser.h"
#include "pipeline/decoder.h"
#include "setup/assemble.h"

static_assert(sizeof((struct journal_input *)NULL)->address ==
		      SOCKET_ADDRESS_BYTES,
	      "an address fits into a row");

void removed_input_describe(const struct assembly *a, size_t n,
			    struct journal_input *out)
{
	const struct decoder *d = a->decoders[n];
	const struct parser *parser = decoder_parser(d);
	*out = (struct journal_input){0};
	socket_address(&a->inputs[n].socket, out->address);
	snprintf(out->name, sizeof out->name, "%s", a->inputs[n].name);
	snprintf(out->tag, sizeof out->tag, "%s", decoder_tag(d));
	if (parser != NULL)
		snprintf(out->parser, sizeof out->parser, "%s",
			 parser_name(parser));
}

static struct parser *parser_for(const struct assembly *a,
				 const struct journal_input *input)
{
	struct parser *parser = NULL;
	if (input->parser[0] == '\0')
		return NULL;
	parser = parser_set_find(a->parsers, input->parser);
	if (parser != NULL)
		return parser;
	return strncmp(input->address, "unix", strlen("unix")) == 0
		       ? a->unix_parser
		       : a->network_parser;
}

static bool add(struct assembly *a, const struct journal_input *input,
		const char *place, struct err *e)
{
	const struct decoder *first = a->decoders[0];
	struct decoder *d;
	if (input != NULL)
		d = decoder_new(input->name, input->tag, parser_for(a, input),
				e);
	else
		d = decoder_new(decoder_name(first), decoder_tag(first),
				decoder_parser(first), e);
	if (d == NULL)
		return false;
	const struct parser *parser = decoder_parser(d);
	log_line(LOG_WARN, "journal",
		 "input=%s address=%s err=\"the input was removed while "
		 "its messages waited in %s\" action=\"decoding them with "
		 "tag %s and parser %s\"",
		 decoder_name(d), input != NULL ? input->address : "unknown",
		 place, decoder_tag(d),
		 parser != NULL ? parser_name(parser) : "syslog");
	size_t n = a->input_count + a->removed_count++;
	a->decoders = mem_grow(a->decoders, n + 1, sizeof *a->decoders);
	a->decoders[n] = d;
	return true;
}

bool removed_input_add_retired(struct assembly *a, struct retired *retired,
			       struct journal_input *inputs, struct err *e)
{
	for (uint32_t i = 0; i < retired->count; i++) {
		struct retired_socket *s = &retired->sockets[i];
		size_t count = a->input_count + a->removed_count;
		size_t n = 0;
		while (n < count &&
		       strcmp(inputs[n].address, s->input.address) != 0)
			n++;
		s->number = (uint16_t)n;
		if (n < count)
			continue;
		inputs[n] = s->input;
		if (!add(a, &s->input, "its socket", e))
			return false;
	}
	return true;
}

bool removed_input_add_all(struct assembly *a, const struct journal *j,
			   struct err *e)
{
	const struct journal_input *input;
	for (size_t i = 0; journal_removed_input(j, i, &input); i++)
		if (!add(a, input, "the journal", e))
			return false;
	return true;
}
