package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	"tailscale.com/client/local"
	"tailscale.com/health"
	"tailscale.com/ipn"
	"tailscale.com/ipn/ipnstate"
	"tailscale.com/tailcfg"
	"tailscale.com/tsnet"
)

// node is the tailnet node and what is known of its state. All goroutines.
type node struct {
	cfg  config
	out  *events
	life context.Context // ends when we are to stop
	end  context.CancelFunc

	socks socksServer
	inlet inlet // accepted connections go in there

	mu        sync.Mutex
	srv       *tsnet.Server // nil until the state directory is ours
	lc        *local.Client
	phase     string // starting, ready, degraded, down: as told last
	state     ipn.State
	wasUp     bool
	upSince   time.Time // when it came up last
	problem   string    // tsnet's critical error, "" = none
	loginURL  string
	health    string
	login     string // why it is not logged in, "" = no reason is known
	exitError string // why the exit node is not in use
	exitReady bool
	address   string // our first address on the tailnet
	told      string // the last event, to tell changes only
	peers     peerNames
	peersOld  bool                     // the table is to be read again
	known     map[netip.Addr]*identity // asked since the tailnet last changed
	news      uint64                   // how often it has
	dialTimes map[string]time.Duration // of the last dial to a target
	changed   chan struct{}
	listeners map[uint64]*listener
	issuing   *issuance // under way, or failed a short while ago
	refusals  int       // attempts in a row that failed
}

func newNode(cfg config, out *events) (*node, error) {
	n := &node{cfg: cfg, out: out, phase: "starting", known: map[netip.Addr]*identity{}, dialTimes: map[string]time.Duration{}, changed: make(chan struct{}), listeners: map[uint64]*listener{}}
	n.life, n.end = context.WithCancel(context.Background())
	if err := n.socks.open(3); err != nil {
		return nil, err
	}
	if err := n.inlet.open(4); err != nil {
		return nil, err
	}
	return n, nil
}

// run brings the node up and follows its state until we stop.
func (n *node) run() {
	go n.socks.serve(n)
	n.tell()
	if err := n.lockStateDir(); err != nil {
		n.fatal(err)
	}
	srv := &tsnet.Server{Hostname: n.cfg.Hostname, AuthKey: n.cfg.AuthKey, Dir: n.cfg.StateDir, ControlURL: n.cfg.ControlURL,
		Ephemeral: n.cfg.Ephemeral, UserLogf: func(string, ...any) {}, Logf: func(string, ...any) {}}
	srv.Port = savedPort(n.cfg.StateDir)
	if n.cfg.Verbose {
		srv.Logf = func(format string, args ...any) { log.Print(hide(fmt.Sprintf(format, args...), n.cfg.AuthKey)) }
	}
	if err := srv.Start(); err != nil {
		n.fatal(err)
	}
	lc, err := srv.LocalClient()
	if err != nil {
		n.fatal(err)
	}
	// Routes that peers advertise are part of the tailnet; on Linux they have to be asked for.
	if _, err := lc.EditPrefs(n.life, &ipn.MaskedPrefs{Prefs: ipn.Prefs{RouteAll: true}, RouteAllSet: true}); err != nil {
		n.fatal(err)
	}
	savePort(n.cfg.StateDir, srv.Sys().MagicSock.Get().LocalPort())
	n.mu.Lock()
	n.srv, n.lc = srv, lc
	n.mu.Unlock()
	n.kick()
	for n.life.Err() == nil {
		if err := n.watch(); err != nil && n.life.Err() == nil {
			log.Printf("the node's events stopped: %v", err)
			time.Sleep(100 * time.Millisecond)
		}
	}
}

func (n *node) fatal(err error) {
	if n.life.Err() != nil {
		select {} // stop() ends the program
	}
	n.out.state("down", err.Error(), "", "")
	os.Exit(1)
}

// lockStateDir waits until no other node uses our state directory: two of the same identity would fight.
func (n *node) lockStateDir() error {
	if err := os.MkdirAll(n.cfg.StateDir, 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(n.cfg.StateDir, "wippy.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	for waited := time.Duration(0); ; waited += 20 * time.Millisecond {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) // f stays open for the life of the process
		if err == nil {
			stateLock = f
			return nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return fmt.Errorf("locking %s: %w", f.Name(), err)
		}
		if waited == time.Second {
			n.out.state("starting", "waiting for the state directory, which another node uses: give each its own hostname or state_dir", "", "")
		}
		select {
		case <-n.life.Done():
			return n.life.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

var stateLock *os.File // reachable for ever, or its finalizer would close it

// A node that comes back keeps its UDP port where it can: for some seconds its peers still send to the old one, and the first packet of their sessions would be
// lost, the next follow 5 s later.
const portFile = "wippy.port"

func savedPort(dir string) uint16 {
	text, err := os.ReadFile(filepath.Join(dir, portFile))
	if err != nil {
		return 0
	}
	port, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 16)
	if err != nil {
		return 0
	}
	// Whoever had the state directory before us may not be gone to the last descriptor.
	for range 10 {
		c, err := net.ListenUDP("udp4", &net.UDPAddr{Port: int(port)})
		if err == nil {
			c.Close()
			return uint16(port)
		}
		time.Sleep(20 * time.Millisecond)
	}
	return 0 // somebody else's now
}

func savePort(dir string, port uint16) {
	if err := os.WriteFile(filepath.Join(dir, portFile), []byte(strconv.Itoa(int(port))+"\n"), 0o600); err != nil {
		log.Printf("the port is not kept: %v", err)
	}
}

// watch follows tsnet's bus until it ends.
func (n *node) watch() error {
	w, err := n.lc.WatchIPNBus(n.life, ipn.NotifyInitialState|ipn.NotifyInitialHealthState|ipn.NotifyPeerChanges|ipn.NotifyPeerPatches|
		ipn.NotifyNoNetMap)
	if err != nil {
		return err
	}
	defer w.Close()
	for {
		m, err := w.Next()
		if err != nil {
			return err
		}
		n.take(&m)
	}
}

func (n *node) take(m *ipn.Notify) {
	n.mu.Lock()
	if m.ErrMessage != nil {
		n.problem = *m.ErrMessage
	}
	if m.BrowseToURL != nil {
		n.loginURL = *m.BrowseToURL
	}
	if m.State != nil {
		n.state = *m.State
		if n.state == ipn.Running {
			n.problem, n.loginURL = "", ""
		}
	}
	if m.Health != nil {
		n.health, n.login = worst(m.Health), m.Health.Warnings["login-state"].Text
	}
	news := m.State != nil || m.SelfChange != nil || len(m.PeersChanged) > 0 || len(m.PeersRemoved) > 0
	if news || len(m.UserProfiles) > 0 {
		n.peersOld = true
		clear(n.known)
		n.news++
	}
	running := n.state == ipn.Running
	// One that is in use may be gone, or be another node under the same name now.
	wantsExit := n.cfg.ExitNode != "" && (!n.exitReady || len(m.PeersRemoved) > 0)
	n.mu.Unlock()

	if running && news && (m.State != nil || m.SelfChange != nil || wantsExit) {
		n.readPeers()
	}
	n.tell()
	n.kick()
}

// worst is the text of the warnings that matter to whoever wants to connect, "" = none.
func worst(h *health.State) string {
	var texts []string
	for _, w := range h.Warnings {
		if w.ImpactsConnectivity || w.Severity == health.SeverityHigh {
			texts = append(texts, w.Text)
		}
	}
	slices.Sort(texts)
	return strings.Join(texts, "; ")
}

// judge gives phase and reason; the caller holds the lock.
func (n *node) judge() (phase, reason string) {
	switch {
	case n.problem != "":
		return "down", n.problem
	case n.state == ipn.Running && n.address == "":
		return "starting", "waiting for an address"
	case n.state == ipn.Running:
		if n.exitError != "" {
			return "degraded", n.exitError
		}
		if n.health != "" {
			return "degraded", n.health
		}
		return "ready", ""
	case n.state == ipn.NeedsLogin && n.loginURL != "":
		return "down", "log in at " + n.loginURL
	case n.state == ipn.NeedsLogin && n.wasUp:
		return "down", "backend in state NeedsLogin: the node's key expired or was revoked"
	case n.state == ipn.NeedsMachineAuth:
		return "down", "backend in state NeedsMachineAuth: an administrator of the tailnet has to approve this node"
	case n.state == ipn.Stopped, n.state == ipn.InUseOtherUser:
		return "down", "backend in state " + n.state.String()
	}
	if n.health == "" {
		return "starting", n.login // why the control server is not reached, say
	}
	return "starting", n.health
}

// tell sends an event when the state is another than the last one told.
func (n *node) tell() {
	n.mu.Lock()
	defer n.mu.Unlock()
	phase, reason := n.judge()
	if isUp(phase) {
		if !isUp(n.phase) {
			n.upSince = time.Now()
		}
		n.wasUp = true
	}
	n.phase = phase
	key := phase + "\x00" + reason + "\x00" + n.address + "\x00" + n.peers.self
	if key == n.told {
		return
	}
	n.told = key
	n.out.state(phase, reason, n.address, n.peers.self)
}

func isUp(phase string) bool {
	return phase == "ready" || phase == "degraded"
}

// settlesIn is how long it takes until a node that has just come up knows all its peers and routes: they come after it.
func (n *node) settlesIn() time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	return settleTime - time.Since(n.upSince)
}

// kick wakes whoever waits for a change.
func (n *node) kick() {
	n.mu.Lock()
	defer n.mu.Unlock()
	close(n.changed)
	n.changed = make(chan struct{})
}

var errNotRunning = errors.New("the node is not running")

// await returns when the node can dial and listen; errNotRunning when somebody has to do something first.
func (n *node) await(ctx context.Context) error {
	for {
		n.mu.Lock()
		phase, changed := n.phase, n.changed
		n.mu.Unlock()
		switch phase {
		case "ready", "degraded":
			return nil
		case "down":
			return errNotRunning
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// readPeers reads names and addresses of this tailnet, and chooses the exit node once it is among them.
func (n *node) readPeers() {
	ctx, cancel := context.WithTimeout(n.life, 5*time.Second)
	defer cancel()
	n.mu.Lock()
	n.peersOld = false
	n.mu.Unlock()
	st, err := n.lc.Status(ctx)
	if err != nil {
		n.mu.Lock()
		n.peersOld = true
		n.mu.Unlock()
		return
	}
	exitError := ""
	exitReady := false
	if n.cfg.ExitNode != "" {
		if err := n.useExitNode(ctx, st); err != nil {
			exitError = fmt.Sprintf("exit node %q: %v", n.cfg.ExitNode, err)
		} else {
			exitReady = true
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.peers = namesOf(st)
	n.exitError, n.exitReady = exitError, exitReady
	if len(st.TailscaleIPs) > 0 {
		n.address = st.TailscaleIPs[0].String()
	}
}

func (n *node) useExitNode(ctx context.Context, st *ipnstate.Status) error {
	p, err := chooseExitNode(st, n.cfg.ExitNode)
	if err != nil || isExitNode(st, p) {
		return err
	}
	_, err = n.lc.EditPrefs(ctx, &ipn.MaskedPrefs{Prefs: ipn.Prefs{ExitNodeID: p.ID}, ExitNodeIDSet: true})
	return err
}

func isExitNode(st *ipnstate.Status, p *ipnstate.PeerStatus) bool {
	return st.ExitNodeStatus != nil && st.ExitNodeStatus.ID == p.ID
}

// chooseExitNode finds the peer that is meant: the one in use as long as it is there and offers itself. A node that registered again under its name is another one,
// and the old one's choice would lead nowhere.
func chooseExitNode(st *ipnstate.Status, wanted string) (*ipnstate.PeerStatus, error) {
	var found *ipnstate.PeerStatus
	for _, p := range st.Peer {
		name := canonical(p.DNSName)
		short, _, _ := strings.Cut(name, ".")
		if want := canonical(wanted); name != want && short != want && !hasAddress(p, want) {
			continue
		}
		if p.ExitNodeOption && isExitNode(st, p) {
			return p, nil
		}
		if found == nil || !found.ExitNodeOption {
			found = p
		}
	}
	if found == nil {
		return nil, errors.New("there is no such node on the tailnet")
	}
	if !found.ExitNodeOption {
		return nil, errors.New("it does not offer itself as an exit node, or is not allowed to")
	}
	return found, nil
}

func hasAddress(p *ipnstate.PeerStatus, text string) bool {
	for _, a := range p.TailscaleIPs {
		if a.String() == text {
			return true
		}
	}
	return false
}

func (n *node) command(c command) {
	switch c.Op {
	case "listen":
		n.listen(c)
	case "unlisten":
		n.unlisten(c.ID)
	case "status":
		n.mu.Lock()
		n.told = ""
		n.mu.Unlock()
		n.tell()
	default:
		log.Printf("a command is not known: %q", c.Op)
	}
}

// stop takes leave of the control server when the node is ephemeral, and closes everything.
func (n *node) stop() {
	n.end() // an open watch would delay Close by seconds
	n.mu.Lock()
	srv, lc := n.srv, n.lc
	n.mu.Unlock()
	if srv == nil {
		return
	}
	if n.cfg.Ephemeral {
		ctx, cancel := context.WithTimeout(context.Background(), byeTimeout/2)
		defer cancel()
		lc.Logout(ctx)
	}
	srv.Close()
}

// identity is what the tailnet vouches for.
type identity struct {
	Login string   `json:"login,omitempty"`
	User  string   `json:"user,omitempty"`
	Node  string   `json:"node,omitempty"`
	ID    string   `json:"node_id,omitempty"`
	Tags  []string `json:"tags,omitempty"`
}

const knownMax = 4096 // callers, or targets, of whom something is kept

// whoIs asks who a caller is, once for each address until the tailnet changes.
func (n *node) whoIs(remote string) *identity {
	from, err := netip.ParseAddrPort(remote)
	if err != nil {
		return nil
	}
	n.mu.Lock()
	who, ok := n.known[from.Addr()]
	news := n.news
	n.mu.Unlock()
	if ok {
		return who
	}
	if who = n.askWhoIs(remote); who == nil {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.news == news {
		if len(n.known) >= knownMax {
			clear(n.known)
		}
		n.known[from.Addr()] = who
	}
	return who
}

func (n *node) askWhoIs(remote string) *identity {
	ctx, cancel := context.WithTimeout(n.life, 2*time.Second)
	defer cancel()
	w, err := n.lc.WhoIs(ctx, remote)
	if err != nil || w.Node == nil {
		return nil
	}
	who := &identity{Node: strings.TrimSuffix(w.Node.Name, "."), ID: string(w.Node.StableID), Tags: w.Node.Tags}
	// A tagged node belongs to nobody: its profile is a placeholder.
	if len(w.Node.Tags) == 0 && w.UserProfile != nil && w.UserProfile.ID != tailcfg.UserID(0) {
		who.Login, who.User = w.UserProfile.LoginName, w.UserProfile.DisplayName
	}
	return who
}
