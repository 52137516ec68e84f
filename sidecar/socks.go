package main

import (
	"context"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"io"
	"log"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"
)

// Replies of the SOCKS5 server (RFC 1928 section 6). From 0xe0 on they are ours; overlay/tailscale/driver.c has their meaning in words.
const (
	replyOK          = 0x00
	replyFailed      = 0x01
	replyUnreachable = 0x04
	replyRefused     = 0x05
	replyTimeout     = 0x06
	replyCommand     = 0x07
	replyAddress     = 0x08
	replyOutside     = 0xe0
	replyNoSuchName  = 0xe1
	replyNotRunning  = 0xe2
)

const (
	connectionsMax   = 8192
	handshakeTimeout = 10 * time.Second
	dialTimeout      = 5 * time.Minute // wippy has the real deadline, and closes
)

// socksServer accepts on a socket that wippy bound: it is there before we are, and while we are started again.
type socksServer struct {
	ln    net.Listener
	slots chan struct{}
}

func (s *socksServer) open(fd uintptr) error {
	f := os.NewFile(fd, "socks")
	defer f.Close() // FileListener has a copy
	ln, err := net.FileListener(f)
	if err != nil {
		return err
	}
	s.ln, s.slots = ln, make(chan struct{}, connectionsMax)
	return nil
}

func (s *socksServer) serve(n *node) {
	for {
		s.slots <- struct{}{}
		c, err := s.ln.Accept()
		if err != nil {
			<-s.slots
			if errors.Is(err, net.ErrClosed) {
				return
			}
			log.Printf("accept: %v", err)
			time.Sleep(10 * time.Millisecond)
			continue
		}
		go func() {
			defer func() { <-s.slots }()
			defer c.Close()
			n.serveSOCKS(c)
		}()
	}
}

// serveSOCKS speaks the server's side of one CONNECT and then carries the stream.
func (n *node) serveSOCKS(c net.Conn) {
	c.SetDeadline(time.Now().Add(handshakeTimeout))
	if !authenticate(c, n.cfg.User, n.cfg.Password) {
		return
	}
	host, port, code := readRequest(c)
	if code != replyOK {
		reply(c, code)
		return
	}
	c.SetDeadline(time.Time{})
	far, code := n.dialFor(c, host, port)
	if code == replyNotRunning {
		time.Sleep(50 * time.Millisecond) // the event that says why is read first
	}
	c.SetDeadline(time.Now().Add(handshakeTimeout))
	if err := reply(c, code); err != nil || code != replyOK {
		if far != nil {
			far.Close()
		}
		return
	}
	c.SetDeadline(time.Time{})
	carry(c, far)
}

// authenticate reads the greeting and the credentials (RFC 1929); nobody gets in without them.
func authenticate(c net.Conn, user, password string) bool {
	var b [256]byte
	read := func(count int) []byte {
		if _, err := io.ReadFull(c, b[:count]); err != nil {
			return nil
		}
		return b[:count]
	}
	head := read(2)
	if head == nil || head[0] != 5 {
		return false
	}
	methods := read(int(head[1]))
	if !strings.ContainsRune(string(methods), 2) {
		c.Write([]byte{5, 0xff})
		return false
	}
	if _, err := c.Write([]byte{5, 2}); err != nil {
		return false
	}
	if head = read(2); head == nil || head[0] != 1 {
		return false
	}
	gotUser := string(read(int(head[1])))
	size := read(1)
	if size == nil {
		return false
	}
	gotPassword := string(read(int(size[0])))
	ok := subtle.ConstantTimeCompare([]byte(gotUser), []byte(user)) & subtle.ConstantTimeCompare([]byte(gotPassword), []byte(password))
	if ok != 1 {
		c.Write([]byte{1, 1})
		return false
	}
	_, err := c.Write([]byte{1, 0})
	return err == nil
}

// readRequest reads the request; the code is not replyOK when it cannot be served.
func readRequest(c io.Reader) (host string, port uint16, code byte) {
	var b [256]byte
	if _, err := io.ReadFull(c, b[:4]); err != nil || b[0] != 5 {
		return "", 0, replyFailed
	}
	command, kind := b[1], b[3]
	size := map[byte]int{1: 4, 4: 16}[kind]
	if kind == 3 {
		if _, err := io.ReadFull(c, b[:1]); err != nil {
			return "", 0, replyFailed
		}
		size = int(b[0])
	}
	if size == 0 {
		return "", 0, replyAddress
	}
	if _, err := io.ReadFull(c, b[:size]); err != nil {
		return "", 0, replyFailed
	}
	if kind == 3 {
		host = string(b[:size])
	} else {
		a, _ := netip.AddrFromSlice(b[:size])
		host = a.String()
	}
	if _, err := io.ReadFull(c, b[:2]); err != nil {
		return "", 0, replyFailed
	}
	port = binary.BigEndian.Uint16(b[:2])
	if command != 1 || port == 0 {
		return "", 0, replyCommand
	}
	return host, port, replyOK
}

func reply(c io.Writer, code byte) error {
	_, err := c.Write([]byte{5, code, 0, 1, 0, 0, 0, 0, 0, 0})
	return err
}

// dialFor dials as long as the client is there: it sends nothing before our reply, so its end is all there is to read.
func (n *node) dialFor(c net.Conn, host string, port uint16) (net.Conn, byte) {
	ctx, cancel := context.WithTimeout(n.life, dialTimeout)
	defer cancel()
	watched := make(chan bool, 1)
	go func() {
		var b [1]byte
		got, err := c.Read(b[:])
		gone := got > 0 || !errors.Is(err, os.ErrDeadlineExceeded)
		if gone {
			cancel()
		}
		watched <- gone
	}()
	far, code := n.dial(ctx, host, port)
	c.SetReadDeadline(time.Unix(1, 0)) // ends that read
	if gone := <-watched; gone && far != nil {
		far.Close()
		return nil, replyFailed
	}
	return far, code
}

func (n *node) dial(ctx context.Context, host string, port uint16) (net.Conn, byte) {
	if err := n.await(ctx); err != nil {
		if errors.Is(err, errNotRunning) {
			return nil, replyNotRunning
		}
		return nil, replyTimeout
	}
	target, err := n.routeSettled(ctx, host, port)
	switch {
	case errors.Is(err, errOutside):
		return nil, replyOutside
	case errors.Is(err, errNoSuchName):
		return nil, replyNoSuchName
	case err != nil:
		return nil, replyUnreachable
	}
	far, err := n.dialAgain(ctx, target)
	if err == nil {
		return far, replyOK
	}
	if ctx.Err() != nil {
		return nil, replyTimeout
	}
	return nil, refusal(err)
}

const (
	dialAgainAfter = 200 * time.Millisecond // of a peer that was never dialled; twice as long each time
	dialAgainMin   = 40 * time.Millisecond
	dialsAtOnce    = 6
)

// patience is how long a dial may take before another joins it: some round trips, as the last dial to that peer measured them.
func (n *node) patience(target string) time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	last, ok := n.dialTimes[target]
	if !ok {
		return dialAgainAfter
	}
	return max(dialAgainMin, 4*last)
}

func (n *node) noteDialTime(target string, took time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.dialTimes) >= knownMax {
		clear(n.dialTimes)
	}
	n.dialTimes[target] = took
}

// dialAgain dials, and while there is no answer once more from another port: a peer that closed first holds the four addresses and ports for a minute and swallows a SYN that
// happens to use them again. The first answer counts.
func (n *node) dialAgain(ctx context.Context, target string) (net.Conn, error) {
	type answer struct {
		c   net.Conn
		err error
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the others
	answers := make(chan answer, dialsAtOnce)
	for tries, wait := 1, n.patience(target); ; wait *= 2 {
		go func() {
			begin := time.Now()
			c, err := n.srv.Dial(ctx, "tcp", target)
			if err == nil {
				n.noteDialTime(target, time.Since(begin))
			}
			answers <- answer{c, err}
		}()
		var again <-chan time.Time
		if tries < dialsAtOnce {
			again = time.After(wait)
		}
		select {
		case first := <-answers:
			go func(left int) {
				for range left {
					if late := <-answers; late.c != nil {
						late.c.Close()
					}
				}
			}(tries - 1)
			return first.c, first.err
		case <-again:
			tries++
		}
	}
}

func refusal(err error) byte {
	text := err.Error()
	switch {
	case strings.Contains(text, "refused"):
		return replyRefused
	case strings.Contains(text, "no such host"):
		return replyNoSuchName
	case strings.Contains(text, "backend in state"):
		return replyNotRunning
	}
	return replyUnreachable
}
