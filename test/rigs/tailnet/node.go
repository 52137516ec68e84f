package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"flag"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"tailscale.com/envknob"
	"tailscale.com/tsnet"
)

// node serves HTTP on port 80 of the tailnet: / tells who came, /big?mb=N sends that much. Its commands:
//
//	get URL                         one request through the tailnet: {"status", "body"} or {"error"}
//	load URL COUNT CONCURRENCY      requests kept alive: {"per_second", "mb_per_second", "errors"}
//	load URL COUNT CONCURRENCY new  each with a connection of its own, which the client closes first: plain tsnet loses one in a hundred
//	                                for a minute when the server does
//	listen PORT                     one more port: {}
//	seen                            of an exit node: {"flows": ["ip:port"], "asked": [names]}
//	tls ADDRESS NAME                shake hands: {"names", "root"} of the certificate, which has to lead to one of the system's roots (SSL_CERT_FILE)
func node() {
	controlURL := flag.String("control", "", "control server")
	authKey := flag.String("authkey", "", "")
	name := flag.String("name", "peer", "host name")
	dir := flag.String("dir", "", "state directory")
	exit := flag.String("exit", "", "be an exit node: whatever is dialled through it ends at this host:port")
	names := flag.String("names", "", "of an exit node: answer names at this address, port 53")
	flag.Parse()
	envknob.SetNoLogsNoSupport()
	envknob.Setenv("TS_DISABLE_PORTMAPPER", "1")

	quiet := func(string, ...any) {}
	srv := &tsnet.Server{Hostname: *name, AuthKey: *authKey, Dir: *dir, ControlURL: *controlURL, Ephemeral: true, Logf: quiet, UserLogf: quiet}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	st, err := srv.Up(ctx)
	cancel()
	must(err)
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]string{"remote": r.RemoteAddr, "host": r.Host})
	})
	http.HandleFunc("/big", func(w http.ResponseWriter, r *http.Request) {
		mb, _ := strconv.Atoi(r.FormValue("mb"))
		w.Header().Set("Content-Length", strconv.Itoa(mb<<20))
		for block := make([]byte, 1<<20); mb > 0; mb-- {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	})
	serve := func(port string) error {
		ln, err := srv.Listen("tcp", ":"+port)
		if err == nil {
			go http.Serve(ln, nil)
		}
		return err
	}
	must(serve("80"))
	beyond := &outside{target: *exit}
	if *exit != "" {
		must(beyond.offer(srv, st.TailscaleIPs))
	}
	if *names != "" {
		must(beyond.serveNames(*names))
	}
	say(map[string]any{"name": st.Self.DNSName, "address": st.TailscaleIPs[0]})

	commands(func(words []string) any {
		switch words[0] {
		case "get":
			return get(clientOver(srv.Dial), words[1])
		case "load":
			return load(srv.Dial, words[1:])
		case "seen":
			return beyond.seen()
		case "tls":
			return handshake(srv.Dial, words[1], words[2])
		case "listen":
			if err := serve(words[1]); err != nil {
				return failure{err.Error()}
			}
			return struct{}{}
		}
		return failure{"no such command"}
	})
}

// handshake tells what the certificate says that a server shows for NAME.
func handshake(dial dialer, address, name string) any {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	raw, err := dial(ctx, "tcp", address)
	if err != nil {
		return failure{err.Error()}
	}
	defer raw.Close()
	c := tls.Client(raw, &tls.Config{ServerName: name})
	if err := c.HandshakeContext(ctx); err != nil {
		return failure{err.Error()}
	}
	chain := c.ConnectionState().VerifiedChains[0]
	return map[string]any{"names": chain[0].DNSNames, "root": chain[len(chain)-1].Subject.CommonName}
}

type dialer func(ctx context.Context, network, addr string) (net.Conn, error)

func clientOver(dial dialer) *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: dial, MaxIdleConnsPerHost: 100}, Timeout: time.Minute}
}

func get(c *http.Client, url string) any {
	res, err := c.Get(url)
	if err != nil {
		return failure{err.Error()}
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return failure{err.Error()}
	}
	return map[string]any{"status": res.StatusCode, "body": string(body)}
}

// load makes COUNT requests for URL, CONCURRENCY at a time, each worker with a client of its own.
func load(dial dialer, words []string) any {
	url := words[0]
	count, _ := strconv.Atoi(words[1])
	concurrency, _ := strconv.Atoi(words[2])
	fresh := len(words) > 3 && words[3] == "new"
	var left, bytes, bad atomic.Int64
	var wg sync.WaitGroup
	var mu sync.Mutex
	var times []time.Duration
	left.Store(int64(count))
	begin := time.Now()
	for range concurrency {
		wg.Go(func() {
			c := clientOver(dial)
			defer c.CloseIdleConnections()
			var mine []time.Duration
			for left.Add(-1) >= 0 {
				t := time.Now()
				res, err := c.Get(url)
				if err != nil {
					bad.Add(1)
					continue
				}
				n, err := io.Copy(io.Discard, res.Body)
				res.Body.Close()
				if err != nil {
					bad.Add(1)
				}
				bytes.Add(n)
				mine = append(mine, time.Since(t))
				if fresh {
					c.CloseIdleConnections()
				}
			}
			mu.Lock()
			times = append(times, mine...)
			mu.Unlock()
		})
	}
	wg.Wait()
	seconds := time.Since(begin).Seconds()
	slices.Sort(times)
	p99 := 0.0
	if len(times) > 0 {
		p99 = times[(len(times)-1)*99/100].Seconds() * 1000
	}
	return map[string]any{"per_second": float64(len(times)) / seconds, "mb_per_second": float64(bytes.Load()) / 1e6 / seconds,
		"errors": bad.Load(), "p99_ms": p99}
}
