/* The intrusive list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/list.h"

struct thing {
	int n;
	struct list link;
};

static void pushes_and_removes(void **state)
{
	struct list head;
	struct thing things[4];
	int sum = 0;

	(void)state;
	list_init(&head);
	assert_true(list_is_empty(&head));
	assert_null(list_pop_front(&head));
	for (int i = 0; i < 4; i++) {
		things[i].n = i;
		list_init(&things[i].link);
		assert_false(list_is_linked(&things[i].link));
		list_push_back(&head, &things[i].link);
	}
	list_remove(&things[1].link);
	list_remove(&things[1].link); /* harmless */
	assert_false(list_is_linked(&things[1].link));
	list_push_front(&head, &things[1].link);
	list_for_each(pos, &head)
		sum = sum * 10 + list_entry(pos, struct thing, link)->n;
	assert_int_equal(sum, 1023);
	list_for_each_safe(pos, tmp, &head) {
		if (list_entry(pos, struct thing, link)->n != 2)
			list_remove(pos);
	}
	assert_ptr_equal(list_pop_front(&head), &things[2].link);
	assert_true(list_is_empty(&head));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pushes_and_removes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
