package api

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"time"
)

// What an Agent's methods return, wrapped, when the caller is at fault. The text around them is shown to the user.
var (
	ErrUnknown  = errors.New("unknown")      // no such host, VIP or rule: 404
	ErrInvalid  = errors.New("not valid")    // the request or the configuration makes no sense: 422
	ErrConflict = errors.New("not possible") // makes sense, but not now or not on this host: 409
)

// Agent is what the control socket speaks for.
type Agent interface {
	// Status says how the cluster looks from this host.
	Status(ctx context.Context) (Status, error)
	// Explain says which host gets a client, and why.
	Explain(ctx context.Context, request ExplainRequest) (Explanation, error)
	// Params lists every parameter as this host uses it.
	Params(ctx context.Context) (Params, error)
	// OrderHost gives an order to a host. It returns when the hosts that are heard know it, or after some seconds.
	OrderHost(ctx context.Context, order HostOrder) (OrderAnswer, error)
	// OrderRule gives an order about a rule, in the same way.
	OrderRule(ctx context.Context, order RuleOrder) (OrderAnswer, error)
	// SetNetwork sets parameters of a network by hand on all hosts. It returns when those that are heard have them, or after some seconds.
	SetNetwork(ctx context.Context, request SettingsRequest) (SettingsAnswer, error)
	// Stop begins to leave and returns. The agent closes its Server when the host is as it was found.
	Stop(ctx context.Context, request StopRequest) error
	// Reload reads the configuration file again, as SIGHUP does. Its error lists every problem of the file.
	Reload(ctx context.Context) error
	// Keys says which keys there are, by their ids alone.
	Keys(ctx context.Context) (Keys, error)
	// RotateKeys has the keys of a network replaced, or those of all networks when no name is given. It returns when the order is
	// taken; Keys says when all hosts use the new ones.
	RotateKeys(ctx context.Context, network string) error
	// Metrics writes the status in the text format of Prometheus.
	Metrics(ctx context.Context, w io.Writer) error
	// Journal holds what happened.
	Journal() *Journal
}

// StopRequest says how to leave.
type StopRequest struct {
	Deadline time.Duration // how long connections on this host may go on before it leaves without them; 0: not at all
}

// ExplainRequest asks where a client's new connection goes.
type ExplainRequest struct {
	VIP      string     // name or address
	VIPPort  uint16     // 0: the first port of the VIP's first rule of the protocol
	Protocol string     // "tcp" or "udp"
	Client   netip.Addr // the client's address as the hosts see it
	Port     uint16     // the client's port; 0: not known, which matters when affinity is none
}

// Explanation is the answer to an ExplainRequest.
type Explanation struct {
	Client              string   `json:"client" doc:"Client address, with its port if one was given." example:"203.0.113.9:51234"`
	VIP                 string   `json:"vip" doc:"Name of the VIP."`
	Rule                string   `json:"rule" doc:"The rule that takes the connection." example:"tcp 80,443"`
	Affinity            string   `json:"affinity" doc:"What of the client decides: none (address and port) or client (address)."`
	Bucket              *int     `json:"bucket" doc:"The client's bucket, 0 to 4095; null when the client's port is needed to know it."`
	Owner               string   `json:"owner" doc:"Host that gets a new connection; empty: nobody, or not known (why says which)."`
	Why                 string   `json:"why" doc:"How that was decided, in words."`
	Epoch               uint64   `json:"epoch" doc:"Epoch of the view that the answer is for; 0: no view."`
	HeldBy              []string `json:"held_by" doc:"Other hosts that may still have connections in this bucket."`
	Path                []string `json:"path" doc:"Hosts that a packet passes: the director first, the owner last."`
	AnswerIfNew         string   `json:"answer_if_new" doc:"What happens to a new connection."`
	AnswerIfEstablished string   `json:"answer_if_established" doc:"What happens to a packet of a connection that exists."`
}
