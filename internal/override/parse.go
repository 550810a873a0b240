package override

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/register"
)

// Errors returned by Parse and Values.Check. What stands around them says what to do.
var (
	ErrForm     = errors.New("not of the form KEY=VALUE")
	ErrName     = errors.New("no such parameter")  // by neither name, or of the other level
	ErrReadOnly = errors.New("cannot be set")      // it says how things are
	ErrValue    = errors.New("value not possible") // the file would not be allowed to have it either
)

// Change is one setting, or with Unset that what is set is taken back.
type Change struct {
	Parameter Parameter
	Value     string // of no meaning with Unset; in the spelling that is kept
	Unset     bool   // the file counts again
}

// Parse reads a setting as an administrator types it: KEY=VALUE, or KEY= to go back to the file. Names of Windows Server 2003 are
// understood in any case, and so are the formats behind their values (`1:DWORD`). The error is one of this package's.
func Parse(level Level, text string) (Change, error) {
	name, value, ok := strings.Cut(text, "=")
	if !ok {
		return Change{}, fmt.Errorf("%w: %.80q: write for example `address=239.255.7.9`, or `address=` to go back to the file", ErrForm, text)
	}
	p, ok := find(level, strings.TrimSpace(name))
	if !ok {
		return Change{}, fmt.Errorf("%w: %.80q: %s", ErrName, name, remedy(level, name))
	}
	if p.ReadOnly != "" {
		return Change{}, fmt.Errorf("%s %w: %s", p.Name, ErrReadOnly, p.ReadOnly)
	}
	value, err := unformatted(p, strings.TrimSpace(value))
	if err != nil || value == "" {
		return Change{Parameter: p, Unset: true}, err
	}
	c := Change{Parameter: p, Value: value}
	if p.Kind == Truth {
		c.Value, err = truth(p, value)
		return c, err
	}
	if a, err := netip.ParseAddr(value); err == nil {
		c.Value = a.String() // one spelling of IPv6 addresses
	}
	if len(c.Value) > register.MaxValue {
		return Change{}, fmt.Errorf("%w: %s %.40q... is longer than %d bytes: write a group address", ErrValue, p.Name, c.Value, register.MaxValue)
	}
	return c, nil
}

// remedy says which names there are, or, for a name of the other level, where it belongs: that mistake is the likeliest.
func remedy(level Level, name string) string {
	if _, ok := find(Cluster, name); ok && level == Network {
		return "it is of all networks: `muster network set --cluster " + name + "=...`"
	}
	if _, ok := find(Network, name); ok && level == Cluster {
		return "it is of one network: `muster network set NETWORK " + name + "=...`"
	}
	var names []string
	for _, p := range Parameters(level) {
		if p.ReadOnly == "" {
			names = append(names, p.Name)
		}
	}
	return "it is one of " + strings.Join(names, ", ")
}

// unformatted takes the format off a value that is written as for cluster.exe (`1:DWORD`, `239.1.2.3:STR`). Another format than the parameter's
// says that something else was meant. What follows the last colon of an IPv6 address is no format.
func unformatted(p Parameter, value string) (string, error) {
	i := strings.LastIndexByte(value, ':')
	if i < 0 {
		return value, nil
	}
	wanted := map[Kind]string{Truth: "DWORD", Address: "STR"}[p.Kind]
	switch format := strings.ToUpper(value[i+1:]); format {
	case wanted:
		return value[:i], nil
	case "DWORD", "STR", "BINARY", "EXPANDSTR", "MULTISTR", "SECURITY":
		return "", fmt.Errorf("%w: %s has the format %s, not %s: write `%s=%s`", ErrValue, p.Name, wanted, format, p.Name, value[:i])
	}
	return value, nil
}

// truth reads true and false in the words of the file, and numbers of 32 bits, decimal or with 0x: any but zero is true, as it was.
func truth(p Parameter, value string) (string, error) {
	if n, err := strconv.ParseUint(value, 0, 32); err == nil {
		return strconv.FormatBool(n != 0), nil
	}
	b, err := strconv.ParseBool(strings.ToLower(value))
	if err != nil {
		return "", fmt.Errorf("%w: %s %.80q is neither true nor false: write `%s=true` or `%s=false`", ErrValue, p.Name, value, p.Name, p.Name)
	}
	return strconv.FormatBool(b), nil
}

// Check judges changes of one network, of which the file says this and v is overridden: addresses have to be groups, except the address of a
// network whose file is lenient, and a range must not end before it starts. The error is ErrValue.
func (v Values) Check(changes []Change, file config.Multicast) error {
	for _, c := range changes {
		if c.Unset || c.Parameter.Kind != Address {
			continue
		}
		_, good := group(c.Value)
		switch {
		case good:
		case c.Parameter.Name == GroupAddress && file.Lenient:
		case c.Parameter.Name == GroupAddress:
			return fmt.Errorf("%w: %.80q is no group address: write one from 224.0.0.0 to 239.255.255.255, for example `address=239.255.7.9`, or an IPv6 one of link-local scope or wider; "+
				"with `lenient: true` in the file the hosts would choose one instead", ErrValue, c.Value)
		default:
			return fmt.Errorf("%w: %s %.80q is no group address: write one from 224.0.0.0 to 239.255.255.255, or an IPv6 one of link-local scope or wider", ErrValue, c.Parameter.Name, c.Value)
		}
	}
	ofRange := func(c Change) bool { return c.Parameter.Name == RangeLower || c.Parameter.Name == RangeUpper }
	if !slices.ContainsFunc(changes, ofRange) {
		return nil
	}
	if why := v.With(changes).narrow(&file); why != "" {
		return fmt.Errorf("%w: %s; set `range-lower` and `range-upper` in one command, or take both back", ErrValue, strings.TrimSuffix(why, ": the default range is used"))
	}
	return nil
}
