// peer PORT: net/http in front of a pool of gopher-lua states; each request runs a Lua function.
package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"sync"

	lua "github.com/yuin/gopher-lua"
)

const handlers = `
function hello(res) write(res, "hello") end
function double(res, body)
  local t = decode(body)
  write_json(res, { twice = t.n * 2, text = t.text })
end
`

func writer(l *lua.LState) http.ResponseWriter {
	return l.CheckUserData(1).Value.(http.ResponseWriter)
}

func newState() any {
	l := lua.NewState()
	l.SetGlobal("write", l.NewFunction(func(l *lua.LState) int {
		io.WriteString(writer(l), l.CheckString(2))
		return 0
	}))
	l.SetGlobal("decode", l.NewFunction(func(l *lua.LState) int {
		var m map[string]any
		if err := json.Unmarshal([]byte(l.CheckString(1)), &m); err != nil {
			l.RaiseError("%s", err)
		}
		t := l.NewTable()
		for k, v := range m {
			switch v := v.(type) {
			case float64:
				t.RawSetString(k, lua.LNumber(v))
			case string:
				t.RawSetString(k, lua.LString(v))
			}
		}
		l.Push(t)
		return 1
	}))
	l.SetGlobal("write_json", l.NewFunction(func(l *lua.LState) int {
		m := map[string]any{}
		l.CheckTable(2).ForEach(func(k, v lua.LValue) {
			if n, ok := v.(lua.LNumber); ok {
				m[k.String()] = float64(n)
			} else {
				m[k.String()] = v.String()
			}
		})
		w := writer(l)
		w.Header().Set("Content-Type", "application/json")
		text, _ := json.Marshal(m)
		w.Write(text)
		return 0
	}))
	if err := l.DoString(handlers); err != nil {
		panic(err)
	}
	return l
}

func serve(port string) {
	states := sync.Pool{New: newState}
	run := func(name string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			l := states.Get().(*lua.LState)
			defer states.Put(l)
			res := l.NewUserData()
			res.Value = w
			if err := l.CallByParam(lua.P{Fn: l.GetGlobal(name), Protect: true}, res, lua.LString(body)); err != nil {
				http.Error(w, err.Error(), 500)
			}
		}
	}
	http.HandleFunc("/hello", run("hello"))
	http.HandleFunc("/json", run("double"))
	panic(http.ListenAndServe("127.0.0.1:"+port, nil))
}

func main() {
	serve(os.Args[1])
}
