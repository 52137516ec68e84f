package main

import (
	"io"
	"net"
	"sync"
)

const carryBytes = 64 << 10

var carryBuffers = sync.Pool{New: func() any { return new([carryBytes]byte) }}

// carry moves bytes both ways until both ends are done, keeps half-closed streams, and closes both.
func carry(a, b net.Conn) {
	defer a.Close()
	defer b.Close()
	var wg sync.WaitGroup
	wg.Go(func() { carryOne(a, b) })
	wg.Go(func() { carryOne(b, a) })
	wg.Wait()
}

func carryOne(dst, src net.Conn) {
	buffer := carryBuffers.Get().(*[carryBytes]byte)
	// Without the wrappers io.Copy would choose ways of its own that take a buffer of theirs.
	_, err := io.CopyBuffer(struct{ io.Writer }{dst}, struct{ io.Reader }{src}, buffer[:])
	carryBuffers.Put(buffer)
	if half, ok := dst.(interface{ CloseWrite() error }); ok && err == nil {
		half.CloseWrite()
		return
	}
	// Broken: the other direction must not wait for an end that does not come.
	dst.Close()
	src.Close()
}
