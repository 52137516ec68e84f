// serve PORT: net/http in front of a pool of gopher-lua states; each request runs a Lua function.
// pace URL RATE SECONDS: sends RATE requests a second over 64 connections, whether or not answers come, and prints the latencies that 50, 99 and
// 99.9 % of the requests stay under, in microseconds, counted from when each was due.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"sort"
	"strconv"
	"sync"
	"time"

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

func pace(url string, rate, seconds float64) {
	const connections = 64
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections}}
	begin, every := time.Now(), time.Duration(float64(time.Second)*connections/rate)
	var all []float64
	var lock sync.Mutex
	var wait sync.WaitGroup
	for c := 0; c < connections; c++ {
		wait.Add(1)
		go func(c int) {
			defer wait.Done()
			var took []float64
			due := begin.Add(every * time.Duration(c) / connections)
			for ; due.Sub(begin).Seconds() < seconds; due = due.Add(every) {
				time.Sleep(time.Until(due))
				answer, err := client.Get(url)
				if err != nil {
					panic(err)
				}
				io.Copy(io.Discard, answer.Body)
				answer.Body.Close()
				took = append(took, float64(time.Since(due).Microseconds()))
			}
			lock.Lock()
			all = append(all, took...)
			lock.Unlock()
		}(c)
	}
	wait.Wait()
	sort.Float64s(all)
	for _, part := range []float64{0.5, 0.99, 0.999} {
		fmt.Println(all[int(part*float64(len(all)-1))])
	}
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == "serve" {
		serve(os.Args[2])
	}
	rate, _ := strconv.ParseFloat(os.Args[3], 64)
	seconds, _ := strconv.ParseFloat(os.Args[4], 64)
	pace(os.Args[2], rate, seconds)
}
