package main

import (
	"context"
	"flag"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"

	"tailscale.com/derp/derpserver"
	"tailscale.com/net/stunserver"
	"tailscale.com/tailcfg"
	"tailscale.com/tstest/integration/testcontrol"
	"tailscale.com/types/key"
)

// control keeps nodes in memory and takes one auth key. Its commands: nodes | expire | unexpire | route NODE PREFIX...
func control() {
	authKey := flag.String("authkey", "", "the only key that is accepted (empty: any)")
	domain := flag.String("domain", "tail.test", "what full names end with")
	https := flag.Bool("https", true, "nodes may have certificates for their names; without it they also learn nothing of each other")
	flag.Parse()
	log.SetOutput(io.Discard)
	logf := func(string, ...any) {}

	derp := httptest.NewTLSServer(derpserver.Handler(derpserver.New(key.NewNode(), logf)))
	stun := stunserver.New(context.Background())
	must(stun.Listen("127.0.0.1:0"))
	go stun.Serve()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	c := &testcontrol.Server{
		Logf: logf, RequireAuthKey: *authKey, MagicDNSDomain: *domain, AllOnline: true,
		ExplicitBaseURL: "http://" + ln.Addr().String(),
		DNSConfig:       &tailcfg.DNSConfig{Proxied: true, Domains: []string{*domain}},
		DERPMap: &tailcfg.DERPMap{OmitDefaultRegions: true, Regions: map[int]*tailcfg.DERPRegion{1: {
			RegionID: 1, RegionCode: "test", RegionName: "test",
			Nodes: []*tailcfg.DERPNode{{
				Name: "t1", RegionID: 1, HostName: "127.0.0.1", IPv4: "127.0.0.1", IPv6: "none",
				STUNPort: stun.LocalAddr().(*net.UDPAddr).Port, STUNTestIP: "127.0.0.1",
				DERPPort: derp.Listener.Addr().(*net.TCPAddr).Port, InsecureForTests: true,
			}},
		}}},
	}
	if !*https {
		c.AltMapStream = func(ctx context.Context, w testcontrol.MapStreamWriter, req *tailcfg.MapRequest) {
			m, err := c.MapResponse(req)
			if err != nil || m == nil {
				return
			}
			m.DNSConfig.CertDomains = nil
			if w.SendMapMessage(m) == nil && req.Stream {
				<-ctx.Done()
			}
		}
	}
	go http.Serve(ln, c)
	say(map[string]any{"control_url": c.ExplicitBaseURL, "authkey": *authKey, "domain": *domain})

	commands(func(words []string) any {
		switch words[0] {
		case "expire", "unexpire": // clients go to NeedsLogin
			c.SetExpireAllNodes(words[0] == "expire")
		case "nodes":
			names := map[string][]netip.Prefix{}
			for _, n := range c.AllNodes() {
				names[n.Name] = n.Addresses
			}
			return names
		case "route":
			for _, n := range c.AllNodes() {
				if strings.HasPrefix(n.Name, words[1]+".") {
					var routes []netip.Prefix
					for _, w := range words[2:] {
						routes = append(routes, netip.MustParsePrefix(w))
					}
					c.SetSubnetRoutes(n.Key, routes)
					return struct{}{}
				}
			}
			return failure{"no such node"}
		}
		return struct{}{}
	})
}
