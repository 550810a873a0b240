package lessor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/muster-ha/muster/internal/system"
	"github.com/muster-ha/muster/madcap"
)

// Errors of Serve that depend on what is asked for.
var (
	ErrPlace = errors.New("where to serve is not said")
)

// Options is what a server is told. Leases and one of Address and Interfaces are needed.
type Options struct {
	Leases     string               // path of the lease file; made if it is not there, but not its directory
	Address    netip.Addr           // at which clients reach the server (default: the first one of the first interface, IPv4 before IPv6)
	Interfaces []string             // on which multicast is heard (default: the one that has Address)
	Scopes     []madcap.ServedScope // smallest first (default: DefaultScopes)
	MaxTime    time.Duration        // longest lease (default 24 h)
	Extra      time.Duration        // how long addresses rest before and after a lease (default 1 h; negative: not at all)
	Log        *slog.Logger
	Ready      func() // called once the sockets are open
}

// Serve runs a server until the context ends, and then returns nil. Errors come before Ready is called, except that of a socket
// that breaks.
func Serve(ctx context.Context, o Options) error {
	o, err := o.complete()
	if err != nil {
		return err
	}
	store, err := openLeases(o.Leases)
	if err != nil {
		return err
	}
	defer store.Close()
	server, err := madcap.NewServer(madcap.ServerConfig{
		ID: o.Address, Scopes: o.Scopes, Store: store, Log: o.Log, MaxTime: o.MaxTime, Extra: o.Extra,
	})
	if err != nil {
		return err
	}
	listener, err := madcap.ListenUDP(madcap.ListenConfig{
		Address: netip.AddrPortFrom(o.Address, madcap.Port), Groups: server.Groups(), Interfaces: o.Interfaces,
	})
	if err != nil {
		return remedy(err, o)
	}
	o.Log.Info("serving", "address", o.Address, "interfaces", o.Interfaces, "groups", server.Groups(), "leases", len(server.Leases()), "file", o.Leases)
	o.Ready()
	err = server.Serve(ctx, listener)
	o.Log.Info("ended", "leases", len(server.Leases()), "messages", server.Counts())
	return err
}

// complete finds out where to serve, and checks that what is served is of the address's family: messages of the other one would never come.
func (o Options) complete() (Options, error) {
	var err error
	switch {
	case o.Address.IsValid() && len(o.Interfaces) == 0:
		var device string
		if device, err = interfaceOf(o.Address); err == nil {
			o.Interfaces = []string{device}
		}
	case len(o.Interfaces) > 0 && !o.Address.IsValid():
		o.Address, err = addressOf(o.Interfaces[0])
	case !o.Address.IsValid():
		err = fmt.Errorf("%w: name an interface or the address of this machine at which clients reach it", ErrPlace)
	}
	if err != nil {
		return o, err
	}
	if len(o.Scopes) == 0 {
		o.Scopes = DefaultScopes(o.Address)
	}
	for _, s := range o.Scopes {
		if madcap.FamilyOf(s.First) != madcap.FamilyOf(o.Address) {
			return o, fmt.Errorf("serve scope %v: it is not of the family of the server's address %v: start a second server for the other family", s.First, o.Address)
		}
	}
	return o, nil
}

// openLeases opens the lease file; its errors say what to do.
func openLeases(path string) (*madcap.FileStore, error) {
	store, err := madcap.OpenFile(path)
	switch {
	case errors.Is(err, madcap.ErrDamaged):
		return nil, fmt.Errorf("%w (put a copy of it back; or move it away, and start the server when every lease that it granted has ended, or addresses will be leased twice)", err)
	case errors.Is(err, syscall.ENOENT):
		return nil, fmt.Errorf("%w (make the directory first)", err)
	}
	return store, err
}

// remedy says what to do about sockets that cannot be opened.
func remedy(err error, o Options) error {
	switch {
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%w (give this machine the address %v, or serve on one that it has)", err, o.Address)
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%w (another MADCAP server uses the address)", err)
	}
	return err
}

// addressOf returns the first address of an interface that clients can reach, IPv4 before IPv6. Link-local addresses are of no use: a Server
// Identifier has no room for an interface.
func addressOf(device string) (netip.Addr, error) {
	link, err := net.InterfaceByName(device)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("find interface %s: %w", device, err)
	}
	addrs, err := link.Addrs()
	if err != nil {
		return netip.Addr{}, fmt.Errorf("list addresses of %s: %w", device, err)
	}
	var six netip.Addr
	for _, have := range addrs {
		p, err := netip.ParsePrefix(have.String())
		switch {
		case err != nil || p.Addr().IsLinkLocalUnicast():
		case p.Addr().Is4():
			return p.Addr(), nil
		case !six.IsValid():
			six = p.Addr()
		}
	}
	if !six.IsValid() {
		return six, fmt.Errorf("serve on %s: it has no address (link-local ones are of no use): give it one, or name another interface", device)
	}
	return six, nil
}

// interfaceOf returns the interface that has an address.
func interfaceOf(a netip.Addr) (string, error) {
	device, err := system.InterfaceOf(a)
	if errors.Is(err, system.ErrNoInterface) {
		return "", fmt.Errorf("serve: %w: give it to this machine, or serve at one that it has", err)
	}
	return device, err
}
