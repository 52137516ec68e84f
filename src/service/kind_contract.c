/*
 * kind_contract.c - contract.definition and contract.binding: a set of methods, and the functions that carry them out.
 *
 *     - name: greeter
 *       kind: contract.definition
 *       methods:
 *         - name: greet
 *           description: says hello
 *           input_schemas: [{format: application/schema+json, definition: {type: string}}]   # describe, are not enforced
 *           output_schemas: []
 *     - name: polite
 *       kind: contract.binding
 *       contracts:
 *         - contract: greeter                # bare names are of the entry's namespace
 *           methods: {greet: greet_politely} # method: function; a method may be left out
 *           context_required: [language]     # keys of the context without which no method is called
 *           default: true                    # what opening the contract itself gives; of several the first by id
 *
 * The entries are all there is: whoever opens a contract reads them then, so a changed entry counts from the next opening on. What a binding names may be
 * added later than the binding.
 */
#include <string.h>

#include "bind/contract_entry.h"
#include "service/kinds.h"
#include "service/runtime.h"

enum { METHOD_NAME_MAX = 256 };

static int bad_field(struct err *err, const char *list, size_t i, const char *field, const char *words)
{
	return err_set(err, ERR_INVALID, "field '%s[%zu]%s': %s", list, i, field, words);
}

static int check_schemas(const struct value *method, const char *key, size_t i, struct err *err)
{
	const struct value *list = value_get(method, key);

	if (!list || value_type(list) == VALUE_NIL)
		return 0;
	if (value_type(list) != VALUE_LIST)
		return err_set(err, ERR_INVALID, "field 'methods[%zu].%s': expected list, got %s", i, key,
			value_type_name(list));
	for (size_t k = 0; k < value_count(list); k++) {
		const struct value *schema = value_at(list, k);
		const char *format = "";

		if (value_type(schema) != VALUE_MAP || value_read_string(schema, "format", &format, NULL) < 0 ||
			!*format)
			return err_set(
				err, ERR_INVALID, "field 'methods[%zu].%s[%zu].format': format is required", i, key, k);
		if (!value_get(schema, "definition"))
			return err_set(err, ERR_INVALID,
				"field 'methods[%zu].%s[%zu].definition': definition is required", i, key, k);
	}
	return 0;
}

static int check_method(const struct value *methods, size_t i, struct err *err)
{
	const struct value *m = value_at(methods, i);
	const char *name = "", *description = "", *other = "";

	if (value_type(m) != VALUE_MAP)
		return bad_field(err, "methods", i, "", "expected map");
	if (value_read_string(m, "name", &name, err) < 0 || value_read_string(m, "description", &description, err) < 0)
		return err_prefix(err, "methods[%zu]", i);
	if (!*name || strlen(name) > METHOD_NAME_MAX)
		return bad_field(err, "methods", i, ".name", "a method has a name of 1 to 256 bytes");
	for (size_t k = 0; k < i; k++)
		if (value_read_string(value_at(methods, k), "name", &other, NULL) == 0 && strcmp(name, other) == 0)
			return err_set(
				err, ERR_INVALID, "field 'methods[%zu].name': method '%s' is defined twice", i, name);
	if (check_schemas(m, "input_schemas", i, err) < 0)
		return -1;
	return check_schemas(m, "output_schemas", i, err);
}

static int definition_add(struct runtime *rt, struct entry *e, struct err *err)
{
	const struct value *methods = value_get(e->data, "methods");

	if (methods && value_type(methods) != VALUE_NIL && value_type(methods) != VALUE_LIST)
		return err_set(err, ERR_INVALID, "field 'methods': expected list, got %s", value_type_name(methods));
	for (size_t i = 0; i < value_count(methods); i++)
		if (check_method(methods, i, err) < 0)
			return -1;
	instances_put(rt->node.instances, e->id, &contract_entry_type, entry_ref(e));
	return 0;
}

static int check_bound(const struct value *c, size_t i, struct err *err)
{
	const struct value *methods = value_get(c, "methods"), *keys = value_get(c, "context_required");
	const char *contract = "";
	bool is_default = false;

	if (value_type(c) != VALUE_MAP)
		return bad_field(err, "contracts", i, "", "expected map");
	if (value_read_string(c, "contract", &contract, err) < 0 || value_read_bool(c, "default", &is_default, err) < 0)
		return err_prefix(err, "contracts[%zu]", i);
	if (!*contract)
		return bad_field(err, "contracts", i, ".contract", "contract is required");
	if (methods && value_type(methods) != VALUE_NIL && value_type(methods) != VALUE_MAP)
		return bad_field(err, "contracts", i, ".methods", "expected map from methods to functions");
	for (size_t k = 0; k < value_count(methods); k++) {
		const char *name;
		const struct value *v = value_pair(methods, k, &name, NULL);

		if (value_type(v) != VALUE_STRING || !*value_get_string(v, NULL))
			return err_set(err, ERR_INVALID,
				"field 'contracts[%zu].methods.%s': expected the id of a function", i, name);
	}
	if (keys && value_type(keys) != VALUE_NIL && value_type(keys) != VALUE_LIST)
		return bad_field(err, "contracts", i, ".context_required", "expected list of keys");
	for (size_t k = 0; k < value_count(keys); k++)
		if (value_type(value_at(keys, k)) != VALUE_STRING)
			return bad_field(err, "contracts", i, ".context_required", "expected list of keys");
	return 0;
}

static int binding_add(struct runtime *rt, struct entry *e, struct err *err)
{
	const struct value *contracts = value_get(e->data, "contracts");

	if (value_type(contracts) != VALUE_LIST || value_count(contracts) == 0)
		return err_set(err, ERR_INVALID, "field 'contracts': a binding names at least one contract");
	for (size_t i = 0; i < value_count(contracts); i++)
		if (check_bound(value_at(contracts, i), i, err) < 0)
			return -1;
	instances_put(rt->node.instances, e->id, &contract_entry_type, entry_ref(e));
	return 0;
}

static int definition_update(struct runtime *rt, struct entry *old, struct entry *e, struct err *err)
{
	(void)old;
	return definition_add(rt, e, err);
}

static int binding_update(struct runtime *rt, struct entry *old, struct entry *e, struct err *err)
{
	(void)old;
	return binding_add(rt, e, err);
}

static void contract_remove(struct runtime *rt, struct entry *e)
{
	instances_remove(rt->node.instances, e->id);
}

const struct kind contract_binding_kind = {
	.name = "contract.binding",
	.summary = "the functions that carry out contracts",
	.add = binding_add,
	.update = binding_update,
	.remove = contract_remove,
};

const struct kind contract_definition_kind = {
	.name = "contract.definition",
	.summary = "a set of methods that bindings carry out",
	.add = definition_add,
	.update = definition_update,
	.remove = contract_remove,
};
