/*
 * front_lex.h - the dialect's tokens.
 *
 * A lexer borrows the source and hands out one token at a time; names are interned, so that two tokens spell the
 * same name exactly when their `sym` is equal. A lexical error gives TK_ERROR and leaves a message in `error`;
 * after it, and at the end, every call gives the same token again. Internal to the front end; one thread.
 */
#ifndef ENGINE_FRONT_LEX_H
#define ENGINE_FRONT_LEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* A one-byte token is its byte; the rest follow. The words come first and in the order of their symbols. */
enum token_kind {
	TK_WORD = 256,
	TK_AND = TK_WORD,
	TK_BREAK,
	TK_DO,
	TK_ELSE,
	TK_ELSEIF,
	TK_END,
	TK_FALSE,
	TK_FOR,
	TK_FUNCTION,
	TK_GOTO,
	TK_IF,
	TK_IN,
	TK_LOCAL,
	TK_NIL,
	TK_NOT,
	TK_OR,
	TK_REPEAT,
	TK_RETURN,
	TK_THEN,
	TK_TRUE,
	TK_UNTIL,
	TK_WHILE, /* the last word Lua reserves itself */
	TK_FUN,
	TK_INTERFACE,
	TK_AS,
	TK_ASSERTS,
	TK_READONLY,
	TK_IS,
	TK_TYPEOF,
	TK_KEYOF,
	TK_EXTENDS, /* the last word only the dialect reserves */
	TK_NAME,
	TK_STRING,
	TK_INT,
	TK_FLOAT,
	TK_CONCAT, /* .. */
	TK_DOTS,   /* ... */
	TK_EQ,
	TK_NE,
	TK_LE,
	TK_GE,
	TK_IDIV,
	TK_SHL,
	TK_SHR,
	TK_COLONS, /* :: */
	TK_ARROW,  /* -> */
	TK_EOF,
	TK_ERROR,
};

/* Symbols of the reserved words are their place among them; these follow. */
enum front_symbol {
	SYM_WORDS = TK_EXTENDS - TK_WORD + 1,
	SYM_TYPE = SYM_WORDS,
	SYM_ENV,
	SYM_PAIRS,
	SYM_IPAIRS,
	SYM_SELF,
	SYM_BOOLEAN, /* the first type with a run-time value of its own */
	SYM_NUMBER,
	SYM_INTEGER,
	SYM_STRING,
	SYM_ANY,
	SYM_UNKNOWN,
	SYM_NEVER, /* the last one */
	SYM_TABLE,
	SYM_THREAD,
	SYM_USERDATA,
	SYM_ERROR,
};

struct token {
	uint32_t kind;
	uint32_t off; /* of the first byte */
	uint32_t end; /* one past the last byte */
	uint32_t line;
	uint32_t end_line;
	uint32_t sym;    /* words and names */
	bool odd_escape; /* a string with an escape that the engine's Lua reads differently */
	bool wide;       /* a hexadecimal number of more than 64 bits */
};

struct symbol {
	const char *name; /* not terminated */
	uint32_t len;
	uint32_t hash;
	uint32_t nlocals; /* local variables of this name in scope: kept by the parser */
	int32_t type;     /* index of the chunk-level type of this name, -1 if none: kept by the parser */
	uint8_t global;   /* enum global_use: kept by the parser */
};

struct lexer {
	const char *src; /* NUL-terminated at `len` */
	uint32_t len;
	uint32_t pos;
	uint32_t line;
	const char *error; /* set with TK_ERROR */
	struct symbol *syms;
	uint32_t nsyms;
	uint32_t cap_syms;
	uint32_t *slots; /* hash table: symbol + 1, 0 = free */
	uint32_t nslots;
	uint32_t seed;
};

/* Borrows `src`, which must be followed by a NUL. */
void lexer_init(struct lexer *lx, const char *src, size_t len);
void lexer_done(struct lexer *lx);
void lexer_next(struct lexer *lx, struct token *ret);

static inline bool token_is_word(const struct token *t)
{
	return t->kind >= TK_WORD && t->kind <= TK_EXTENDS;
}

/* Words that only the dialect reserves: the engine's Lua takes them as names. */
static inline bool token_is_dialect_word(const struct token *t)
{
	return t->kind > TK_WHILE && t->kind <= TK_EXTENDS;
}

/* Append the bytes a string token stands for. */
void lexer_string_value(const struct lexer *lx, const struct token *t, struct buf *out);
/* The value of a number token as a float. */
double lexer_number_value(const struct lexer *lx, const struct token *t);
/* 1-based column, in bytes, of an offset. */
uint32_t lexer_column(const struct lexer *lx, uint32_t off);

#endif
