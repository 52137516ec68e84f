// Command wippy-tsnet is one Tailscale node (tsnet, in user space) for one wippy process.
//
// It is started by wippy and speaks with it over what it inherits; README.md has the whole conversation:
//
//	0  lines of JSON from wippy: the configuration first, then commands. Its end is ours.
//	1  lines of JSON to wippy: events.
//	2  text for the log.
//	3  a listening TCP socket on the loopback: SOCKS5 for outgoing connections.
//	4  a Unix socket that keeps message boundaries: accepted connections go there, descriptor and who came.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"tailscale.com/envknob"
)

const (
	lineMax     = 64 << 10        // of a line in either direction
	stopTimeout = time.Second     // closing may wait for connections that linger; a successor waits for us
	byeTimeout  = 4 * time.Second // an ephemeral node tells the control server
	memoryLimit = 256 << 20       // connection churn makes the runtime keep far more than it needs, without a limit
)

type config struct {
	Hostname   string `json:"hostname"`
	AuthKey    string `json:"auth_key"`
	StateDir   string `json:"state_dir"`
	ControlURL string `json:"control_url"`
	Ephemeral  bool   `json:"ephemeral"`
	Strict     bool   `json:"strict"`
	ExitNode   string `json:"exit_node"` // name or address of a peer; "" = none
	User       string `json:"user"`      // of the SOCKS5 server
	Password   string `json:"password"`
	Verbose    bool   `json:"verbose"` // tsnet's own log on descriptor 2
}

type command struct {
	Op   string `json:"op"` // listen, unlisten, status, stop
	ID   uint64 `json:"id"`
	Port uint16 `json:"port"`
	TLS  bool   `json:"tls"`
}

func init() {
	// On the main thread, which lives as long as the process. Standard input tells the same, unless wippy's children hold it open.
	unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGTERM), 0, 0, 0)
}

func main() {
	log.SetFlags(0)
	signal.Ignore(syscall.SIGPIPE) // wippy may be gone while we still take leave of the control server
	syscall.Umask(0o077)
	envknob.SetNoLogsNoSupport() // nothing is uploaded
	envknob.Setenv("TS_DISABLE_PORTMAPPER", "1")
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(processors(runtime.NumCPU()))
	}

	in := bufio.NewScanner(os.Stdin)
	in.Buffer(make([]byte, 4096), lineMax)
	var cfg config
	if !in.Scan() {
		os.Exit(2)
	}
	if err := json.Unmarshal(in.Bytes(), &cfg); err != nil || cfg.Hostname == "" || cfg.StateDir == "" || cfg.User == "" {
		fmt.Fprintln(os.Stderr, "wippy-tsnet is started by wippy and configured on its standard input: see sidecar/README.md")
		os.Exit(2)
	}
	out := &events{w: os.Stdout, secret: cfg.AuthKey}
	n, err := newNode(cfg, out)
	if err != nil {
		out.state("down", err.Error(), "", "")
		os.Exit(1)
	}

	commands := make(chan command)
	go func() {
		defer close(commands)
		for in.Scan() {
			var c command
			if err := json.Unmarshal(in.Bytes(), &c); err != nil {
				log.Printf("a command is not understood: %v", err)
				continue
			}
			commands <- c
		}
	}()
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM, syscall.SIGINT)
	go n.run()

	for {
		select {
		case c, ok := <-commands:
			if !ok || c.Op == "stop" {
				stop(n)
			}
			n.command(c)
		case <-term:
			stop(n)
		}
	}
}

// processors is how many of the machine's we use: half of them. A request passes through some ten goroutines, and each hand-over to another thread costs more
// than what that goroutine does; wippy, which waits for us, needs the others.
func processors(all int) int {
	return max(1, all/2)
}

func stop(n *node) {
	limit := stopTimeout
	if n.cfg.Ephemeral {
		limit = byeTimeout
	}
	time.AfterFunc(limit, func() { os.Exit(0) })
	n.stop()
	os.Exit(0)
}

// events writes lines to wippy; any goroutine.
type events struct {
	w      io.Writer
	secret string
	lock   sync.Mutex
}

func (o *events) emit(v any) {
	line, err := json.Marshal(v)
	if err != nil || len(line) >= lineMax {
		log.Printf("an event cannot be told: %d bytes, %v", len(line), err)
		return
	}
	o.lock.Lock()
	defer o.lock.Unlock()
	o.w.Write(append(line, '\n'))
}

// state tells what the node is: starting, ready, degraded or down.
func (o *events) state(phase, reason, address, name string) {
	o.emit(struct {
		Event   string `json:"event"`
		Phase   string `json:"phase"`
		Reason  string `json:"reason"`
		Address string `json:"address"`
		Name    string `json:"name"`
	}{"state", phase, o.clean(reason), address, name})
}

// listening tells how peers reach a listener.
func (o *events) listening(id uint64, address string) {
	o.emit(struct {
		Event   string `json:"event"`
		ID      uint64 `json:"id"`
		Address string `json:"address"`
	}{"listening", id, address})
}

// listenFailed tells that there is no listener, or none any more, and whether it may help to ask for it again.
func (o *events) listenFailed(id uint64, problem string, again bool) {
	o.emit(struct {
		Event string `json:"event"`
		ID    uint64 `json:"id"`
		Error string `json:"error"`
		Again bool   `json:"again,omitempty"`
	}{"listen_failed", id, o.clean(problem), again})
}

// clean makes one short line of a text and takes the key out of it.
func (o *events) clean(s string) string {
	return shorten(hide(s, o.secret), 240)
}

func hide(s, secret string) string {
	if secret == "" {
		return s
	}
	return strings.ReplaceAll(s, secret, "[redacted]")
}

// shorten folds white space and cuts at a character's edge.
func shorten(s string, limit int) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "")
}
