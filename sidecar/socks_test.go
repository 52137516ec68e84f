package main

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestRequests(t *testing.T) {
	for _, c := range []struct {
		bytes string
		host  string
		port  uint16
		code  byte
	}{
		{"\x05\x01\x00\x03\x04peer\x00\x50", "peer", 80, replyOK},
		{"\x05\x01\x00\x01\x64\x40\x00\x01\x1f\x90", "100.64.0.1", 8080, replyOK},
		{"\x05\x01\x00\x04" + strings.Repeat("\x00", 15) + "\x01\x00\x50", "::1", 80, replyOK},
		{"\x05\x02\x00\x03\x04peer\x00\x50", "", 0, replyCommand},
		{"\x05\x01\x00\x03\x04peer\x00\x00", "", 0, replyCommand},
		{"\x05\x01\x00\x03\x00\x00\x50", "", 0, replyAddress},
		{"\x05\x01\x00\x09peer\x00\x50", "", 0, replyAddress},
		{"\x04\x01\x00\x03\x04peer\x00\x50", "", 0, replyFailed},
		{"\x05\x01\x00\x03\x09peer\x00\x50", "", 0, replyFailed},
		{"\x05\x01", "", 0, replyFailed},
		{"", "", 0, replyFailed},
	} {
		host, port, code := readRequest(bytes.NewReader([]byte(c.bytes)))
		if host != c.host || port != c.port || code != c.code {
			t.Errorf("%q: %q %d %#x", c.bytes, host, port, code)
		}
	}
}

func TestCredentials(t *testing.T) {
	for _, c := range []struct {
		bytes, answer string
		ok            bool
	}{
		{"\x05\x02\x00\x02\x01\x02me\x03key", "\x05\x02\x01\x00", true},
		{"\x05\x01\x02\x01\x02me\x03kez", "\x05\x02\x01\x01", false},
		{"\x05\x01\x02\x01\x02mi\x03key", "\x05\x02\x01\x01", false},
		{"\x05\x01\x02\x01\x00\x00", "\x05\x02\x01\x01", false},
		{"\x05\x01\x00\x01\x02me\x03key", "\x05\xff", false},
		{"\x05\x00", "\x05\xff", false},
		{"\x05\x01\x02\x05", "\x05\x02", false},
		{"GET / HTTP/1.0\r\n", "", false},
	} {
		ours, theirs := net.Pipe()
		ours.SetDeadline(time.Now().Add(5 * time.Second))
		theirs.SetDeadline(time.Now().Add(5 * time.Second))
		result := make(chan bool)
		go func() {
			ok := authenticate(ours, "me", "key")
			ours.Close()
			result <- ok
		}()
		go theirs.Write([]byte(c.bytes))
		want := make([]byte, len(c.answer))
		io.ReadFull(theirs, want)
		if strings.HasPrefix(c.bytes, "\x05\x01\x02\x05") {
			theirs.Close()
		}
		if ok := <-result; ok != c.ok || string(want) != c.answer {
			t.Errorf("%q: %v %q", c.bytes, ok, want)
		}
		theirs.Close()
	}
}

func TestNames(t *testing.T) {
	names := peerNames{suffix: "tail.test", byName: map[string]netip.Addr{"peer": netip.MustParseAddr("100.64.0.1"),
		"peer.tail.test": netip.MustParseAddr("100.64.0.1"), "shared.other.test": netip.MustParseAddr("100.64.0.2")}}
	for host, want := range map[string]bool{"peer": true, "PEER.": true, "Peer.tail.test.": true, "shared.other.test": true, "shared": false, "peer.other.test": false,
		"": false, ".": false} {
		if _, ok := names.find(host); ok != want {
			t.Errorf("find %q: %v", host, ok)
		}
	}
	for host, want := range map[string]bool{"x.tail.test": true, "TAIL.test.": true, "xtail.test": false, "test": false, "x.tail.test.com": false} {
		if names.inside(host) != want {
			t.Errorf("inside %q: %v", host, !want)
		}
	}
	if (&peerNames{}).inside("anything") {
		t.Error("a tailnet without a suffix has no names inside")
	}
}

func TestTexts(t *testing.T) {
	o := events{secret: "tskey-secret"}
	if got := o.clean("bad\nkey  tskey-secret!"); got != "bad key [redacted]!" {
		t.Errorf("%q", got)
	}
	if got := shorten(strings.Repeat("é", 200), 241); len(got) != 240 {
		t.Errorf("cut to %d bytes", len(got))
	}
	var b bytes.Buffer
	o.w = &b
	o.listenFailed(7, "no "+o.secret, false)
	o.listenFailed(7, "not now", true)
	o.listening(7, "100.64.0.3:80")
	if got := b.String(); got != "{\"event\":\"listen_failed\",\"id\":7,\"error\":\"no [redacted]\"}\n{\"event\":\"listen_failed\",\"id\":7,\"error\":\"not now\",\"again\":true}\n{\"event\":\"listening\",\"id\":7,\"address\":\"100.64.0.3:80\"}\n" {
		t.Errorf("%s", got)
	}
}

func TestHalfOfTheProcessors(t *testing.T) {
	for all, wanted := range map[int]int{1: 1, 2: 1, 3: 1, 4: 2, 64: 32} {
		if got := processors(all); got != wanted {
			t.Errorf("of %d: %d", all, got)
		}
	}
}

func TestAnIssuerIsAskedMoreAndMoreSeldom(t *testing.T) {
	for failures, wanted := range map[int]time.Duration{1: 30 * time.Second, 2: time.Minute, 5: 8 * time.Minute, 6: 15 * time.Minute, 1000: 15 * time.Minute} {
		if got := certificateAgain(failures); got != wanted {
			t.Errorf("after %d: %v", failures, got)
		}
	}
}

func TestAnswersOfAnExitNode(t *testing.T) {
	head := "\x00\x00\x81\x80\x00\x00\x00\x01\x00\x00\x00\x00"
	for _, c := range []struct{ bytes, address string }{
		{head + "\x00\x00\x01\x00\x01\x00\x00\x00\x00\x00\x04\xc0\x00\x02\x07", "192.0.2.7"},
		{head + "\x00\x00\x1c\x00\x01\x00\x00\x00\x00\x00\x10" + "\x20\x01\x0d\xb8" + strings.Repeat("\x00", 11) + "\x01", "2001:db8::1"},
		{"\x00\x00\x81\x80\x00\x00\x00\x00\x00\x00\x00\x00", "invalid IP"},
	} {
		if a, err := firstAddress([]byte(c.bytes)); err != nil || a.String() != c.address {
			t.Errorf("%q: %v %v", c.bytes, a, err)
		}
	}
	for _, wrong := range []string{"", "x", head, "\x00\x00\x81\x83\x00\x00\x00\x00\x00\x00\x00\x00", "\x00\x00\x81\x82\x00\x00\x00\x00\x00\x00\x00\x00"} {
		if a, err := firstAddress([]byte(wrong)); err == nil {
			t.Errorf("%q: %v", wrong, a)
		}
	}
}
