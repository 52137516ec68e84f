package main

import (
	"context"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"

	"golang.org/x/net/dns/dnsmessage"
	"tailscale.com/ipn"
	"tailscale.com/net/tsaddr"
	"tailscale.com/tsnet"
)

// outside is what an exit node stands for: every connection through it ends at one address of this machine, every name it is asked for has one address.
type outside struct {
	target string // host:port
	mu     sync.Mutex
	flows  []string // where connections were meant to go
	asked  []string // names
}

// outsideAddress is on none of this machine's networks (RFC 5737).
var outsideAddress = netip.MustParseAddr("203.0.113.9")

// offer makes srv an exit node; the control server has to allow the routes.
func (o *outside) offer(srv *tsnet.Server, own []netip.Addr) error {
	lc, err := srv.LocalClient()
	if err != nil {
		return err
	}
	prefs := &ipn.MaskedPrefs{Prefs: ipn.Prefs{AdvertiseRoutes: tsaddr.ExitRoutes()}, AdvertiseRoutesSet: true}
	if _, err := lc.EditPrefs(context.Background(), prefs); err != nil {
		return err
	}
	srv.RegisterFallbackTCPHandler(func(_, dst netip.AddrPort) (func(net.Conn), bool) {
		if slices.Contains(own, dst.Addr()) {
			return nil, false
		}
		o.mu.Lock()
		o.flows = append(o.flows, dst.String())
		o.mu.Unlock()
		return o.carry, true
	})
	return nil
}

func (o *outside) carry(c net.Conn) {
	defer c.Close()
	far, err := net.Dial("tcp", o.target)
	if err != nil {
		return
	}
	defer far.Close()
	go func() {
		io.Copy(far, c)
		far.(*net.TCPConn).CloseWrite()
	}()
	io.Copy(c, far)
}

// serveNames answers at this address, port 53, until the program ends: it is what the exit node's own resolv.conf names.
func (o *outside) serveNames(address string) error {
	pc, err := net.ListenPacket("udp4", net.JoinHostPort(address, "53"))
	if err != nil {
		return err
	}
	go func() {
		for b := make([]byte, 1500); ; {
			n, from, err := pc.ReadFrom(b)
			if err != nil {
				os.Exit(1)
			}
			if reply := o.answer(b[:n]); reply != nil {
				pc.WriteTo(reply, from)
			}
		}
	}()
	return nil
}

func (o *outside) answer(query []byte) []byte {
	var m dnsmessage.Message
	if m.Unpack(query) != nil || len(m.Questions) != 1 {
		return nil
	}
	q := m.Questions[0]
	o.mu.Lock()
	o.asked = append(o.asked, q.Name.String())
	o.mu.Unlock()
	m.Response, m.Additionals = true, nil
	if q.Type == dnsmessage.TypeA {
		m.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 60},
			Body: &dnsmessage.AResource{A: outsideAddress.As4()}}}
	}
	reply, err := m.Pack()
	if err != nil {
		return nil
	}
	return reply
}

func (o *outside) seen() any {
	o.mu.Lock()
	defer o.mu.Unlock()
	return map[string][]string{"flows": slices.Clone(o.flows), "asked": slices.Clone(o.asked)}
}
