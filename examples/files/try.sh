#!/bin/sh
# Uploads this file and fetches it again, with curl.
url=http://127.0.0.1:18244

echo "an upload"
curl -s "$url/upload" -F "file=@try.sh"; echo
echo "the same file again, and a part of it"
curl -s "$url/uploads/try.sh" | cmp - try.sh && echo "what came is what was sent"
curl -s "$url/uploads/try.sh" -H "Range: bytes=0-9"
echo "a name that leads elsewhere"
curl -s "$url/upload" -F "file=@try.sh;filename=.hidden"; echo
echo "no form at all"
curl -s "$url/upload" -d text; echo
