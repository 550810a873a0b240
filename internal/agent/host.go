package agent

import (
	"log/slog"
	"os/exec"
	"sync/atomic"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/guard"
	"github.com/muster-ha/muster/internal/heartbeat"
	"github.com/muster-ha/muster/internal/member"
	"github.com/muster-ha/muster/internal/standing"
	"github.com/muster-ha/muster/internal/system"
	"github.com/muster-ha/muster/internal/vip"
)

// Options is what an agent needs to know beyond the cluster's file.
type Options struct {
	Config     *config.Config
	ConfigPath string // read again on SIGHUP
	Host       string // this host's name in the file
	RunDir     string // control socket, lock, undo journal, pinned filter
	StateDir   string // what should survive a reboot: the highest epoch
	Version    string
	Log        *slog.Logger
	// Guard makes the command of the guard process, which calls guard.Main.
	Guard func() *exec.Cmd
}

// host is a running agent. Fields below the line belong to the loop.
type host struct {
	opt     Options
	log     *slog.Logger
	self    member.ID
	boot    member.Boot
	calls   chan func()
	stopped chan struct{} // closed when the loop has ended
	events  *api.Journal
	network *heartbeat.Networks
	filter  kernel
	changes *system.Journal
	guard   *guard.Process
	scanner *scanner
	leave   chan time.Duration // a request to leave, with its deadline

	config          *config.Config
	pending         *config.Config // loaded, waits for the other hosts
	pendingRankings rankings
	machine         *member.Machine
	attributes      member.Attributes
	next            member.Attributes // with the pending configuration
	shares          *shares
	vips            []*carried
	formers         formers // deliveries before a change
	checks          *checks
	peers           []peer
	orders          orders
	ghosts          map[member.ID]time.Time // hosts whose agent was killed, and until when they are asked
	leaving         bool
	disarmed        bool  // the filter is known to be broken: accept nothing
	uncarried       error // what keeps this host from carrying the configuration in use: accept nothing
	aside           bool  // hosts that this one shares no version with serve already: accept nothing
	served          bool  // this boot has accepted new connections: it stands aside for nobody any more
	ready           bool  // sd_notify has been told
	lastScan        scan
	lastView        member.Set // hosts of the last view installed
	tie             tie
	quorate         [member.Needs]bool // what the view that is installed has, as told last
	drift           drifts             // what was found changed lately
	exits           exits
	early           []accelerated            // what became of the interfaces that are to drop in the driver
	known           map[string]vip.Interface // where the VIPs' interfaces were found last, by VIP; replaced, never changed
	dup             duplicates
	probing         probing
	epochWriter     chan uint64
	late            lateness
	scheduling      string      // how the kernel schedules this agent, in words
	castings        []casting   // by network, as the networks were opened
	groupWriter     chan string // the text of the groups file
	keys            keychain
	registers       *registers
	tunnel          tunnelEnd    // of the configuration in use
	tunnelFits      atomic.Int64 // bytes of the largest packet that fits into it
	applied         applied      // settings of networks
	standing        standing.Orders
	drainEnds       time.Time // of this host's own drain, if that has a deadline
	started         time.Time
	unsettled       bool   // it may lack an order about itself: accept nothing
	cannotClose     string // why connections that are to be closed are not, as told last
	errands         *errands
	routing         routing
	examined        examination
}
