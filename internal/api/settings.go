package api

import (
	"context"
	"time"
)

// Source says where the value of a parameter comes from.
type Source string

// The sources of values. What a reader does not know counts as unknown.
const (
	FromDefault  Source = "default"       // nobody says anything
	FromFile     Source = "file"          // the configuration file
	FromOverride Source = "override"      // set by hand on some host
	FromCluster  Source = "cluster state" // the hosts have agreed on it
)

// ParameterStatus is one parameter of a network, or of all of them.
type ParameterStatus struct {
	Name     string     `json:"name" doc:"Name of the parameter, as muster network set takes it." example:"address"`
	OldName  string     `json:"old_name" doc:"Name of the private property in Windows Server 2003, which muster network set takes too; empty: there was none." example:"MulticastAddress"`
	Type     string     `json:"type" doc:"How its value is written."`
	Value    string     `json:"value" doc:"The value in effect."`
	Source   Source     `json:"source" doc:"Where it comes from." enum:"default,file,override,cluster state"`
	Default  string     `json:"default" doc:"The value when nobody says anything."`
	File     string     `json:"file" doc:"What the configuration file says; empty: nothing."`
	Writable bool       `json:"writable" doc:"Whether it can be set by hand."`
	Why      string     `json:"why" doc:"Why it cannot be set; empty: it can."`
	SetOn    string     `json:"set_on" doc:"Host on which the override was set; empty: there is none, or the host is not in the configuration."`
	SetAt    *time.Time `json:"set_at" doc:"When the override was set, by that host's clock; null: there is none."`
}

// OverrideStatus is a setting made by hand that lies over the configuration file.
type OverrideStatus struct {
	Network   string    `json:"network" doc:"Name of the network; empty: all networks."`
	Parameter string    `json:"parameter" doc:"Name of the parameter."`
	Value     string    `json:"value" doc:"The value that was set."`
	File      string    `json:"file" doc:"What the configuration file says; empty: nothing."`
	SetOn     string    `json:"set_on" doc:"Host on which it was set; empty: a host that the configuration does not name."`
	SetAt     time.Time `json:"set_at" doc:"When it was set, by that host's clock."`
	Text      string    `json:"text" doc:"The same in a sentence."`
	Undo      string    `json:"undo" doc:"The command that takes it back."`
}

// SettingsRequest asks to set parameters of a network by hand on all hosts.
type SettingsRequest struct {
	Network  string   // empty: of all networks
	Settings []string // KEY=VALUE, or KEY= to take an override back
}

// SettingsAnswer says how far settings have got.
type SettingsAnswer struct {
	Have    []string `json:"have" doc:"Hosts that have the settings, the answering one included."`
	Lacking []string `json:"lacking" doc:"Hosts that are heard and have not confirmed in time."`
	Silent  []string `json:"silent" doc:"Hosts that are not heard: they get the settings when they return."`
	NotKept string   `json:"not_kept" doc:"Why the answering host cannot keep the settings over a restart; empty: it does."`
}

// settings is a SettingsRequest as it travels.
type settings struct {
	Network  string   `json:"network" maxLength:"63" doc:"Name of the network; empty: all networks."`
	Settings []string `json:"settings" minItems:"1" maxItems:"16" maxLength:"400" doc:"Parameters to set, each as KEY=VALUE; KEY= goes back to the configuration file."`
}

type settingsInput struct{ Body settings }

// SetNetwork sets parameters by hand on all hosts and waits for those that are heard.
func (c *Client) SetNetwork(ctx context.Context, r SettingsRequest) (SettingsAnswer, error) {
	return tell[SettingsAnswer](ctx, c, "/v1/settings", settings(r))
}
