// peer serve PORT: says every message back.
// peer client URL CONNECTIONS SECONDS BYTES: every connection sends a message, waits until it comes back, and so on; prints messages per second.
package main

import (
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

func fail(err error) {
	if err != nil {
		panic(err)
	}
}

func serve(port string) {
	up := websocket.Upgrader{}
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		c, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer c.Close()
		for {
			kind, data, err := c.ReadMessage()
			if err != nil || c.WriteMessage(kind, data) != nil {
				return
			}
		}
	})
	fail(http.ListenAndServe("127.0.0.1:"+port, nil))
}

func client(url string, connections, seconds, bytes int) {
	var count atomic.Int64
	var over atomic.Bool
	var wait sync.WaitGroup
	text := strings.Repeat("x", bytes)
	clients := make([]*websocket.Conn, connections)
	for i := range clients {
		c, _, err := websocket.DefaultDialer.Dial(url, nil)
		fail(err)
		clients[i] = c
	}
	begun := time.Now()
	for _, c := range clients {
		wait.Add(1)
		go func(c *websocket.Conn) {
			defer wait.Done()
			for !over.Load() {
				fail(c.WriteMessage(websocket.TextMessage, []byte(text)))
				_, data, err := c.ReadMessage()
				fail(err)
				if string(data) != text {
					panic("a message did not come back")
				}
				count.Add(1)
			}
		}(c)
	}
	time.Sleep(time.Duration(seconds) * time.Second)
	over.Store(true)
	wait.Wait()
	fmt.Printf("%.0f\n", float64(count.Load())/time.Since(begun).Seconds())
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	fail(err)
	return n
}

func main() {
	if os.Args[1] == "serve" {
		serve(os.Args[2])
	}
	client(os.Args[2], number(os.Args[3]), number(os.Args[4]), number(os.Args[5]))
}
