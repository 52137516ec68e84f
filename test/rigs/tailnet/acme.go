package main

import (
	"encoding/pem"
	"flag"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
)

// acme is a certificate authority that believes whoever asks: Pebble, in memory. Says {"directory", "roots"}, the roots as PEM; to any
// command {"orders": N}, how many were finished.
func acme() {
	delay := flag.Duration("delay", 0, "how long it takes to issue a certificate")
	flag.Parse()
	var orders atomic.Int64
	for name, value := range map[string]string{"PEBBLE_VA_ALWAYS_VALID": "1", "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"} {
		must(os.Setenv(name, value))
	}
	quiet := log.New(io.Discard, "", 0)
	store := db.NewMemoryStore()
	authority := ca.New(quiet, store, "", "ecdsa", 0, 1, map[string]ca.Profile{"default": {}})
	front := wfe.New(quiet, store, va.New(quiet, 80, 443, false, "", store), authority, []string{"acme.test"}, false, false, 1, 1)
	handler := front.Handler()
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Let's Encrypt tells where the order is, Pebble does not, and Go's client wants it.
		if order, ok := strings.CutPrefix(r.URL.Path, "/finalize-order/"); ok {
			orders.Add(1)
			time.Sleep(*delay)
			w.Header().Set("Location", "https://"+r.Host+"/my-order/"+order)
		}
		handler.ServeHTTP(w, r)
	}))
	var roots []byte // the issuer's, and that of its own server
	for _, der := range [][]byte{authority.GetRootCert(0).DER, srv.Certificate().Raw} {
		roots = append(roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	say(map[string]string{"directory": srv.URL + wfe.DirectoryPath, "roots": string(roots)})
	commands(func([]string) any { return map[string]int64{"orders": orders.Load()} })
}
