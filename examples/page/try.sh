#!/bin/sh
# What the server answers, with curl.
url=http://127.0.0.1:18245

echo "the page, whatever its path"
curl -s "$url/" | grep title
curl -s "$url/about" | grep title
echo "unchanged since"
curl -s -o /dev/null -w '%{http_code}\n' "$url/" -H "If-Modified-Since: $(date -u '+%a, %d %b %Y %H:%M:%S GMT')"
echo "tasks are for those who have a token"
curl -s -o /dev/null -w '%{http_code}\n' "$url/api/tasks"
token=$(curl -s "$url/session/login" -d '{"name":"ann","password":"open sesame"}' | sed 's/.*"token":"\([^"]*\)".*/\1/')
curl -s "$url/api/tasks" -H "Authorization: Bearer $token" -d '{"text":"buy milk"}'; echo
echo "another site on this machine may ask, too"
curl -s -i -X OPTIONS "$url/api/tasks" -H "Origin: http://localhost:3000" -H "Access-Control-Request-Method: POST" | tr -d '\r' | grep Allow-Origin
