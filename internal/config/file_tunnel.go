package config

// FileTunnel holds the settings of the tunnel that virtual addresses with `tunnel` use.
type FileTunnel struct {
	// UDP port of VXLAN, the same on every host. Another one than the default is needed where something else on a host has it, such as an
	// overlay network of containers. A change is taken live; packets under way at that moment are sent again by their clients.
	Port int `yaml:"port" default:"4789" min:"1024" max:"65535"`
}
