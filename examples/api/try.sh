#!/bin/sh
# What the API answers, with curl.
url=http://127.0.0.1:18243

login() { # NAME PASSWORD
	curl -s "$url/session/login" -d "{\"name\":\"$1\",\"password\":\"$2\"}"
}
token() {
	login "$@" | sed 's/.*"token":"\([^"]*\)".*/\1/'
}

echo "no token"
curl -s "$url/notes"
echo "a wrong password"
login ann guess; echo
ann=$(token ann "a long secret") bob=$(token bob "another secret")
echo "ann may read and write"
curl -s "$url/notes" -H "Authorization: Bearer $ann" -d '{"text":"buy milk"}'; echo
curl -s "$url/notes" -H "Authorization: Bearer $ann"; echo
echo "bob may read"
curl -s "$url/notes" -H "Authorization: Bearer $bob"; echo
curl -s "$url/notes" -H "Authorization: Bearer $bob" -d '{"text":"graffiti"}'
echo "ann makes a mistake"
curl -s "$url/notes" -H "Authorization: Bearer $ann" -d '{}'; echo
