package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/sse"
)

// answer is what an operation returns.
type answer[T any] struct{ Body T }

type none struct{}

type hostInput struct {
	Host string `path:"host" maxLength:"253" doc:"Name of the host."`
}

type deadline struct {
	Milliseconds int64 `json:"deadline_ms" minimum:"0" maximum:"86400000" doc:"How long to wait for connections to end, in milliseconds."`
}

func (d *deadline) duration() time.Duration {
	if d == nil {
		return 0
	}
	return time.Duration(d.Milliseconds) * time.Millisecond
}

type deadlineInput struct{ Body *deadline }

type hostDeadlineInput struct {
	Host string `path:"host" maxLength:"253" doc:"Name of the host."`
	Body *deadline
}

type sinceInput struct {
	Since uint64 `query:"since" doc:"ID of the last event seen; 0: all that are kept."`
}

type streamInput struct {
	Since       uint64 `query:"since" doc:"ID of the last event seen; 0: all that are kept."`
	LastEventID uint64 `header:"Last-Event-ID" doc:"The same, as browsers send it when they connect again."`
}

type explainInput struct {
	VIP      string `query:"vip" required:"true" maxLength:"253" doc:"Name or address of the VIP."`
	Client   string `query:"client" required:"true" maxLength:"64" doc:"Client address."`
	Port     int    `query:"port" minimum:"0" maximum:"65535" doc:"Client port; 0: not known."`
	VIPPort  int    `query:"vip_port" minimum:"0" maximum:"65535" doc:"Port of the VIP; 0: the first of its first rule."`
	Protocol string `query:"protocol" enum:"tcp,udp" default:"tcp" doc:"Transport protocol."`
}

// Missed is sent in the event stream where events are missing.
type Missed struct {
	Missed uint64 `json:"missed" doc:"How many events are not kept any more."`
}

// register adds every operation to the API. The operation IDs are part of the stable interface.
func register(a huma.API, agent Agent) {
	get(a, "/v1/status", "status", "How the cluster looks from this host", func(ctx context.Context, _ *none) (Status, error) {
		return agent.Status(ctx)
	})
	get(a, "/v1/explain", "explain", "Which host gets a client, and why", func(ctx context.Context, in *explainInput) (Explanation, error) {
		return explain(ctx, agent, in)
	})
	get(a, "/v1/events", "events", "What happened", func(_ context.Context, in *sinceInput) (EventPage, error) {
		return agent.Journal().Since(in.Since), nil
	})
	stream(a, agent)
	registerKeys(a, agent)
	registerOrders(a, agent)
	registerParams(a, agent)
	ask(a, "/v1/settings", "set", "Set parameters of a network by hand on all hosts", func(ctx context.Context, in *settingsInput) (SettingsAnswer, error) {
		return agent.SetNetwork(ctx, SettingsRequest(in.Body))
	})
	post(a, "/v1/stop", "stop", "Leave the cluster, put the host back, end the agent", func(ctx context.Context, in *deadlineInput) error {
		return agent.Stop(ctx, StopRequest{Deadline: in.Body.duration()})
	})
	post(a, "/v1/reload", "reload", "Read the configuration file again", func(ctx context.Context, _ *none) error {
		return agent.Reload(ctx)
	})
}

func get[I, O any](a huma.API, path, id, summary string, f func(context.Context, *I) (O, error)) {
	op := huma.Operation{OperationID: id, Method: http.MethodGet, Path: path, Summary: summary}
	huma.Register(a, op, func(ctx context.Context, in *I) (*answer[O], error) {
		out, err := f(ctx, in)
		if err != nil {
			return nil, problem(err)
		}
		fillLists(&out)
		return &answer[O]{Body: out}, nil
	})
}

func post[I any](a huma.API, path, id, summary string, f func(context.Context, *I) error) {
	op := huma.Operation{OperationID: id, Method: http.MethodPost, Path: path, Summary: summary,
		DefaultStatus: http.StatusNoContent, MaxBodyBytes: maxBodyBytes}
	huma.Register(a, op, func(ctx context.Context, in *I) (*none, error) {
		return nil, problem(f(ctx, in))
	})
}

// ask is a post with an answer.
func ask[I, O any](a huma.API, path, id, summary string, f func(context.Context, *I) (O, error)) {
	op := huma.Operation{OperationID: id, Method: http.MethodPost, Path: path, Summary: summary, MaxBodyBytes: maxBodyBytes}
	huma.Register(a, op, func(ctx context.Context, in *I) (*answer[O], error) {
		out, err := f(ctx, in)
		if err != nil {
			return nil, problem(err)
		}
		fillLists(&out)
		return &answer[O]{Body: out}, nil
	})
}

func explain(ctx context.Context, agent Agent, in *explainInput) (Explanation, error) {
	client, err := netip.ParseAddr(in.Client)
	if err != nil {
		return Explanation{}, fmt.Errorf("%w: client %q is not an IP address", ErrInvalid, in.Client)
	}
	return agent.Explain(ctx, ExplainRequest{VIP: in.VIP, VIPPort: uint16(in.VIPPort), Protocol: in.Protocol,
		Client: client.Unmap(), Port: uint16(in.Port)})
}

// stream registers the event stream. A place is taken for its whole life: streams must not use up the connections that
// other commands need.
func stream(a huma.API, agent Agent) {
	places := make(chan struct{}, maxFollowers)
	op := huma.Operation{OperationID: "follow", Method: http.MethodGet, Path: "/v1/events/stream", Summary: "What happens, as it happens (server-sent events)",
		Middlewares: huma.Middlewares{func(ctx huma.Context, next func(huma.Context)) {
			select {
			case places <- struct{}{}:
				defer func() { <-places }()
				next(ctx)
			default:
				_ = huma.WriteErr(a, ctx, http.StatusServiceUnavailable, fmt.Sprintf("%d clients follow already: close one", maxFollowers))
			}
		}}}
	sse.Register(a, op, map[string]any{"event": Event{}, "missed": Missed{}}, func(ctx context.Context, in *streamInput, send sse.Sender) {
		follow(ctx, agent.Journal(), max(in.Since, in.LastEventID), send)
	})
}

func follow(ctx context.Context, journal *Journal, since uint64, send sse.Sender) {
	for {
		page, err := journal.Wait(ctx, since)
		if err != nil {
			return
		}
		if page.Missed > 0 && send.Data(Missed{Missed: page.Missed}) != nil {
			return
		}
		for _, e := range page.Events {
			if ctx.Err() != nil || send(sse.Message{ID: int(e.ID), Data: e}) != nil {
				return
			}
		}
		since = page.Newest
	}
}

// problem turns an agent's error into an answer. Its text is for the user.
func problem(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrUnknown):
		return huma.Error404NotFound(err.Error())
	case errors.Is(err, ErrInvalid):
		return huma.Error422UnprocessableEntity(err.Error())
	case errors.Is(err, ErrConflict):
		return huma.Error409Conflict(err.Error())
	default:
		return huma.Error500InternalServerError(err.Error())
	}
}
