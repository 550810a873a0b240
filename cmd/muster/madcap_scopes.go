package main

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-ha/muster/madcap"
)

// servedScopes is what one server says of its scopes, as JSON.
type servedScopes struct {
	Server   netip.Addr    `json:"server"`
	Features []string      `json:"features"`
	SkewMS   *float64      `json:"skew_ms"` // the server's clock minus ours, in whole seconds by the protocol; null: it does not tell
	Scopes   []servedScope `json:"scopes"`
}

type servedScope struct {
	madcap.Scope
	Inside []netip.Addr `json:"inside"` // first addresses of the scopes of this server that it lies within
}

func (a *app) madcapScopesCommand() *cobra.Command {
	var k asking
	var language string
	c := &cobra.Command{
		Use:     "scopes",
		Short:   "Which servers are there, and the scopes of each with their names and how they nest",
		Example: "muster madcap scopes --interface eth0\nmuster madcap scopes --server 192.0.2.1 --language de --json",
		Args:    takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			client, server, err := k.client()
			if err != nil {
				return err
			}
			ctx, cancel := k.within(c)
			defer cancel()
			found, err := client.Scopes(ctx, server, language)
			if err != nil {
				return k.unanswered(err)
			}
			list := describeServers(found)
			return a.print(list, func(w io.Writer) { writeScopes(w, list, language) })
		},
	}
	k.flags(c)
	c.Flags().StringVar(&language, "language", "", "`TAG` of the language for names, such as de (default: all names)")
	return c
}

func describeServers(found []madcap.ServerInfo) []servedScopes {
	list := []servedScopes{}
	for _, info := range found {
		s := servedScopes{Server: info.Server, Features: []string{}, Scopes: []servedScope{}}
		for _, f := range info.Features {
			s.Features = append(s.Features, f.String())
		}
		if info.HasTime {
			s.SkewMS = new(float64(info.Skew / time.Millisecond))
		}
		for x, scope := range info.Scopes {
			each := servedScope{Scope: scope, Inside: []netip.Addr{}}
			for y, outer := range info.Scopes {
				if x != y && info.Nesting.Nests(x, y) {
					each.Inside = append(each.Inside, outer.First)
				}
			}
			s.Scopes = append(s.Scopes, each)
		}
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b servedScopes) int { return a.Server.Compare(b.Server) })
	return list
}

func writeScopes(w io.Writer, list []servedScopes, language string) {
	for _, s := range list {
		fmt.Fprintf(w, "Server %v", s.Server)
		if len(s.Features) > 0 {
			fmt.Fprintf(w, " (%s)", strings.Join(s.Features, ", "))
		}
		fmt.Fprintln(w)
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		for _, scope := range s.Scopes {
			inside := "-"
			if len(scope.Inside) > 0 {
				inside = joined(scope.Inside)
			}
			name := scope.Name(language)
			if name == "" {
				name = "-"
			}
			fmt.Fprintf(t, "  %v\tttl %d\t%s\tinside: %s\n", scope.Span(), scope.TTL, name, inside)
		}
		t.Flush()
	}
}

// joined writes values one after the other.
func joined[T any](list []T) string {
	words := make([]string, len(list))
	for i, v := range list {
		words[i] = fmt.Sprint(v)
	}
	return strings.Join(words, ", ")
}
