// client PROXY_PORT URL REQUESTS CONCURRENCY keep|new: Go's net/http through x/net/proxy. Prints requests per second.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/proxy"
)

func main() {
	d, err := proxy.SOCKS5("tcp", "127.0.0.1:"+os.Args[1], nil, proxy.Direct)
	if err != nil {
		panic(err)
	}
	total, _ := strconv.Atoi(os.Args[3])
	concurrency, _ := strconv.Atoi(os.Args[4])
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return d.(proxy.ContextDialer).DialContext(ctx, network, addr)
		},
		MaxIdleConnsPerHost: concurrency,
		DisableKeepAlives:   os.Args[5] == "new",
	}
	client := &http.Client{Transport: transport, Timeout: 30 * time.Second}
	var left, failed atomic.Int64
	left.Store(int64(total))
	var wg sync.WaitGroup
	begun := time.Now()
	for range concurrency {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for left.Add(-1) >= 0 {
				resp, err := client.Get(os.Args[2])
				if err != nil {
					failed.Add(1)
					continue
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
		}()
	}
	wg.Wait()
	if failed.Load() > 0 {
		fmt.Fprintln(os.Stderr, "client:", failed.Load(), "requests failed")
		os.Exit(1)
	}
	fmt.Printf("%.0f\n", float64(total)/time.Since(begun).Seconds())
}
