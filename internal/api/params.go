package api

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// Params are the parameters that a host uses.
type Params struct {
	Host       string               `json:"host" doc:"The host that answers: the values are those that it uses."`
	Config     string               `json:"config" doc:"Digest of its configuration."`
	Differ     []string             `json:"differ" doc:"Hosts that are heard, or were, and have another configuration: some values are others there."`
	Parameters []EffectiveParameter `json:"parameters" doc:"Every parameter, in the order of the file's reference, then what can be set by hand alone."`
}

// EffectiveParameter is one parameter as it is in use.
type EffectiveParameter struct {
	About  string     `json:"about" doc:"What it is of: the cluster, or a host, network, VIP, rule or check with its name." example:"rule web:443"`
	Name   string     `json:"name" doc:"Name of the parameter; for what the file has, its key." example:"affinity"`
	Value  string     `json:"value" doc:"The value in use."`
	Source Source     `json:"source" doc:"Where it comes from." enum:"default,file,override,cluster state"`
	SetOn  string     `json:"set_on" doc:"Host on which it was set by hand; empty: it was not, or by a host that the configuration does not name."`
	SetAt  *time.Time `json:"set_at" doc:"When it was set by hand, by that host's clock; null: it was not."`
	Undo   string     `json:"undo" doc:"The command that takes it back; empty: it was not set by hand."`
}

func registerParams(a huma.API, agent Agent) {
	get(a, "/v1/params", "params", "Every parameter as this host uses it, and where its value comes from", func(ctx context.Context, _ *none) (Params, error) {
		return agent.Params(ctx)
	})
}

// Params asks for the parameters that the agent's host uses.
func (c *Client) Params(ctx context.Context) (Params, error) {
	return fetch[Params](ctx, c, "/v1/params", nil)
}
