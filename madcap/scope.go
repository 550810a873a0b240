package madcap

import (
	"fmt"
	"net/netip"
	"strings"
	"unicode/utf8"
)

// Scope is a range of multicast addresses whose traffic stays within a part of the network (RFC 2730, sections 2.7 and 3.10).
type Scope struct {
	First netip.Addr `json:"first"` // also the scope's identifier
	Last  netip.Addr `json:"last"`
	TTL   uint8      `json:"ttl"` // the largest TTL, or hop limit, that may be used with its addresses
	Names []ZoneName `json:"names,omitempty"`
}

// ZoneName is the name of a scope zone in one language.
type ZoneName struct {
	Language string `json:"language"` // RFC 1766 tag, 1 to 255 octets
	Name     string `json:"name"`     // UTF-8, 1 to 255 octets
	Default  bool   `json:"default,omitempty"`
}

// LocalScope is what a client assumes when it knows no scopes: the IPv4 Local Scope 239.255.0.0/16, or SCOP 3 of IPv6, each
// with a TTL of at most 16 (RFC 2730, section 2.7).
func LocalScope(f Family) Scope {
	if f == IPv6 {
		last := netip.MustParseAddr("ff03:ffff:ffff:ffff:ffff:ffff:ffff:ffff")
		return Scope{First: netip.MustParseAddr("ff03::"), Last: last, TTL: DefaultTTL}
	}
	return Scope{First: netip.MustParseAddr("239.255.0.0"), Last: netip.MustParseAddr("239.255.255.255"), TTL: DefaultTTL}
}

// ServerGroup returns the MADCAP Server Multicast Address of the scope, its last but one (section 2.10): 239.255.255.254 for the
// IPv4 Local Scope.
func (s Scope) ServerGroup() netip.Addr { return s.Last.Prev() }

// Span returns the addresses of the scope.
func (s Scope) Span() Span { return Span{s.First, s.Last} }

// Name returns the name to show for the language: that one, else one marked as default, else any. Unprintable characters, which could be
// commands to a terminal, are replaced.
func (s Scope) Name(language string) string {
	list := s.inLanguage(language)
	if len(list) == 0 {
		return ""
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == utf8.RuneError {
			return '\ufffd'
		}
		return r
	}, list[0].Name)
}

// inLanguage returns at most one name, by the preference of section 3.10.
func (s Scope) inLanguage(language string) []ZoneName {
	best := -1
	for i, n := range s.Names {
		if strings.EqualFold(n.Language, language) {
			return s.Names[i : i+1 : i+1]
		}
		if best < 0 || n.Default && !s.Names[best].Default {
			best = i
		}
	}
	if best < 0 {
		return nil
	}
	return s.Names[best : best+1 : best+1]
}

func (s Scope) check(f Family) error {
	if err := s.Span().check(f); err != nil {
		return err
	}
	if len(s.Names) > 255 {
		return fmt.Errorf("scope %v has more than 255 names", s.First)
	}
	for _, n := range s.Names {
		if l := len(n.Language); l == 0 || l > 255 {
			return fmt.Errorf("scope %v: language tag of %d octets", s.First, l)
		}
		if l := len(n.Name); l == 0 || l > 255 || !utf8.ValidString(n.Name) {
			return fmt.Errorf("scope %v: name is not 1 to 255 octets of UTF-8", s.First)
		}
	}
	return nil
}

// ScopeList is the Multicast Scope List option (section 3.10), from the smallest scope to the largest as far as they nest.
type ScopeList []Scope

// Code returns [OptScopeList].
func (ScopeList) Code() OptionCode { return OptScopeList }

func (o ScopeList) check(f Family) error {
	if len(o) > 255 {
		return &OptionError{o.Code(), "more than 255 scopes"}
	}
	seen := make(map[netip.Addr]bool, len(o))
	for _, s := range o {
		if err := s.check(f); err != nil {
			return &OptionError{o.Code(), err.Error()}
		}
		if seen[s.First] {
			return &OptionError{o.Code(), fmt.Sprintf("scope %v twice", s.First)}
		}
		seen[s.First] = true
	}
	return nil
}

func (o ScopeList) appendTo(b []byte, f Family) ([]byte, error) {
	if err := o.check(f); err != nil {
		return nil, err
	}
	b = append(b, byte(len(o)))
	for _, s := range o {
		b = append(b, s.First.AsSlice()...)
		b = append(b, s.Last.AsSlice()...)
		b = append(b, s.TTL, byte(len(s.Names)))
		for _, n := range s.Names {
			b = n.appendTo(b)
		}
	}
	return b, nil
}

const defaultName = 0x80 // the flag of a name to use when none is in the language wanted

func (n ZoneName) appendTo(b []byte) []byte {
	flags := byte(0)
	if n.Default {
		flags = defaultName
	}
	b = append(b, flags, byte(len(n.Language)))
	b = append(b, n.Language...)
	b = append(b, byte(len(n.Name)))
	return append(b, n.Name...)
}

func (r *reader) scopeList(f Family) ScopeList {
	list := ScopeList{}
	if len(r.b) == 0 {
		return list // the least length is 0 (section 3.10): no scopes
	}
	for n := r.u8(); n > 0 && r.err == nil; n-- {
		list = append(list, r.scope(f))
	}
	if err := list.check(f); err != nil && r.err == nil {
		r.err = err
	}
	return list
}

func (r *reader) scope(f Family) Scope {
	s := Scope{First: r.addr(f), Last: r.addr(f), TTL: uint8(r.u8())}
	for n := r.u8(); n > 0 && r.err == nil; n-- {
		name := ZoneName{Default: r.u8()&defaultName != 0}
		name.Language = string(r.take(r.u8()))
		name.Name = string(r.take(r.u8()))
		s.Names = append(s.Names, name)
	}
	return s
}
