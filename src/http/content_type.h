/*
 * content_type.h - what type of content a file of that name has. Pure; any thread.
 */
#ifndef HTTP_CONTENT_TYPE_H
#define HTTP_CONTENT_TYPE_H

/* By the extension, whatever its case: ".html" gives "text/html; charset=utf-8". Static; NULL when it is not known. */
const char *http_content_type(const char *name);

#endif
