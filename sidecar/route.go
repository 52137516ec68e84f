package main

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"tailscale.com/ipn/ipnstate"
)

// peerNames is the tailnet's table of names, read from the node's status.
type peerNames struct {
	self   string // our own full name
	suffix string // what full names end with: "tail1234.ts.net"
	byName map[string]netip.Addr
}

func namesOf(st *ipnstate.Status) peerNames {
	t := peerNames{byName: map[string]netip.Addr{}}
	if st.CurrentTailnet != nil {
		t.suffix = canonical(st.CurrentTailnet.MagicDNSSuffix)
	}
	add := func(p *ipnstate.PeerStatus) string {
		name := canonical(p.DNSName)
		if name == "" || len(p.TailscaleIPs) == 0 {
			return name
		}
		t.byName[name] = p.TailscaleIPs[0]
		// Short names are those of this tailnet; a node shared from another one has only its full name.
		if short, rest, _ := strings.Cut(name, "."); rest == t.suffix {
			t.byName[short] = p.TailscaleIPs[0]
		}
		return name
	}
	for _, p := range st.Peer {
		add(p)
	}
	if st.Self != nil {
		t.self = add(st.Self)
	}
	return t
}

func canonical(name string) string {
	return strings.ToLower(strings.TrimSuffix(name, "."))
}

func (t *peerNames) find(host string) (netip.Addr, bool) {
	a, ok := t.byName[canonical(host)]
	return a, ok
}

// inside tells whether a name can only be one of this tailnet's.
func (t *peerNames) inside(host string) bool {
	host = canonical(host)
	return t.suffix != "" && (host == t.suffix || strings.HasSuffix(host, "."+t.suffix))
}

var (
	errOutside    = errors.New("not on the tailnet")
	errNoSuchName = errors.New("no such name on the tailnet")
)

const (
	settleTime = 2 * time.Second
	settleStep = 100 * time.Millisecond
)

// routeSettled is route, asked again for as long as the node settles and the target seems to be none of the tailnet's.
func (n *node) routeSettled(ctx context.Context, host string, port uint16) (string, error) {
	return untilSettled(ctx, n.settlesIn, func() (string, error) {
		return n.route(ctx, host, port)
	})
}

func untilSettled(ctx context.Context, settlesIn func() time.Duration, route func() (string, error)) (string, error) {
	for {
		left := settlesIn() // before the question: the last one comes when all is known
		target, err := route()
		if left <= 0 || !errors.Is(err, errOutside) && !errors.Is(err, errNoSuchName) {
			return target, err
		}
		select {
		case <-time.After(min(left, settleStep)):
		case <-ctx.Done():
			return "", err
		}
	}
}

// route decides where a target is dialled: "ip:port" on the tailnet, or, without strict, the target as it is. The node runs. Nothing is sent and
// nothing is asked of a resolver before the target is known to be within the tailnet, in a route it advertises or behind the exit node.
func (n *node) route(ctx context.Context, host string, port uint16) (string, error) {
	portText := strconv.Itoa(int(port))
	ip, err := netip.ParseAddr(host)
	if err != nil {
		n.mu.Lock()
		old := n.peersOld
		a, ok := n.peers.find(host)
		n.mu.Unlock()
		if !ok && (old || n.settlesIn() > 0) {
			n.readPeers()
		}
		n.mu.Lock()
		if !ok {
			a, ok = n.peers.find(host)
		}
		inside := n.peers.inside(host)
		exitReady := n.exitReady
		n.mu.Unlock()
		switch {
		case ok:
			ip = a
		case inside:
			return "", errNoSuchName
		case exitReady:
			if ip, err = n.askExitNode(ctx, host); err != nil {
				return "", err
			}
		case n.cfg.Strict || n.cfg.ExitNode != "":
			return "", errOutside
		default:
			return net.JoinHostPort(host, portText), nil
		}
	}
	if ip.Zone() != "" {
		return "", errOutside
	}
	target := netip.AddrPortFrom(ip.Unmap(), port).String()
	// Of a literal this looks into tables only.
	_, viaTailnet, err := n.srv.Sys().Dialer.Get().UserDialPlan(ctx, "tcp", target)
	if err != nil {
		return "", err
	}
	if !viaTailnet && (n.cfg.Strict || n.cfg.ExitNode != "") {
		return "", errOutside
	}
	return target, nil
}
