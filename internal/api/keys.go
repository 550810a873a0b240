package api

import (
	"context"
	"net/url"

	"github.com/danielgtaylor/huma/v2"
)

// Keys says which keys there are. Keys are named by ids that are derived from them one way; the keys themselves never leave the
// agents' memory.
type Keys struct {
	Host     string        `json:"host" doc:"Name of the host that answers."`
	Secret   SecretKeys    `json:"secret" doc:"The secret that the hosts share."`
	Networks []NetworkKeys `json:"networks" doc:"Keys of each network, which its unicast and its multicast share."`
}

// SecretKeys is the secret, by its id, and how far a change of it has come.
type SecretKeys struct {
	ID    string   `json:"id" doc:"Secret in use." example:"2480822d"`
	Other string   `json:"other" doc:"Another secret that is held while it is changed; empty: none."`
	Waits []string `json:"waits" doc:"Hosts that are heard and do not have the new secret yet."`
}

// NetworkKeys are the keys of one network.
type NetworkKeys struct {
	Network     string      `json:"network" doc:"Name of the network."`
	Responsible string      `json:"responsible" doc:"Host that draws its keys; empty: nobody, the host is alone in its view."`
	Sign        string      `json:"sign" doc:"Key that the answering host signs with; empty: the secret."`
	Newest      string      `json:"newest" doc:"Newest key that it holds; empty: none."`
	Agreed      bool        `json:"agreed" doc:"Whether all hosts of the view sign with that key."`
	Why         string      `json:"why" doc:"What keeps the hosts from using keys; empty: nothing."`
	NextMS      *float64    `json:"next_ms" doc:"Milliseconds until the key is replaced; null: there is none."`
	Keys        []KeyStatus `json:"keys" doc:"Keys that the answering host holds."`
	Hosts       []HostKeys  `json:"hosts" doc:"What each host uses, as it says itself."`
}

// KeyStatus is one key.
type KeyStatus struct {
	ID       string   `json:"id" doc:"Its id." example:"9f0c11aa"`
	AgeMS    float64  `json:"age_ms" doc:"Milliseconds since the answering host has had it."`
	SignedBy []string `json:"signed_by" doc:"Hosts that sign with it."`
	HeldBy   []string `json:"held_by" doc:"Hosts that say that they hold it."`
}

// HostKeys is what a host uses on one network.
type HostKeys struct {
	Host   string `json:"host" doc:"Name of the host."`
	Known  bool   `json:"known" doc:"Whether it is heard and has said so."`
	Sign   string `json:"sign" doc:"Key that it signs with; empty: the secret."`
	Newest string `json:"newest" doc:"Newest key that it holds; empty: none."`
}

type rotateInput struct {
	Network string `query:"network" maxLength:"253" doc:"Name of the network; empty: all."`
}

// registerKeys adds the operations on keys.
func registerKeys(a huma.API, agent Agent) {
	get(a, "/v1/keys", "keys", "Which keys there are, who holds and who uses them", func(ctx context.Context, _ *none) (Keys, error) {
		return agent.Keys(ctx)
	})
	post(a, "/v1/keys/rotate", "rotate-keys", "Replace the keys of a network, or of all", func(ctx context.Context, in *rotateInput) error {
		return agent.RotateKeys(ctx, in.Network)
	})
}

// Keys asks which keys there are.
func (c *Client) Keys(ctx context.Context) (Keys, error) { return fetch[Keys](ctx, c, "/v1/keys", nil) }

// RotateKeys has the keys of a network replaced, or those of all networks when no name is given. It returns when the order is taken.
func (c *Client) RotateKeys(ctx context.Context, network string) error {
	return c.order(ctx, "/v1/keys/rotate?"+url.Values{"network": {network}}.Encode(), nil)
}
