package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	listenersMax   = 256
	acceptedMax    = 8192 // connections of all listeners together
	noticeBytesMax = 32 << 10

	certificateTimeout  = 2 * time.Minute // issuing waits for DNS records to be seen
	certificateAgainMin = 30 * time.Second
	certificateAgainMax = 15 * time.Minute
)

type listener struct {
	id   uint64
	ctx  context.Context
	end  context.CancelFunc
	port string
	tls  bool
	ln   net.Listener // the goroutine of serveListener
}

func (n *node) listen(c command) {
	l := &listener{id: c.ID, port: strconv.Itoa(int(c.Port)), tls: c.TLS}
	l.ctx, l.end = context.WithCancel(n.life)
	n.mu.Lock()
	full := len(n.listeners) >= listenersMax
	if !full {
		n.listeners[c.ID] = l
	}
	n.mu.Unlock()
	if full {
		l.end()
		n.out.listenFailed(c.ID, "too many listeners on this node", false)
		return
	}
	go n.serveListener(l)
}

func (n *node) unlisten(id uint64) {
	n.mu.Lock()
	l := n.listeners[id]
	delete(n.listeners, id)
	n.mu.Unlock()
	if l != nil {
		l.end()
	}
}

func (n *node) serveListener(l *listener) {
	if err := n.bind(l); err != nil {
		if l.ctx.Err() == nil {
			n.unlisten(l.id)
			n.out.listenFailed(l.id, err.Error(), errors.As(err, new(notYet)))
		}
		return
	}
	defer l.ln.Close()
	context.AfterFunc(l.ctx, func() { l.ln.Close() })
	go n.announce(l)
	for {
		c, err := l.ln.Accept()
		if err != nil {
			if l.ctx.Err() == nil {
				n.unlisten(l.id)
				n.out.listenFailed(l.id, err.Error(), true)
			}
			return
		}
		select {
		case n.inlet.slots <- struct{}{}:
		default:
			c.Close() // more than acceptedMax
			continue
		}
		go func() {
			defer func() { <-n.inlet.slots }()
			defer c.Close()
			n.handOver(l, c)
		}()
	}
}

// bind waits for the node's backend, and for TLS until it runs: the certificate's name is known then.
func (n *node) bind(l *listener) error {
	for {
		n.mu.Lock()
		srv, phase, changed := n.srv, n.phase, n.changed
		n.mu.Unlock()
		if srv != nil && (!l.tls || phase == "ready" || phase == "degraded") {
			break
		}
		select {
		case <-changed:
		case <-l.ctx.Done():
			return l.ctx.Err()
		}
	}
	var err error
	if l.tls {
		if err = n.certify(l.ctx); err != nil {
			return err
		}
		l.ln, err = n.srv.ListenTLS("tcp", ":"+l.port)
	} else {
		l.ln, err = n.srv.Listen("tcp", ":"+l.port)
	}
	return err
}

// notYet is a failure that may pass: the issuer is away, or has had enough of us for an hour.
type notYet struct{ error }

// certify has the certificate of our name issued, or finds that there is one: a listener is ready when its first caller need not wait for that, and whoever started
// it learns why there is none.
func (n *node) certify(ctx context.Context) error {
	st, err := n.lc.StatusWithoutPeers(ctx)
	if err != nil {
		return err
	}
	if len(st.CertDomains) == 0 {
		return errors.New("this tailnet issues no certificates: enable MagicDNS and HTTPS on its DNS page (https://tailscale.com/s/https), or give the server its own certificate")
	}
	if err := n.issue(ctx, st.CertDomains[0]); err != nil {
		return notYet{fmt.Errorf("no certificate for %s: %w", st.CertDomains[0], err)}
	}
	return nil
}

// issuance is one attempt to get the certificate of our name.
type issuance struct {
	done chan struct{}
	err  error // once done
}

// certificateAgain is how long a failed attempt counts: issuers allow a few in an hour.
func certificateAgain(failures int) time.Duration {
	return min(certificateAgainMin<<min(failures-1, 10), certificateAgainMax)
}

// issue waits for the attempt that is under way, or for a new one. It goes on when ctx ends: who asks again after a few seconds finds it further, and the issuer,
// who counts, is asked once.
func (n *node) issue(ctx context.Context, name string) error {
	n.mu.Lock()
	i := n.issuing
	if i == nil {
		i = &issuance{done: make(chan struct{})}
		n.issuing = i
		go func() {
			ctx, cancel := context.WithTimeout(n.life, certificateTimeout)
			defer cancel()
			_, _, i.err = n.lc.CertPair(ctx, name)
			n.mu.Lock()
			if i.err == nil {
				n.issuing, n.refusals = nil, 0
			} else {
				n.refusals++
				time.AfterFunc(certificateAgain(n.refusals), n.forgetIssuance)
			}
			n.mu.Unlock()
			close(i.done)
		}()
	}
	n.mu.Unlock()
	select {
	case <-i.done:
		return i.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (n *node) forgetIssuance() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.issuing = nil
}

// announce tells how peers reach the listener, once they can, and again when the address is another.
func (n *node) announce(l *listener) {
	_, port, err := net.SplitHostPort(l.ln.Addr().String())
	if err != nil {
		port = l.port
	}
	for told := ""; ; {
		n.mu.Lock()
		phase, address, changed := n.phase, n.address, n.changed
		if l.tls && n.peers.self != "" {
			address = n.peers.self // the certificate's name
		}
		n.mu.Unlock()
		if (phase == "ready" || phase == "degraded") && address != told {
			told = address
			n.out.listening(l.id, net.JoinHostPort(address, port))
		}
		select {
		case <-changed:
		case <-l.ctx.Done():
			return
		}
	}
}

// notice goes with each accepted connection, in the same message as its descriptor.
type notice struct {
	ID   uint64    `json:"id"`
	Peer string    `json:"peer"`
	TLS  bool      `json:"tls"`
	Who  *identity `json:"who,omitempty"`
}

func (n *node) handOver(l *listener, c net.Conn) {
	if t, ok := c.(*tls.Conn); ok {
		ctx, cancel := context.WithTimeout(l.ctx, handshakeTimeout)
		err := t.HandshakeContext(ctx)
		cancel()
		if err != nil {
			log.Printf("TLS handshake: %v", err)
			return
		}
	}
	remote := c.RemoteAddr().String()
	ours, err := n.inlet.hand(&notice{ID: l.id, Peer: remote, TLS: l.tls, Who: n.whoIs(remote)})
	if err != nil {
		log.Printf("a connection cannot be handed over: %v", err)
		return
	}
	carry(c, ours)
}

// inlet is wippy's socket for accepted connections.
type inlet struct {
	conn  *net.UnixConn
	slots chan struct{}
	mu    sync.Mutex
}

func (i *inlet) open(fd uintptr) error {
	f := os.NewFile(fd, "inlet")
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return err
	}
	unixConn, ok := c.(*net.UnixConn)
	if !ok {
		return errors.New("descriptor 4 is no Unix socket")
	}
	i.conn, i.slots = unixConn, make(chan struct{}, acceptedMax)
	return nil
}

// hand sends one end of a new pair of sockets and returns the other.
func (i *inlet) hand(what *notice) (net.Conn, error) {
	text, err := json.Marshal(what)
	if err != nil {
		return nil, err
	}
	if len(text) > noticeBytesMax {
		return nil, errors.New("the caller's identity is too long")
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(pair[0]), "accepted")
	ours, err := net.FileConn(f)
	f.Close()
	if err == nil {
		i.mu.Lock()
		i.conn.SetWriteDeadline(time.Now().Add(handshakeTimeout))
		_, _, err = i.conn.WriteMsgUnix(text, unix.UnixRights(pair[1]), nil)
		i.mu.Unlock()
		if err != nil {
			ours.Close()
		}
	}
	unix.Close(pair[1])
	if err != nil {
		return nil, err
	}
	return ours, nil
}
