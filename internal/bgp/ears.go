package bgp

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"strconv"

	wire "github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// ears is the log handler of the embedded server, which says nowhere else why it cannot connect.
type ears struct {
	heard func(neighbor netip.Addr, err string)
	log   *slog.Logger
	about []slog.Attr // of every record
}

// What the server says of attempts, with the router's address as Key.
const (
	failedToConnect = "failed to connect"            // and Error
	connectionEnded = "outgoing connection IO error" // before the session stood; and reason
	sentNotice      = "sent notification"            // and Code and Subcode of RFC 4271
)

// Enabled is asked before each record.
func (e *ears) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelDebug
}

// Handle takes in why an attempt failed, and passes warnings on. The rest is the server's own business.
func (e *ears) Handle(ctx context.Context, r slog.Record) error {
	if why := e.failure(r); why != "" {
		if a, err := netip.ParseAddr(e.find(r, "Key")); err == nil {
			e.heard(a, why)
		}
		return nil
	}
	if r.Level < slog.LevelWarn {
		return nil
	}
	attrs := []slog.Attr{slog.String("router", e.find(r, "Key"))}
	if why := e.find(r, "Error"); why != "" {
		attrs = append(attrs, slog.String("err", why))
	}
	e.log.LogAttrs(ctx, slog.LevelDebug, "BGP: "+r.Message, attrs...) // what it means for service is said by Changes
	return nil
}

// failure is why an attempt failed; empty: the record is of something else.
func (e *ears) failure(r slog.Record) string {
	switch r.Message {
	case failedToConnect:
		return e.find(r, "Error")
	case connectionEnded:
		return "connection ended: " + e.find(r, "reason")
	case sentNotice:
		code, _ := strconv.ParseUint(e.find(r, "Code"), 10, 8)
		subcode, _ := strconv.ParseUint(e.find(r, "Subcode"), 10, 8)
		return "notification-sent " + wire.NewNotificationErrorCode(uint8(code), uint8(subcode)).String()
	}
	return ""
}

// find gives an attribute's text.
func (e *ears) find(r slog.Record, key string) (text string) {
	for _, a := range e.about {
		if a.Key == key {
			text = a.Value.String()
		}
	}
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == key {
			text = a.Value.String()
		}
		return true
	})
	return text
}

// WithAttrs is what the server calls for each router.
func (e *ears) WithAttrs(attrs []slog.Attr) slog.Handler {
	more := *e
	more.about = append(slices.Clone(e.about), attrs...)
	return &more
}

// WithGroup keeps names as they are: the server uses no groups.
func (e *ears) WithGroup(string) slog.Handler { return e }

var _ slog.Handler = (*ears)(nil)
