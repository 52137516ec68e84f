package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// Names of the world behind an exit node are asked of that node (RFC 8484 on its peer API), never of this machine's resolver.

const dnsAnswerMax = 64 << 10

func (n *node) askExitNode(ctx context.Context, host string) (netip.Addr, error) {
	base, err := n.exitNodeURL(ctx)
	if err != nil {
		return netip.Addr{}, err
	}
	client := lookupClient(n.srv.Dial)
	for _, kind := range []dnsmessage.Type{dnsmessage.TypeA, dnsmessage.TypeAAAA} {
		a, err := askOne(ctx, client, base+"/dns-query", host, kind)
		if err != nil || a.IsValid() {
			return a, err
		}
	}
	return netip.Addr{}, errNoSuchName
}

// lookupClient goes to the exit node's literal address and nowhere else: a redirect could name this machine's loopback, or have a name looked up here.
func lookupClient(dial func(ctx context.Context, network, addr string) (net.Conn, error)) *http.Client {
	return &http.Client{
		Timeout:       10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:             nil,
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
				return dial(ctx, "tcp", addr)
			}}}
}

func (n *node) exitNodeURL(ctx context.Context) (string, error) {
	st, err := n.lc.Status(ctx)
	if err != nil {
		return "", err
	}
	if st.ExitNodeStatus != nil {
		for _, p := range st.Peer {
			if p.ID == st.ExitNodeStatus.ID && len(p.PeerAPIURL) > 0 {
				return p.PeerAPIURL[0], nil
			}
		}
	}
	return "", errors.New("the exit node does not look names up")
}

func askOne(ctx context.Context, client *http.Client, url, host string, kind dnsmessage.Type) (none netip.Addr, err error) {
	name, err := dnsmessage.NewName(canonical(host) + ".")
	if err != nil {
		return none, errNoSuchName
	}
	query, err := (&dnsmessage.Message{
		Header:    dnsmessage.Header{RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: name, Type: kind, Class: dnsmessage.ClassINET}},
	}).Pack()
	if err != nil {
		return none, errNoSuchName
	}
	req, err := http.NewRequestWithContext(ctx, "POST", url, bytes.NewReader(query))
	if err != nil {
		return none, err
	}
	req.Header.Set("Content-Type", "application/dns-message")
	res, err := client.Do(req)
	if err != nil {
		return none, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return none, fmt.Errorf("the exit node answers a look-up with status %d", res.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, dnsAnswerMax))
	if err != nil {
		return none, err
	}
	return firstAddress(body)
}

// firstAddress finds the first address of a DNS answer; the zero Addr when there is none.
func firstAddress(body []byte) (none netip.Addr, err error) {
	var answer dnsmessage.Message
	if err := answer.Unpack(body); err != nil {
		return none, err
	}
	if answer.RCode == dnsmessage.RCodeNameError {
		return none, errNoSuchName
	}
	if answer.RCode != dnsmessage.RCodeSuccess {
		return none, fmt.Errorf("the exit node's resolver answers %v", answer.RCode)
	}
	for _, r := range answer.Answers {
		switch b := r.Body.(type) {
		case *dnsmessage.AResource:
			return netip.AddrFrom4(b.A), nil
		case *dnsmessage.AAAAResource:
			return netip.AddrFrom16(b.AAAA), nil
		}
	}
	return none, nil
}
