package main

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
	"tailscale.com/ipn/ipnstate"
	"tailscale.com/tailcfg"
	"tailscale.com/types/key"
)

// An exit node that redirects could have us dial, or look up, what is not on the tailnet.
func TestALookupFollowsNoRedirect(t *testing.T) {
	asked := 0
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	defer elsewhere.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		exit := httptest.NewServer(http.RedirectHandler(elsewhere.URL+"/dns-query", status))
		var dialled []string
		client := lookupClient(func(ctx context.Context, network, addr string) (net.Conn, error) {
			dialled = append(dialled, addr)
			return (&net.Dialer{}).DialContext(ctx, network, addr)
		})
		_, err := askOne(context.Background(), client, exit.URL+"/dns-query", "example.com", dnsmessage.TypeA)
		exit.Close()
		if err == nil || !strings.Contains(err.Error(), "status 3") || asked != 0 {
			t.Errorf("status %d: %v, and the other server was asked %d times", status, err, asked)
		}
		if len(dialled) != 1 || "http://"+dialled[0] != exit.URL {
			t.Errorf("status %d: dialled %v", status, dialled)
		}
	}
}

func TestTheExitNodeThatIsMeant(t *testing.T) {
	peer := func(id, name, address string, offers bool) *ipnstate.PeerStatus {
		return &ipnstate.PeerStatus{ID: tailcfg.StableNodeID(id), DNSName: name, ExitNodeOption: offers, TailscaleIPs: []netip.Addr{netip.MustParseAddr(address)}}
	}
	status := func(inUse string, peers ...*ipnstate.PeerStatus) *ipnstate.Status {
		st := &ipnstate.Status{Peer: map[key.NodePublic]*ipnstate.PeerStatus{}}
		for _, p := range peers {
			st.Peer[key.NewNode().Public()] = p
		}
		if inUse != "" {
			st.ExitNodeStatus = &ipnstate.ExitNodeStatus{ID: tailcfg.StableNodeID(inUse)}
		}
		return st
	}
	exit, again := peer("1", "exit.tail.test.", "100.64.0.1", true), peer("2", "exit.tail.test.", "100.64.0.2", true)
	silent, other := peer("3", "exit.tail.test.", "100.64.0.3", false), peer("4", "web.tail.test.", "100.64.0.4", true)
	cases := []struct {
		st     *ipnstate.Status
		wanted string
		id     string
		words  string
	}{
		{status("", exit, other), "exit", "1", ""},
		{status("", exit, other), "EXIT.tail.test.", "1", ""},
		{status("", exit, other), "100.64.0.1", "1", ""},
		// Another one is in use, as by an earlier configuration.
		{status("4", exit, other), "exit", "1", ""},
		// The one in use is gone; it came back as another node, or not.
		{status("1", again, other), "exit", "2", ""},
		{status("1", other), "exit", "", "no such node"},
		// The one in use stays, whatever else has its name.
		{status("2", exit, again, silent), "exit", "2", ""},
		{status("3", exit, silent), "exit", "1", ""},
		{status("", silent), "exit", "", "does not offer itself"},
		{status("3", silent), "exit", "", "does not offer itself"},
		{status("", other), "tail.test", "", "no such node"},
	}
	for i, c := range cases {
		for range 20 { // the peers come in any order
			p, err := chooseExitNode(c.st, c.wanted)
			if c.id == "" && (err == nil || !strings.Contains(err.Error(), c.words)) {
				t.Errorf("case %d: %v, %v", i, p, err)
			}
			if c.id != "" && (err != nil || string(p.ID) != c.id) {
				t.Errorf("case %d: %v, %v", i, p, err)
			}
		}
	}
}
