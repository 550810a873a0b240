package agent

import (
	"os"
	"strings"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/member"
)

// keptEvents bounds what `muster events` can look back on.
const keptEvents = 1024

// eventKinds are the machine's events in the API's words.
var eventKinds = map[member.EventKind]string{
	member.HostHeard: "host_heard", member.HostSilent: "host_silent", member.HostLeft: "host_left",
	member.LinkUp: "link_up", member.LinkDown: "link_down", member.LinkHeld: "link_held",
	member.ViewProposed: "view_proposed", member.ViewAccepted: "view_accepted", member.ViewInstalled: "view_installed",
	member.PutOut: "put_out", member.Stalled: "stalled",
}

// tell reports what happened to the journal, the log and systemd.
func (h *host) tell() {
	for _, e := range h.machine.Events() {
		if e.Kind == member.Stalled {
			h.renewVIPs() // a machine that stood still may have been moved to another switch
		}
		event := api.Event{At: e.At, Kind: eventKinds[e.Kind], Host: h.name(e.Host), Epoch: e.View.Epoch, Text: h.words(e)}
		h.events.Add(event)
		h.log.Info(event.Kind, "host", event.Host, "epoch", event.Epoch, "why", event.Text)
	}
	if !h.ready && h.machine.IsInstalled() && !h.mute() {
		h.ready = true
		notify(daemon.SdNotifyReady)
	}
}

// words is why something happened; of a view that is used now, whom it holds.
func (h *host) words(e member.Event) string {
	if e.Kind != member.ViewInstalled {
		return e.Detail
	}
	var names []string
	for id := range e.Members.All() {
		names = append(names, h.name(id))
	}
	return strings.Join(names, ", ")
}

// record adds an event of the agent's own.
func (h *host) record(e api.Event) {
	e.Epoch = h.shares.view.Epoch
	h.events.Add(e)
}

// notify tells systemd, if it has started us. The socket's name stays in the environment: the guard does not use it.
func notify(state string) {
	if os.Getenv("NOTIFY_SOCKET") == "" {
		return
	}
	// Without the message systemd times out and says so; there is nothing better to do here.
	_, _ = daemon.SdNotify(false, state)
}
